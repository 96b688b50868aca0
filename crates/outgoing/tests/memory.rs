//! However much is asked for and however much is sent: the memory of the process stays bounded. A program of its own, so
//! that nothing else is in its memory.

#[path = "battery/network.rs"]
#[allow(dead_code, reason = "shared with the battery")]
mod network;
#[path = "battery/server.rs"]
#[allow(dead_code, reason = "shared with the battery")]
mod server;

use std::sync::Arc;

use network::{PUBLIC, TestNetwork, door_to};
use obol_oauth::{Freshness, NamedBy, Outgoing};
use obol_outgoing::Limits;
use server::{HOST, TestServer, json};
use tokio::io::AsyncWriteExt;

/// Resident, in KiB.
fn memory_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn ask_for_many(server: &TestServer, from: usize, to: usize) -> usize {
    let network = Arc::new(TestNetwork::leading_to(server).naming(HOST, &[&[PUBLIC]]));
    let limits = Limits { at_once: 16, at_once_of_a_host: 16, ..Limits::default() };
    let door = Arc::new(door_to(&network, limits));
    let mut warm = 0;
    for round in from..to {
        let asking: Vec<_> = (0..16)
            .map(|one| {
                let (door, url) = (door.clone(), format!("https://app.example/{round}/{one}"));
                tokio::spawn(
                    async move { door.fetch(&url, NamedBy::Operator, Freshness::Kept).await.is_ok() },
                )
            })
            .collect();
        for one in asking {
            one.await.unwrap();
        }
        // By now everything that may be kept is there.
        if round == from + 15 {
            warm = memory_kib();
        }
    }
    memory_kib().saturating_sub(warm)
}

#[tokio::test]
async fn memory_stays_bounded() {
    // 64 KiB each, 40 MiB in all.
    let server = TestServer::answering(json(&"x".repeat(64 * 1024)));
    let grown = ask_for_many(&server, 0, 40).await;
    assert!(grown < 12 * 1024, "{grown} KiB more for documents");

    let endless = TestServer::start(|visit| async {
        let mut tls = visit.asked().await;
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n").await;
        while tls.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
    });
    let grown = ask_for_many(&endless, 0, 40).await;
    assert!(grown < 12 * 1024, "{grown} KiB more for answers without end");
}
