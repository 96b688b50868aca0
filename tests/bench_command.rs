//! `obol bench`: what it prints, and that a server which answers wrongly gets no figure.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use obol_testkit::{ClientSpec, Installation, Ran, Signal, obol, wait_until};
use rustix::process::{Pid, kill_process};
use serde_json::Value;

#[test]
fn a_smoke_run_measures_every_path_and_every_sweep() {
    let installation = obol!().installation();
    let place = installation.folder().to_str().unwrap().to_owned();
    let page = installation.folder().join("bench.html");
    let document = installation.write("performance.md", "# By hand\n");
    let arguments = [
        "bench",
        "--smoke",
        "--json",
        "--place",
        &place,
        "--html",
        page.to_str().unwrap(),
        "--markdown",
        &document,
    ];
    let report = installation.run(&arguments).exits(0).json();

    let paths = report["paths"].as_array().unwrap();
    let names: Vec<_> = paths.iter().map(|path| path["path"].as_str().unwrap()).collect();
    let expected = [
        "verify-valid",
        "verify-revoked",
        "verify-unknown",
        "forward-auth",
        "introspect",
        "introspect-batch",
        "client-credentials",
        "refresh",
        "revoke",
        "password",
    ];
    assert_eq!(names, expected);
    for path in paths {
        for target in ["server", "ceiling"] {
            for figure in
                ["requests_per_sec", "p50_us", "p99_us", "p999_us", "cpu_us_per_request", "resident_bytes"]
            {
                assert!(is_positive(&path[target][figure]), "{} {target} {figure}: {path:#}", path["path"]);
            }
        }
        assert!(is_positive(&path["ratio_by_cpu"]) && is_positive(&path["ratio_by_rate"]), "{path:#}");
    }
    sweeps_are_measured(&report["sweeps"]);
    let machine = &report["machine"];
    assert!(machine["cores"].as_u64() > Some(0) && machine["kernel"].as_str().unwrap().starts_with("Linux"));

    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<h2>Hot paths</h2>"));
    let document = fs::read_to_string(document).unwrap();
    assert!(document.starts_with("# By hand\n") && document.contains("### Hot paths"), "{document}");
    let left = fs::read_dir(installation.folder()).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("obol-bench-")).collect();
    assert!(left.is_empty(), "folders of the benchmark were left: {left:?}");
}

fn sweeps_are_measured(sweeps: &Value) {
    assert!(is_positive(&sweeps["start"]["first_200_ms"]) && is_positive(&sweeps["start"]["idle_bytes"]));
    let revocations = sweeps["revocations"].as_array().unwrap();
    assert_eq!((revocations[0]["live"].as_u64(), revocations.len()), (Some(0), 2));
    for row in revocations {
        assert!(
            is_positive(&row["ratio_to_none_by_cpu"]) && is_positive(&row["verify"]["requests_per_sec"]),
            "{row:#}"
        );
    }
    let connections = &sweeps["connections"];
    assert!(is_positive(&connections["rows"][1]["ratio_by_cpu"]), "{connections:#}");
    assert!(connections["idle"]["bytes_per_used_connection"].is_number(), "{connections:#}");
    let storm = &sweeps["storm"];
    assert!(is_positive(&storm["p99_over_quiet"]) && is_positive(&storm["revocations_per_sec"]), "{storm:#}");
    let rate = &sweeps["rate"]["rows"][0];
    assert!(
        is_positive(&rate["p99_over_ceiling"]) && is_positive(&rate["server"]["late_p99_us"]),
        "{rate:#}"
    );
    let durability = &sweeps["durability"];
    assert!(durability["p50_over_commit_us"]["median"].is_number(), "{durability:#}");
    assert!(is_positive(&durability["times_commits_per_sec"]), "{durability:#}");
}

fn is_positive(spread: &Value) -> bool {
    spread["median"].as_f64().is_some_and(|median| median > 0.0)
}

#[test]
fn tls_and_http2_are_spoken_to_server_and_ceiling() {
    let installation = obol!().installation();
    for protocol in ["--tls", "--http2"] {
        let arguments =
            ["bench", protocol, "--path", "verify-valid", "--path", "client-credentials", "--json"];
        let tiny = ["--duration-ms", "50", "--repeats", "1", "--connections", "2"];
        let report = installation.run(&[&arguments[..], &tiny].concat()).exits(0).json();
        assert_eq!(report["settings"]["tls"], true);
        for path in report["paths"].as_array().unwrap() {
            assert!(is_positive(&path["server"]["requests_per_sec"]), "{report:#}");
            assert!(is_positive(&path["ratio_by_cpu"]), "{report:#}");
        }
    }
}

#[test]
fn a_server_that_runs_already_is_measured() {
    let server = obol!().server().start();
    let gateway = server.add_client(&ClientSpec::confidential("gateway").introspection());
    let installation = server.installation();
    let secret = installation.write("secret", gateway.own_secret());
    let pid = server.process_id().to_string();
    let target =
        ["bench", "--target", server.url(), "--client-id", "gateway", "--client-secret-file", &secret];
    let tiny =
        ["--duration-ms", "50", "--repeats", "1", "--connections", "2", "--json", "--target-pid", &pid];
    let report = installation.run(&[&target[..], &tiny].concat()).exits(0).json();
    let paths = report["paths"].as_array().unwrap();
    assert_eq!(paths.len(), 8, "without a person there is no refresh and no password: {report:#}");
    for path in paths {
        assert!(is_positive(&path["server"]["cpu_us_per_request"]), "{report:#}");
    }
    let without_pid = installation.run(&[&target[..], &tiny[..7], &["--path", "verify-valid"]].concat());
    let report = without_pid.exits(0).json();
    assert!(report["paths"][0]["server"]["cpu_us_per_request"].is_null(), "{report:#}");
    assert!(report["remarks"].to_string().contains("--target-pid"), "{report:#}");
    installation.run(&[&target[..], &["--sweep", "storm"]].concat()).exits(2);
}

#[test]
fn a_server_that_answers_wrongly_gets_no_figure() {
    let issued = r#"{"access_token":"oba_x","expires_in":9,"token_type":"Bearer","scope":""}"#;
    let verified = |client: &str| {
        format!(r#"{{"client_id":"{client}","expires_in":9,"scope":"","status":"success","username":"u"}}"#)
    };
    let cases: [(&str, u16, String, &str); 6] = [
        (
            "refuses",
            401,
            r#"{"error":"invalid_token"}"#.to_owned(),
            "the right answer is 200, and it was 401",
        ),
        ("is busy", 503, "{}".to_owned(), "the right answer is 200, and it was 503"),
        ("says nothing", 200, "{}".to_owned(), "its content is not what it should be"),
        ("names another client", 200, verified("other"), "it names another client"),
        ("is no HTTP", 0, "nonsense\r\n\r\n".to_owned(), "no HTTP"),
        ("closes", 0, String::new(), "closed a connection"),
    ];
    for (what, status, body, sentence) in cases {
        let fake = FakeServer::start(move |asked| match asked.starts_with("POST /oauth2/token ") {
            true => answer(200, issued),
            false if status == 0 => body.clone(),
            false => answer(status, &body),
        });
        let ran = fake.bench(&["--path", "verify-valid"]).exits(1);
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains(sentence), "{what}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{what}: a figure was printed");
    }
    let right = FakeServer::start(move |asked| match asked.starts_with("POST /oauth2/token ") {
        true => answer(200, issued),
        false => answer(200, &verified("gateway")),
    });
    right.bench(&["--path", "verify-valid"]).exits(0);
}

#[test]
fn a_server_that_accepts_what_was_revoked_gets_no_figure() {
    let issued = r#"{"access_token":"oba_x","expires_in":9,"token_type":"Bearer","scope":""}"#;
    let verified = r#"{"client_id":"gateway","expires_in":9,"scope":"","status":"success","username":"u"}"#;
    let forgetful = FakeServer::start(move |asked| {
        if asked.starts_with("POST /oauth2/token ") {
            answer(200, issued)
        } else if asked.starts_with("POST ") {
            answer(200, r#"{"status":"success"}"#)
        } else {
            answer(200, verified)
        }
    });
    for path in ["verify-revoked", "verify-unknown"] {
        let ran = forgetful.bench(&["--path", path]).exits(1);
        assert!(ran.stderr.contains("the right answer is 401, and it was 200"), "{path}: {}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_measured_is_said_before_anything_is() {
    let installation = obol!().installation();
    let cases: [(&[&str], &str); 6] = [
        (&["--path", "nothing"], "verify-valid"),
        (&["--sweep", "nothing"], "revocations"),
        (&["--target", "http://127.0.0.1:1"], "--client-id"),
        (&["--connections", "0"], "1..="),
        (&["--smoke", "--all"], "cannot be used with"),
        (&["--rate", "0"], "1..="),
    ];
    for (arguments, sentence) in cases {
        let ran = installation.run(&[&["bench"], arguments].concat()).exits(2);
        assert!(ran.stderr.contains(sentence), "{arguments:?}: {}", ran.stderr);
    }
    let ran = installation.run(&["bench", "--html", "no/such/folder/x.html"]).exits(1);
    assert!(ran.stderr.contains("no/such/folder/x.html"), "{}", ran.stderr);
}

#[test]
fn told_to_stop_it_ends_its_servers_and_takes_its_files_away() {
    let installation = obol!().installation();
    let place = installation.folder().to_str().unwrap();
    let mut command = Command::new(installation.program().path());
    command.args(["bench", "--path", "verify-valid", "--duration-ms", "600000", "--place", place]);
    let mut bench = command.env_clear().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let servers = wait_until("server and ceiling run", Duration::from_secs(60), || {
        Some(children(bench.id())).filter(|children| children.len() == 2)
    });
    kill_process(Pid::from_child(&bench), Signal::TERM).unwrap();
    let status = wait_until("the benchmark ends", Duration::from_secs(30), || bench.try_wait().unwrap());
    let mut said = String::new();
    bench.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(
        (status.code(), said.as_str()),
        (Some(1), "error: stopped before the end; there are no figures\n")
    );
    for server in servers {
        assert!(!fs::exists(format!("/proc/{server}")).unwrap(), "{server} runs on");
    }
    assert_eq!(fs::read_dir(installation.folder()).unwrap().count(), 0, "files were left");
}

/// The processes that a process has started, from any of its threads.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of_thread =
        |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    threads
        .flat_map(|thread| {
            of_thread(thread).split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

/// A server that answers what a test wants, on a thread for each connection.
struct FakeServer {
    address: SocketAddr,
    installation: Installation,
}

impl FakeServer {
    fn start(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, answer) = (connection.unwrap(), answer.clone());
                // It ends when the benchmark hangs up.
                thread::spawn(move || while answer_one(&connection, &answer).is_some() {});
            }
        });
        Self { address, installation: obol!().installation() }
    }

    fn bench(&self, arguments: &[&str]) -> Ran {
        let secret = self.installation.write("secret", "a secret of sixteen");
        let url = format!("http://{}", self.address);
        let target = ["bench", "--target", &url, "--client-id", "gateway", "--client-secret-file", &secret];
        let tiny = ["--duration-ms", "20", "--repeats", "1", "--connections", "2"];
        self.installation.run(&[&target[..], &tiny, arguments].concat())
    }
}

/// Reads one request and answers it; `None` when there is none, or the answer is to close.
fn answer_one(connection: &TcpStream, answer: &impl Fn(&str) -> String) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let (mut head, mut body_bytes) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(length) = line.strip_prefix("content-length: ") {
            body_bytes = length.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    reader.read_exact(&mut vec![0; body_bytes]).ok()?;
    let text = answer(&head);
    (&*connection).write_all(text.as_bytes()).ok()?;
    (!text.is_empty()).then_some(())
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Fake\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
