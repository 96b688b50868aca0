//! Revocations per second of three nodes with 64 of them under way, against single-row commits of the same server; and
//! how long one takes that is alone. Run it with `cargo bench -p obol-store-postgres`.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use obol_store::{Denials, Deny};
use obol_store_postgres::{PostgresOptions, PostgresStore};
use obol_testkit::{Postgres, PostgresBuilder};
use obol_token::{Expiry, Timestamp, TokenId};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

const SECS: u64 = 5;
const NODES: [u32; 3] = [22, 21, 21];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    match &arguments[..] {
        [url, number, tasks] => {
            let (number, tasks) = (number.parse().expect("a number"), tasks.parse().expect("a number"));
            println!("{}", runtime.block_on(one_node(url, number, tasks)));
        }
        _ => {
            measure(&runtime, Postgres::builder(), "as the disk is");
            // Disks that keep their promise; those of test machines often do not.
            for millis in [1, 2, 5] {
                let builder = Postgres::builder().flush_takes(Duration::from_millis(millis));
                measure(&runtime, builder, &format!("a flush takes {millis} ms more"));
            }
        }
    }
}

fn measure(runtime: &tokio::runtime::Runtime, builder: PostgresBuilder, disk: &str) {
    let server = builder.start();
    let url = server.database();
    runtime.block_on(PostgresStore::migrate(&PostgresOptions::new(&url))).expect("it can be migrated");
    let bare = runtime.block_on(bare_commits(&url));
    let together = three_nodes(&url);
    let (median, slow) = runtime.block_on(alone(&url));
    println!("\n{disk}");
    println!("single-row commits, one connection   {bare:>8.0} a second");
    println!("revocations, three nodes, 64 at once {together:>8.0} a second, {:.1} times", together / bare);
    println!("one revocation alone: median {median:.2?}, 99th of 100 {slow:.2?}");
}

async fn bare_commits(url: &str) -> f64 {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("it can be reached");
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE obol.bare (x BIGINT)").await.expect("a table can be made");
    let insert = client.prepare("INSERT INTO obol.bare VALUES ($1)").await.expect("a statement");
    let began = Instant::now();
    let mut commits = 0;
    while began.elapsed() < Duration::from_secs(SECS) {
        client.execute(&insert, &[&1_i64]).await.expect("a row can be added");
        commits += 1;
    }
    connection.abort();
    f64::from(commits) / began.elapsed().as_secs_f64()
}

fn three_nodes(url: &str) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let nodes = (1..).zip(NODES).map(|(number, tasks): (u32, u32)| {
        let mut command = Command::new(&program);
        command.args([url, &number.to_string(), &tasks.to_string()]).stdout(Stdio::piped());
        command.spawn().expect("a node can be started")
    });
    let nodes: Vec<_> = nodes.collect();
    let counts = nodes.into_iter().map(|node| {
        let output = node.wait_with_output().expect("a node ends");
        String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("a number")
    });
    counts.sum()
}

/// Revocations per second of one node with so many under way.
async fn one_node(url: &str, number: u8, tasks: u8) -> f64 {
    let store = PostgresStore::open(&PostgresOptions::new(url)).await.expect("it can be opened");
    let store = Arc::new(store);
    let began = Instant::now();
    let mut revoking = JoinSet::new();
    for task in 0..tasks {
        let store = store.clone();
        revoking.spawn(async move {
            let mut revoked = 0_u32;
            while began.elapsed() < Duration::from_secs(SECS) {
                deny(&store, [number, task], revoked).await;
                revoked += 1;
            }
            revoked
        });
    }
    let revoked: u32 = revoking.join_all().await.into_iter().sum();
    f64::from(revoked) / began.elapsed().as_secs_f64()
}

/// How long one takes when nothing else is under way: the median, and the second slowest of a hundred.
async fn alone(url: &str) -> (Duration, Duration) {
    let store = PostgresStore::open(&PostgresOptions::new(url)).await.expect("it can be opened");
    let mut times = Vec::new();
    for number in 0..100 {
        let began = Instant::now();
        deny(&store, [200, 0], number).await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    (times[50], times[98])
}

async fn deny(store: &PostgresStore, [node, task]: [u8; 2], number: u32) {
    let mut id = [0; 16];
    (id[0], id[1]) = (node, task);
    id[2..6].copy_from_slice(&number.to_le_bytes());
    let deny = Deny::Token { id: TokenId::from_bytes(id), expires_at: Expiry::Never };
    let _ = store.deny(&deny, Timestamp::from_secs(1)).await.expect("it can be denied");
}
