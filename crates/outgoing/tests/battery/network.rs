//! A network whose names and connections a test decides, and which remembers what it was asked for.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use obol_outgoing::{Authorities, GuardedDoor, Limits, Network};
use tokio::net::TcpStream;

use crate::server::TestServer;

/// An address that anybody may ask, of nobody in particular.
pub(crate) const PUBLIC: &str = "93.184.216.34";

#[derive(Default)]
pub(crate) struct TestNetwork {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    /// Where every connection ends, whatever address was asked for.
    end: Option<SocketAddr>,
    resolved: Mutex<Vec<String>>,
    connected: Mutex<Vec<SocketAddr>>,
}

impl TestNetwork {
    /// Nothing can be reached.
    pub(crate) fn unreachable() -> Self {
        Self::default()
    }

    /// Whatever is asked for, this server answers.
    pub(crate) fn leading_to(server: &TestServer) -> Self {
        Self { end: Some(server.address), ..Self::default() }
    }

    /// Answers for a name, one after the other; the last stays.
    pub(crate) fn naming(self, host: &str, answers: &[&[&str]]) -> Self {
        let ips = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        self.answers.lock().unwrap().insert(host.to_owned(), answers.iter().map(ips).collect());
        self
    }

    pub(crate) fn resolved(&self) -> Vec<String> {
        self.resolved.lock().unwrap().clone()
    }

    pub(crate) fn connected(&self) -> Vec<String> {
        self.connected.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

#[async_trait]
impl Network for TestNetwork {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.resolved.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answers = answers.get_mut(host).ok_or(io::ErrorKind::NotFound)?;
        match answers.len() {
            1 => Ok(answers[0].clone()),
            _ => Ok(answers.pop_front().unwrap()),
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.connected.lock().unwrap().push(address);
        let end = self.end.ok_or(io::ErrorKind::HostUnreachable)?;
        TcpStream::connect(end).await
    }
}

/// A door to this network that trusts the certificates of the tests.
pub(crate) fn door_to(network: &Arc<TestNetwork>, limits: Limits) -> GuardedDoor {
    let network: Arc<dyn Network> = network.clone();
    GuardedDoor::over(network, authorities(), Vec::new(), limits)
}

pub(crate) fn authorities() -> Authorities {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), crate::server::authority_pem()).unwrap();
    Authorities::with_file(file.path()).unwrap()
}
