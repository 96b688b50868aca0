//! RFC 9728 (protected resource metadata). One test per MUST that falls to who publishes it.

use obol_testkit::{METADATA, Server, obol};
use serde_json::json;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

fn server(resources: &[&str]) -> Server {
    let builder = obol!().server().option("--behind-proxy", "127.0.0.1");
    let builder = resources.iter().fold(builder, |builder, uri| builder.option("--protected-resources", uri));
    builder.start()
}

/// The resource of the document at this path, for who asks this host.
fn resource_at(server: &Server, host: &str, path: &str) -> Option<String> {
    let request = server.http().at_host(host).get(&format!("{WELL_KNOWN}{path}"));
    let answer = request.send();
    (answer.status == 200).then(|| answer.text("resource"))
}

#[test]
fn rfc9728_3_2_the_document_is_json_with_the_resource_as_it_is_configured() {
    let server = server(&["https://api.example/v1"]);
    let answer = server.http().get(&format!("{WELL_KNOWN}/v1")).send().expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let expected = json!({
        "resource": "https://api.example/v1",
        "authorization_servers": [server.url()],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(answer.json(), expected, "claims without a value are left out");
}

#[test]
fn rfc9728_3_1_host_and_path_say_which_resource_it_is() {
    let server = server(&[
        "https://a.example",
        "https://b.example/",
        "https://a.example/v1",
        "https://c.example:8443/v2",
    ]);
    for (host, path, resource) in [
        ("a.example", "", Some("https://a.example")),
        ("A.EXAMPLE", "", Some("https://a.example")),
        ("b.example", "", Some("https://b.example/")),
        ("b.example", "/", Some("https://b.example/")),
        ("a.example", "/v1", Some("https://a.example/v1")),
        ("a.example", "/v1/", Some("https://a.example/v1")),
        ("c.example:8443", "/v2", Some("https://c.example:8443/v2")),
        // A gateway that passes on its own idea of the host: one resource alone has that path.
        ("127.0.0.1", "/v2", Some("https://c.example:8443/v2")),
        ("127.0.0.1", "", None),
        ("a.example", "/v3", None),
        ("a.example", "/V1", None),
        ("a.example", "/v1/x", None),
    ] {
        assert_eq!(resource_at(&server, host, path).as_deref(), resource, "{host} {path}");
    }
}

#[test]
fn a_proxys_word_about_the_host_counts_and_a_strangers_does_not() {
    let server = server(&["https://a.example", "https://b.example"]);
    let ask = |from: [u8; 4]| {
        let http = server.http().from(from).at_host("a.example");
        http.get(WELL_KNOWN).header("x-forwarded-host", "b.example").send().expect(200).text("resource")
    };
    assert_eq!(ask([127, 0, 0, 1]), "https://b.example");
    assert_eq!(ask([127, 0, 0, 2]), "https://a.example");
}

#[test]
fn nothing_that_a_request_says_is_printed() {
    let server = server(&["https://a.example"]);
    let answer = server.http().at_host("evil.example").get(WELL_KNOWN).send().expect(200);
    assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
}

#[test]
fn without_a_resource_there_is_no_document() {
    let server = server(&[]);
    for path in ["", "/", "/v1"] {
        server.http().get(&format!("{WELL_KNOWN}{path}")).send().expect_error(404, "not_found");
    }
    let document = server.http().get(METADATA).send().expect(200).json();
    assert_eq!(document.get("protected_resources"), None);
    server.http().post(WELL_KNOWN).send().expect(405);
}

#[test]
fn rfc9728_4_the_authorization_server_names_its_resources() {
    let resources = ["https://a.example", "https://b.example/v1"];
    let document = server(&resources).http().get(METADATA).send().expect(200).json();
    assert_eq!(document["protected_resources"], json!(resources));
}

#[test]
fn rfc9728_1_2_only_https_urls_without_fragment_are_resources() {
    for wrong in ["http://a.example", "a.example", "https://a.example#x", "https://a.example/?x=1"] {
        let ran = obol!().installation().run(&["config", "check", "--protected-resources", wrong]);
        assert!(ran.exits(2).stderr.contains("https"), "{wrong}");
    }
}
