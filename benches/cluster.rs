//! Prints what it costs that nodes share an installation: how long a revocation takes with three nodes up, and what verify
//! loses to a lease on PostgreSQL. Asserts nothing.
//!
//! Run by `cargo bench --bench cluster`, on the release build and a quiet machine. Clusters are made by the tests' kit: their
//! nodes reach the database through its proxies.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use obol_testkit::checker::Outcome;
use obol_testkit::cluster::{Calls, Cluster, Node, Quantiles};
use obol_testkit::{Client, ClientSpec, obol};
use serde_json::Value;

const REVOCATIONS: usize = 500;
/// How often cluster and single process take turns.
const TURNS: usize = 9;

fn main() {
    for (what, builder) in [
        ("a primary alone", obol!().cluster()),
        ("a synchronous standby", obol!().cluster().synchronous_standby()),
    ] {
        let cluster = builder.start();
        let took = revocations(&cluster, &cluster.nodes()[0]);
        println!("revoke, one at a time, three nodes on {what}: {}", Quantiles::of(took));
        if !cluster.database().has_standby() {
            verify_beside_a_single_process(&cluster);
        }
    }
}

/// From before the request to the 200.
fn revocations(cluster: &Cluster, node: &Node) -> Vec<Duration> {
    let (mut calls, client) = (Calls::default(), &cluster.services()[0]);
    let address = node.address().expect("it runs");
    let mut revoke = |_| {
        let Some(Outcome::Done(token)) = calls.issue(address, client) else { panic!("a token is given") };
        let began = Instant::now();
        assert_eq!(calls.revoke(address, client, &token), Some(Outcome::Done(())));
        began.elapsed()
    };
    (0..REVOCATIONS).map(&mut revoke).collect()
}

/// Each is measured beside the ceiling of its own run, so that a machine that changes its speed meets both.
fn verify_beside_a_single_process(cluster: &Cluster) {
    let node = &cluster.nodes()[0];
    let builder = obol!().server();
    let client = builder.add_client(&ClientSpec::confidential("single"));
    let single = builder.start();
    let mut ratios: Vec<f64> = (0..TURNS)
        .map(|_| {
            let of_node =
                of_ceiling(node.address().map(|at| at.port()), node.process_id(), &cluster.services()[0]);
            let of_single = of_ceiling(Some(single.http().address().port()), single.process_id(), &client);
            of_node / of_single
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let (least, median, most) = (ratios[0], ratios[TURNS / 2], ratios[TURNS - 1]);
    println!("verify of a node to a single process, by CPU time: {median:.3} ({least:.3} to {most:.3})");
}

/// CPU time of the ceiling for a verify over that of the server.
fn of_ceiling(port: Option<u16>, process: u32, client: &Client) -> f64 {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let secret = folder.path().join("secret");
    fs::write(&secret, client.secret.as_deref().expect("it is confidential")).expect("a file can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_obol"))
        .args(["bench", "--path", "verify-valid", "--repeats", "5", "--json"])
        .args(["--target", &format!("http://127.0.0.1:{}", port.expect("it runs"))])
        .args(["--target-pid", &process.to_string(), "--client-id", &client.id, "--client-secret-file"])
        .arg(&secret)
        .output()
        .expect("obol bench runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    report["paths"][0]["ratio_by_cpu"]["median"].as_f64().expect("a server of this machine has a ratio")
}
