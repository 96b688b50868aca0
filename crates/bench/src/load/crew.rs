//! The threads of the generator, each on its core with its share of the connections.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::connection::{Connection, Endpoint};
use super::round::{self, Desk, Desks, Load, Order};
use super::script::Script;
use super::tally::Tally;
use crate::cores::pin_this_thread;
use crate::{BenchError, Cores, Stop, Wrong};

/// Connections that are opened at the same time.
const OPENED_AT_ONCE: usize = 32;

/// Connections to one target that do the same.
pub(crate) struct Part<'a> {
    /// Who is asked, for sentences.
    pub(crate) target: &'a str,
    /// Where.
    pub(crate) endpoint: &'a Endpoint,
    /// What each connection asks.
    pub(crate) scripts: Vec<Box<dyn Script>>,
}

/// Threads with open connections, ready for rounds. Dropping it closes them.
pub(crate) struct Crew {
    hands: Vec<Hand>,
}

struct Hand {
    orders: Option<Sender<Order>>,
    has_core: bool,
    done: Receiver<Result<Vec<Tally>, BenchError>>,
    thread: Option<JoinHandle<()>>,
}

impl Crew {
    /// Opens all connections of all parts.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn open(parts: Vec<Part<'_>>, cores: &Cores, stop: &Stop) -> Result<Self, BenchError> {
        let connections = parts.iter().map(|part| part.scripts.len()).min().unwrap_or(1);
        let threads = cores.generator_threads(connections);
        let mut shares: Vec<Vec<Share>> = (0..threads).map(|_| Vec::new()).collect();
        for part in parts {
            let mut scripts: Vec<Vec<Box<dyn Script>>> = (0..threads).map(|_| Vec::new()).collect();
            for (number, script) in part.scripts.into_iter().enumerate() {
                scripts[number % threads].push(script);
            }
            for (share, scripts) in shares.iter_mut().zip(scripts) {
                let (target, endpoint) = (part.target.to_owned(), part.endpoint.clone());
                share.push(Share { target, endpoint, scripts });
            }
        }
        let hands = shares.into_iter().enumerate().map(|(number, share)| {
            let core = cores.generator.get(number).copied();
            Hand::start(share, core.as_slice().to_vec(), stop.clone())
        });
        let crew = Self { hands: hands.collect::<Result<_, _>>()? };
        crew.hands.iter().try_for_each(|hand| hand.finished().map(drop))?;
        Ok(crew)
    }

    /// Lets each part ask in its way for so long; what was seen, by part.
    ///
    /// # Errors
    /// [`BenchError`]
    pub(crate) fn round(&self, loads: &[Load], duration: Duration) -> Result<Vec<Tally>, BenchError> {
        let threads = self.hands.len();
        for (number, hand) in self.hands.iter().enumerate() {
            let share = |load: &Load| match *load {
                Load::Open { per_sec } => Load::Open { per_sec: per_sec / threads as f64 },
                other => other,
            };
            let offset = Duration::from_micros(7 * number as u64);
            let order =
                Order { loads: loads.iter().map(share).collect(), duration, offset, has_core: hand.has_core };
            if let Some(orders) = &hand.orders {
                // A hand that has gone shows when it is waited for.
                let _ = orders.send(order);
            }
        }
        let mut sums: Vec<Tally> = loads.iter().map(|_| Tally::new()).collect();
        for hand in &self.hands {
            let tallies = hand.finished()?;
            sums.iter_mut().zip(&tallies).for_each(|(sum, tally)| sum.add(tally));
        }
        Ok(sums)
    }
}

/// What one thread gets of a part.
struct Share {
    target: String,
    endpoint: Endpoint,
    scripts: Vec<Box<dyn Script>>,
}

impl Hand {
    fn start(shares: Vec<Share>, cores: Vec<usize>, stop: Stop) -> Result<Self, BenchError> {
        let (orders, orders_come) = channel();
        let (report, done) = channel();
        let starting = BenchError::system("start a thread of the load generator");
        let has_core = !cores.is_empty();
        let work = move || {
            pin_this_thread(&cores);
            work(shares, &orders_come, &report, &stop);
        };
        let thread = thread::Builder::new().name("load".to_owned()).spawn(work).map_err(starting)?;
        Ok(Self { orders: Some(orders), has_core, done, thread: Some(thread) })
    }

    fn finished(&self) -> Result<Vec<Tally>, BenchError> {
        self.done.recv().unwrap_or(Err(BenchError::Stopped))
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It has said already what was to be said.
            let _ = thread.join();
        }
    }
}

/// Opens the connections, says so, and works off orders until there are no more.
fn work(
    shares: Vec<Share>,
    orders: &Receiver<Order>,
    report: &Sender<Result<Vec<Tally>, BenchError>>,
    stop: &Stop,
) {
    let opened = runtime().and_then(|runtime| Ok((runtime.block_on(open_all(shares, stop))?, runtime)));
    let (mut parts, runtime) = match opened {
        Ok(opened) => opened,
        Err(error) => return drop(report.send(Err(error))),
    };
    if report.send(Ok(Vec::new())).is_err() {
        return;
    }
    for order in orders {
        let round = round::run(&mut parts, &order, stop);
        if report.send(runtime.block_on(round)).is_err() {
            return;
        }
    }
}

fn runtime() -> Result<Runtime, BenchError> {
    let starting = BenchError::system("start the event queue of the load generator");
    Builder::new_current_thread().enable_all().build().map_err(starting)
}

async fn open_all(shares: Vec<Share>, stop: &Stop) -> Result<Vec<Desks>, BenchError> {
    let mut all = Vec::new();
    for Share { target, endpoint, scripts } in shares {
        let mut desks = Vec::with_capacity(scripts.len());
        let mut opening = JoinSet::new();
        let mut scripts = scripts.into_iter();
        loop {
            while opening.len() < OPENED_AT_ONCE
                && let Some(script) = scripts.next()
            {
                let endpoint = endpoint.clone();
                opening.spawn(async move { (Connection::open(&endpoint).await, script) });
            }
            let Some(opened) = opening.join_next().await else { break };
            let wrong = |wrong| BenchError::Wrong { target: target.clone(), wrong };
            let (connection, script) = opened.map_err(|_panicked| wrong(Wrong::Closed))?;
            desks.push(Desk { connection: connection.map_err(wrong)?, script });
            if stop.is_told() {
                return Err(BenchError::Stopped);
            }
        }
        all.push(Desks { target, desks });
    }
    Ok(all)
}
