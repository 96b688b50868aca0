//! Debian's nginx with the lines of `docs/gateways.md`, as they stand there.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use obol_testkit::{
    ALICE, Answer, House, Http, PASSWORD, Port, Tokens, between, debian_program, obol, wait_until,
};
use tempfile::TempDir;

/// nginx as a gateway of a server, before an application that tells what it was told. Ended when dropped.
struct Nginx {
    child: Child,
    http: Http,
    address: SocketAddr,
    _folder: TempDir,
    _ports: [Port; 2],
}

impl Nginx {
    /// The gateway at `port` of the server at `server`.
    #[track_caller]
    fn start(port: Port, server: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("obol-nginx-").expect("a temporary folder can be made");
        let path = folder.path().to_str().expect("its name is text").to_owned();
        let behind = Port::claim();
        let (address, application) = (port.address(), behind.address());
        let documented = include_str!("../../docs/gateways.md");
        let lines = between(documented, "```nginx\n", "```").expect("the page has lines for nginx");
        let lines = lines.replace("127.0.0.1:8080", &server.to_string());
        let lines = lines.replace("127.0.0.1:9000", &application.to_string());
        let told =
            ["subject", "username", "client", "scope", "expires"].map(|name| format!("$http_x_auth_{name}"));
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};"))
            .concat();
        let configuration = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log stderr;
             events {{ worker_connections 64; }}
             http {{
                 access_log off; {temporary}
                 server {{ listen {address}; {lines} }}
                 server {{ listen {application}; return 200 '{}'; }}
             }}",
            told.join("|")
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).expect("the file can be written");
        let mut command = debian_program("nginx");
        command.args(["-p", &path, "-c", "nginx.conf", "-e", "stderr"]).stdout(Stdio::null());
        let child = command.spawn().expect("nginx is installed: `cargo xtask interop` sees to it");
        let nginx = Self { child, http: Http::at(address), address, _folder: folder, _ports: [port, behind] };
        wait_until("nginx listens", Duration::from_secs(20), || TcpStream::connect(address).ok());
        nginx
    }

    /// What the application was told of who it is.
    #[track_caller]
    fn told(answer: &Answer) -> Vec<String> {
        assert_eq!(answer.status, 200, "{answer:?}");
        String::from_utf8_lossy(&answer.body).split('|').map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end. The worker goes with its master.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A house with nginx before it.
fn house() -> (House, Nginx) {
    let port = Port::claim();
    let house = obol!().house_with(|server| {
        let host = port.address().to_string();
        server.option("--behind-proxy", "127.0.0.1").option("--forward-auth-hosts", &host)
    });
    let nginx = Nginx::start(port, house.server.http().address());
    (house, nginx)
}

#[test]
fn nginx_lets_through_who_bears_a_token_and_tells_the_application_who_it_is() {
    let (House { server, gateway, .. }, nginx) = house();
    let token = server.token_by_client_credentials(&gateway).access;
    let hostile =
        || nginx.http.get("/a?b=c").header("x-auth-subject", "root").header("x-auth-username", "root");
    let told = Nginx::told(&hostile().bearer(&token).send());
    assert_eq!(told[..3], ["service-account-gateway", "service-account-gateway", "gateway"], "{told:?}");
    // A body goes to the application, and not to the server.
    let posted = nginx.http.post("/a").bearer(&token).body("application/json", "{}").send();
    assert_eq!(Nginx::told(&posted)[2], "gateway");
    let refused = hostile().bearer("x").send().expect(401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let nobody = hostile().send().expect(401);
    assert_eq!((nobody.header("www-authenticate"), nobody.header("location")), (Some("Bearer"), None));
    server.rfc_revoke(&gateway, &token).expect(200);
    nginx.http.get("/a").bearer(&token).send().expect(401);
    nginx.http.get("/.obol").bearer(&token).send().expect(404);
}

#[test]
fn nginx_lets_through_what_was_refreshed_and_what_was_sealed_by_the_key_of_before() {
    let (House { server, gateway, .. }, nginx) = house();
    let passes = |token: &str| Nginx::told(&nginx.http.get("/a").bearer(token).send())[1] == ALICE;
    let first = server.rfc_token_by_password(&gateway, ALICE, PASSWORD);
    assert!(passes(&first.access));
    server.run(&["keys", "rotate"]).exits(0);
    assert!(passes(&first.access), "of the key of before");
    let next = Tokens::of(server.rfc_refresh(&gateway, first.refresh()));
    assert!(passes(&next.access), "of the new key");
    server.rfc_revoke(&gateway, next.refresh()).expect(200);
    nginx.http.get("/a").bearer(&next.access).send().expect(401);
}

#[test]
fn nginx_sends_a_person_to_sign_in_and_lets_the_person_through_until_signing_out() {
    let (House { server, .. }, nginx) = house();
    let mut held: Vec<String> = Vec::new();
    let go = |url: &str, held: &mut Vec<String>| {
        let path = url.strip_prefix(&format!("http://{}", nginx.address)).unwrap_or(url);
        let request = nginx.http.get(path).header("accept", "text/html");
        let request = if held.is_empty() { request } else { request.header("cookie", &held.join("; ")) };
        let answer = request.header("x-auth-username", "root").send();
        held.extend(
            answer.header("set-cookie").map(|set| set.split(';').next().unwrap_or_default().to_owned()),
        );
        answer
    };
    let sent = go("/a?b=c", &mut held).expect(302);
    let mut person = server.person();
    let sign_in =
        sent.header("location").and_then(|to| to.strip_prefix(server.url())).expect("it is sent to us");
    let shown = person.opens(sign_in).sign_in();
    let back = person.signs_in(&shown).returns();
    let back = format!("{}?b=c&obol_handover={}", back.uri, back.get("obol_handover").expect("a handover"));
    let entered = go(&back, &mut held).expect(302);
    assert_eq!(entered.header("location"), Some(&*format!("http://{}/a?b=c", nginx.address)));
    let told = Nginx::told(&go("/a?b=c", &mut held));
    assert_eq!(told[1], ALICE, "{told:?}");
    server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
    go("/a?b=c", &mut held).expect(302);
}
