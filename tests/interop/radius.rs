//! Debian's FreeRADIUS with the files of `docs/radius.md`, as they stand there.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use obol_testkit::{ALICE, ClientSpec, Lines, PASSWORD, Port, debian_program};
use tempfile::TempDir;

use crate::fetched::done;
use crate::journey::house;

const SHARED_SECRET: &str = "between-device-and-radius";
const DOCUMENTED: &str = include_str!("../../docs/radius.md");
/// What a device hears of RADIUS.
const ACCEPT: &str = "Access-Accept";
const REJECT: &str = "Access-Reject";

/// FreeRADIUS before a server. Ended when dropped.
struct Radius {
    child: Child,
    output: Lines,
    folder: TempDir,
    port: Port,
}

impl Radius {
    #[track_caller]
    fn start(server: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("obol-radius-").expect("a temporary folder can be made");
        let path = folder.path().to_str().expect("its name is text").to_owned();
        let port = Port::claim();
        for file in ["mods-enabled", "policy.d", "sites-enabled"] {
            let text = documented(&format!("/etc/freeradius/3.0/{file}/obol"));
            let text = text.replace("127.0.0.1:8080", &server.to_string());
            let text = text.replace("ipaddr = *", "ipaddr = 127.0.0.1");
            let text = text.replace("port = 1812", &format!("port = {}", port.number()));
            let text = text.replace("/etc/freeradius/3.0/certs", &path);
            fs::create_dir(folder.path().join(file)).expect("the folder can be written");
            fs::write(folder.path().join(file).join("obol"), text).expect("the folder can be written");
        }
        // What Debian's own radiusd.conf and clients.conf have besides.
        let configuration = format!(
            "libdir = /usr/lib/freeradius\nrun_dir = {path}\n
             client device {{\nipaddr = 127.0.0.1\nsecret = {SHARED_SECRET}\nrequire_message_authenticator = yes\n}}
             security {{\nreject_delay = 0\n}}
             modules {{\nalways reject {{\nrcode = reject\n}}\n$INCLUDE mods-enabled/\n}}
             policy {{\n$INCLUDE policy.d/\n}}
             $INCLUDE sites-enabled/\n"
        );
        fs::write(folder.path().join("radiusd.conf"), configuration).expect("the folder can be written");
        certify(&folder);
        let mut command = debian_program("freeradius");
        command.args(["-X", "-d", &path, "-n", "radiusd"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("freeradius is installed: `cargo xtask interop` sees to it");
        let output = Lines::of(child.stdout.take().expect("its output was asked for"));
        let radius = Self { child, output, folder, port };
        let ready = |line: &str| line.contains("Ready to process requests").then_some(());
        radius.output.wait_for(Duration::from_secs(20), ready).unwrap_or_else(|| panic!("{}", radius.log()));
        radius
    }

    /// What a device hears that brings somebody through EAP-TTLS, as `eapol_test` does it.
    #[track_caller]
    fn through_the_tunnel(&self, username: &str, token: &str) -> &'static str {
        let network = format!(
            "network={{\nkey_mgmt=WPA-EAP\neap=TTLS\nphase2=\"auth=PAP\"\nanonymous_identity=\"anonymous\"\n\
             identity=\"{username}\"\npassword=\"{token}\"\nca_cert=\"{}\"\n}}\n",
            self.folder.path().join("radius.pem").display()
        );
        let file = self.folder.path().join("network");
        fs::write(&file, network).expect("the folder can be written");
        let mut device = Command::new("eapol_test");
        device.args(["-a", "127.0.0.1", "-s", SHARED_SECRET, "-t", "10", "-p"]);
        device.arg(self.port.number().to_string()).arg("-c").arg(file);
        self.heard(device)
    }

    /// What a device hears that sends name and password without a tunnel, as `radclient` does it.
    #[track_caller]
    fn without_tunnel(&self, username: &str, token: &str) -> &'static str {
        let request =
            format!("User-Name=\"{username}\",User-Password=\"{token}\",Message-Authenticator=0x00");
        let file = self.folder.path().join("request");
        fs::write(&file, request).expect("the folder can be written");
        let mut device = Command::new("radclient");
        device.args(["-t", "10", "-r", "1", "-f"]).arg(file);
        device.arg(self.port.address().to_string()).args(["auth", SHARED_SECRET]);
        self.heard(device)
    }

    /// Which answer the device tells of.
    #[track_caller]
    fn heard(&self, mut device: Command) -> &'static str {
        let output = device.output().unwrap_or_else(|error| panic!("{device:?}: {error}"));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let answers = |answer: &str| {
            told.contains(&format!("Received {answer}")) || told.contains(&format!("({answer})"))
        };
        match (answers(ACCEPT), answers(REJECT)) {
            (true, false) => ACCEPT,
            (false, true) => REJECT,
            _ => panic!("no answer: {told}\n{}", self.log()),
        }
    }

    fn log(&self) -> String {
        self.output.all().join("\n")
    }
}

impl Drop for Radius {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file that the page gives for this place.
#[track_caller]
fn documented(place: &str) -> &'static str {
    let (_, after) = DOCUMENTED.split_once(&format!("`{place}`")).expect("the page has this file");
    let (_, file) = after.split_once("```text\n").expect("its text follows");
    file.split_once("```").expect("it ends").0
}

/// A certificate for the tunnel.
#[track_caller]
fn certify(folder: &TempDir) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-subj", "/CN=radius.example", "-keyout", "radius.key", "-out", "radius.pem"]);
    openssl.current_dir(folder.path());
    done(openssl, "FreeRADIUS brings the Debian package `openssl`");
}

#[test]
fn radius_accepts_a_persons_token_through_the_tunnel_as_long_as_it_stands() {
    let server = house();
    let vpn = server.add_client(&ClientSpec::public("vpn"));
    server.add_user("bob", PASSWORD);
    let radius = Radius::start(server.http().address());

    let first = server.rfc_token_by_password(&vpn, ALICE, PASSWORD);
    assert_eq!(radius.through_the_tunnel(ALICE, &first.access), ACCEPT, "{}", radius.log());
    assert_eq!(radius.through_the_tunnel("bob", &first.access), REJECT, "hers, not his");

    server.run(&["keys", "rotate"]).exits(0);
    assert_eq!(radius.through_the_tunnel(ALICE, &first.access), ACCEPT, "sealed by the key of before");
    let next = server.rfc_refresh(&vpn, first.refresh()).expect(200).text("access_token");
    assert_eq!(radius.through_the_tunnel(ALICE, &next), ACCEPT, "sealed by the new one");

    server.rfc_revoke(&vpn, &next).expect(200);
    assert_eq!(radius.through_the_tunnel(ALICE, &next), REJECT, "revoked");
    assert_eq!(radius.through_the_tunnel(ALICE, "rubbish"), REJECT);
}

#[test]
fn radius_accepts_what_fits_into_a_password_without_a_tunnel_and_rejects_what_is_cut() {
    let server = house();
    let vpn = server.add_client(&ClientSpec::confidential("vpn"));
    let radius = Radius::start(server.http().address());
    let device = "service-account-vpn";

    let token = server.token_by_client_credentials(&vpn).access;
    assert_eq!(radius.without_tunnel(device, &token), ACCEPT, "{}", radius.log());
    assert_eq!(radius.without_tunnel(ALICE, &token), REJECT, "somebody else's");
    server.rfc_revoke(&vpn, &token).expect(200);
    assert_eq!(radius.without_tunnel(device, &token), REJECT, "revoked");

    let long = server.rfc_token_by_password(&vpn, ALICE, PASSWORD).access;
    assert_eq!(radius.through_the_tunnel(ALICE, &long), ACCEPT);
    assert_eq!(radius.without_tunnel(ALICE, &long), REJECT, "RADIUS cuts it");
}

#[test]
fn radius_rejects_what_is_no_token_and_whoever_it_cannot_ask_about() {
    let mut server = house();
    let vpn = server.add_client(&ClientSpec::confidential("vpn"));
    let other = server.add_client(&ClientSpec::confidential("other"));
    let radius = Radius::start(server.http().address());
    let device = "service-account-vpn";
    let token = server.token_by_client_credentials(&vpn).access;

    let of_other = server.token_by_client_credentials(&other).access;
    assert_eq!(radius.without_tunnel("service-account-other", &of_other), REJECT, "another client's");
    for no_token in
        ["", "x", &format!("{token}\\r\\nHost: elsewhere"), &format!("{token} "), &format!("{token}\\n")]
    {
        assert_eq!(radius.without_tunnel(device, no_token), REJECT, "{no_token:?}");
    }
    assert_eq!(radius.without_tunnel(device, &token), ACCEPT, "{}", radius.log());
    server.kill();
    assert_eq!(radius.without_tunnel(device, &token), REJECT, "nobody to ask");
}
