//! Debian's Apache and `mod_auth_openidc` with the lines of `docs/gateways.md`, as they stand there.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use obol_testkit::{ALICE, Client, ClientSpec, Http, Port, Server, between, debian_program, wait_until};
use tempfile::TempDir;

use crate::browser::{Browser, Page};
use crate::journey::{house, rotate, sign_in_at};

const MODULES: [&str; 12] = [
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "auth_openidc",
    "headers",
    "dir",
    "include",
    "filter",
    "proxy",
    "proxy_http",
    "reqtimeout",
];

/// What the application behind Apache answers: who it is told that it is.
const SHOWN: &str = r#"<dd id="username"><!--#echo var="HTTP_X_AUTH_USERNAME" --></dd>
<dd id="sub"><!--#echo var="HTTP_X_AUTH_SUBJECT" --></dd>
<dd id="email"><!--#echo var="HTTP_X_AUTH_EMAIL" --></dd>
<dd id="scope"><!--#echo var="HTTP_X_AUTH_SCOPE" --></dd>"#;

/// Apache before an application. Ended when dropped.
struct Apache {
    child: Child,
    http: Http,
    url: String,
    folder: TempDir,
    _ports: [Port; 2],
}

impl Apache {
    /// The gateway at `port` of a server that knows it as these clients.
    #[track_caller]
    fn start(port: Port, server: &Server, wiki: &Client, api: &Client) -> Self {
        let folder = TempDir::with_prefix("obol-apache-").expect("a temporary folder can be made");
        // Started by root, its workers are somebody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        fs::write(folder.path().join("shown.html"), SHOWN).expect("the folder can be written");
        let path = folder.path().to_str().expect("its name is text").to_owned();
        let behind = Port::claim();
        let (address, application) = (port.address(), behind.address());
        let url = format!("http://{address}");

        let documented = include_str!("../../docs/gateways.md");
        let lines = between(documented, "```apache\n", "```").expect("the page has lines for Apache");
        let lines =
            lines.replace("https://id.example.org", server.url()).replace("https://wiki.example.org", &url);
        let lines = lines.replace("the secret of wiki-api", api.own_secret());
        let lines = lines.replace("the secret of wiki", wiki.own_secret());
        let lines = lines.replace("127.0.0.1:9000", &application.to_string());
        let modules =
            MODULES.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
        let configuration = format!(
            "{}
             ServerName 127.0.0.1
             DefaultRuntimeDir {path}
             PidFile {path}/pid
             ErrorLog {path}/log
             User nobody
             Group nogroup
             Listen {address}
             Listen {application}
             <VirtualHost {address}>
             {lines}
             </VirtualHost>
             <VirtualHost {application}>
                 DocumentRoot {path}
                 FallbackResource /shown.html
                 <Location />
                     Options +Includes
                     SetOutputFilter INCLUDES
                     ForceType text/html
                     Require all granted
                 </Location>
             </VirtualHost>",
            modules.concat()
        );
        fs::write(folder.path().join("apache.conf"), configuration).expect("the folder can be written");
        let mut command = debian_program("apache2");
        command.args(["-D", "FOREGROUND", "-d", &path, "-f", "apache.conf"]).stdin(Stdio::null());
        let child = command.spawn().expect("apache2 is installed: `cargo xtask interop` sees to it");
        let apache = Self { child, http: Http::at(address), url, folder, _ports: [port, behind] };
        wait_until("Apache listens", Duration::from_secs(20), || TcpStream::connect(address).ok());
        apache
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end. The workers go with their parent.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A server with Apache as its gateway, registered as the page says.
struct Gateway {
    server: Server,
    apache: Apache,
    wiki: Client,
}

impl Gateway {
    #[track_caller]
    fn start() -> Self {
        let (server, port) = (house(), Port::claim());
        let at = |path: &str| format!("http://{}{path}", port.address());
        let wiki = ClientSpec::new("wiki", "confidential").grants(&["authorization_code", "refresh_token"]);
        let wiki = wiki.option("--redirect-uri", &at("/signed-in"));
        // One second after it was given, the access token is due for a refresh.
        let wiki = server.add_client(&wiki.option("--post-logout-redirect-uri", &at("/left")).access_ttl(61));
        let api = server.add_client(&ClientSpec::confidential("wiki-api").introspection());
        let apache = Apache::start(port, &server, &wiki, &api);
        Self { server, apache, wiki }
    }

    /// Through the server's pages, and back to the page that was asked for.
    #[track_caller]
    fn sign_in(&self, browser: &mut Browser) -> Page {
        let page = sign_in_at(browser, &self.server, &format!("{}/a?b=c", self.apache.url));
        assert_eq!(page.url, format!("{}/a?b=c", self.apache.url), "{page:?}\n{}", self.apache.log());
        page
    }

    #[track_caller]
    fn assert_shows_alice(&self, page: &Page) {
        let told = ["username", "email"].map(|name| page.find(name).unwrap_or_default());
        assert_eq!(told, [ALICE, "alice@example.com"], "{page:?}\n{}", self.apache.log());
    }

    fn tokens_issued(&self) -> usize {
        let audit = self.server.installation().audit();
        audit
            .iter()
            .filter(|line| line.event() == "token.issued" && line.text("client_id") == self.wiki.id)
            .count()
    }
}

#[test]
fn apache_signs_a_person_in_refreshes_and_notices_the_end_while_the_signing_key_changes() {
    let gateway = Gateway::start();
    let Gateway { server, apache, .. } = &gateway;
    let mut browser = Browser::default();
    gateway.assert_shows_alice(&gateway.sign_in(&mut browser));

    rotate(server, "ES256", &["--now"]);
    gateway.assert_shows_alice(&gateway.sign_in(&mut Browser::default()));

    let issued = gateway.tokens_issued();
    let page = wait_until("Apache refreshes", Duration::from_secs(20), || {
        let page = browser.open(&apache.url);
        (gateway.tokens_issued() > issued).then_some(page)
    });
    gateway.assert_shows_alice(&page);

    server.run(&["revoke", "--user", ALICE, "--yes"]).exits(0);
    wait_until("Apache notices the end", Duration::from_secs(20), || {
        let page = browser.open(&apache.url);
        page.url.starts_with(server.url()).then_some(())
    });
}

#[test]
fn apache_signs_a_person_out_at_the_server_as_well() {
    let gateway = Gateway::start();
    let Gateway { server, apache, .. } = &gateway;
    let mut browser = Browser::default();
    gateway.sign_in(&mut browser);
    let left = browser.open(&format!("{0}/signed-in?logout={0}/left", apache.url));
    assert_eq!((left.url.as_str(), left.status), (&*format!("{}/left", apache.url), 200), "{left:?}");
    let asked = browser.open(&apache.url);
    assert!(asked.url.starts_with(server.url()) && asked.asks("/sign-in"), "{asked:?}");
}

#[test]
fn apache_tells_of_nobody_where_everybody_may_go() {
    let Gateway { apache, .. } = Gateway::start();
    let answer = apache.http.get("/left").header("x-auth-username", "root").send().expect(200);
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(body.contains("<dd id=\"username\"></dd>"), "{body}");
}

#[test]
fn apache_asks_about_every_bearer_token() {
    let gateway = Gateway::start();
    let Gateway { server, apache, .. } = &gateway;
    let reader = server.add_client(&ClientSpec::confidential("reader"));
    let writer = server.add_client(&ClientSpec::confidential("writer").option("--scope", "write"));
    let token = server.token_by_client_credentials(&reader).access;
    let ask = |token: &str| apache.http.get("/api/a").header("x-auth-username", "root").bearer(token).send();

    let body = String::from_utf8_lossy(&ask(&token).expect(200).body).into_owned();
    assert!(body.contains("<dd id=\"username\">service-account-reader</dd>"), "{body}\n{}", apache.log());
    server.run(&["keys", "rotate"]).exits(0);
    ask(&token).expect(200);
    ask(&server.token_by_client_credentials(&reader).access).expect(200);

    ask(&server.token_by_client_credentials(&writer).access).expect(401);
    server.rfc_revoke(&reader, &token).expect(200);
    ask(&token).expect(401);
    ask("x").expect(401);
    apache.http.get("/api/a").send().expect(401);
}
