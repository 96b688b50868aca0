//! What a service manager is told: sd_notify(3), as `Type=notify` of the unit in `packaging/systemd` relies on it.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use obol_testkit::{Server, ServerBuilder, Signal, obol};

const SOON: Duration = Duration::from_secs(20);

/// The socket that a service manager listens on, and the server that was told of it.
struct Managed {
    socket: UnixDatagram,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Managed {
    fn start(with: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let builder = obol!().server().environment("NOTIFY_SOCKET", path.to_str().unwrap());
        Self { socket, server: with(builder).start(), _folder: folder }
    }

    /// The next message, as its lines.
    fn told(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("the server tells more");
        String::from_utf8(message[..length].to_vec()).unwrap().lines().map(str::to_owned).collect()
    }

    fn told_state(&self, state: &str) -> Vec<String> {
        let lines = self.told();
        assert!(lines.iter().any(|line| line == state), "{state}: {lines:?}");
        lines
    }
}

#[test]
fn ready_is_said_once_the_server_answers() {
    let managed = Managed::start(|builder| builder);
    let lines = managed.told_state("READY=1");
    managed.server.http().get("/readyz").send().expect(200);
    assert!(lines.contains(&format!("STATUS=answers at {}", managed.server.url())), "{lines:?}");
}

#[test]
fn a_server_that_cannot_start_is_never_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let installation = obol!().installation();
    let arguments = ["serve", "--listen", "0.0.0.0:0"];
    installation.program().run(installation.folder(), &arguments, &environment, "").exits(1);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err());
}

#[test]
fn sighup_is_a_reload_with_an_end() {
    let managed = Managed::start(ServerBuilder::tls_self_signed);
    managed.told_state("READY=1");
    managed.server.signal(Signal::HUP);
    let lines = managed.told_state("RELOADING=1");
    assert!(lines.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{lines:?}");
    managed.told_state("READY=1");
}

#[test]
fn stopping_is_said_first_and_asks_for_the_time_that_it_takes() {
    let mut managed = Managed::start(|builder| builder.option("--stop-delay-ms", "5000"));
    managed.told_state("READY=1");
    managed.server.signal(Signal::TERM);
    let lines = managed.told_state("STOPPING=1");
    assert!(lines.contains(&"EXTEND_TIMEOUT_USEC=25000000".to_owned()), "{lines:?}");
    managed.server.http().get("/healthz").send().expect(200);
    assert!(managed.server.await_end().success());
}

#[test]
fn the_watchdog_is_fed_in_time_where_it_is_asked_for() {
    let managed = Managed::start(|builder| builder.environment("WATCHDOG_USEC", "3000000"));
    managed.told_state("READY=1");
    for _ in 0..3 {
        let told_before = Instant::now();
        managed.told_state("WATCHDOG=1");
        assert!(told_before.elapsed() < Duration::from_secs(3), "{:?}", told_before.elapsed());
    }
}
