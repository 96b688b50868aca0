use serde_json::{Value, json};

use super::*;

const URL: &str = "https://app.example/client.json";

fn read(document: &Value) -> Result<ClientSpec, DocumentError> {
    read_text(&document.to_string())
}

fn read_text(text: &str) -> Result<ClientSpec, DocumentError> {
    read_document(text, &URL.parse().unwrap(), "openid".parse().unwrap(), Vec::new())
}

/// A good document with these members besides.
fn with(members: Value) -> Value {
    let mut document = json!({ "client_id": URL, "redirect_uris": ["https://app.example/cb"] });
    document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    document
}

#[test]
fn a_document_describes_a_public_client_for_people() {
    let spec = read(&with(json!({
        "client_name": "Example App",
        "grant_types": ["authorization_code", "refresh_token", "urn:example"],
        "response_types": ["code", "token"],
        "token_endpoint_auth_method": "none",
        "scope": "admin", "logo_uri": "http://127.0.0.1/", "anything": {"else": [1]},
        "jwks": {"keys": [{"kty": "EC", "x": "a", "y": "b"}]},
    })))
    .unwrap();
    assert_eq!((spec.id.as_str(), spec.name.as_str()), (URL, "app.example (Example App)"));
    assert_eq!(spec.grants, ["authorization_code", "refresh_token"]);
    assert_eq!(spec.redirect_uris, ["https://app.example/cb"]);
    assert_eq!(
        (spec.default_scopes.to_string(), spec.optional_scopes.to_string()),
        (String::new(), "openid".into())
    );
    let settings = &spec.settings;
    assert!(
        spec.secret.is_none()
            && settings.require_pkce
            && settings.ask_consent
            && settings.from_metadata_document
    );
    assert!(!spec.may_introspect);
}

#[test]
fn rfc7591_2_what_is_not_said_has_its_default() {
    let spec = read(&with(json!({}))).unwrap();
    assert_eq!((spec.name.as_str(), spec.grants.concat().as_str()), ("app.example", "authorization_code"));
    assert_eq!(spec.settings.application_type, ApplicationType::Web);
}

#[test]
fn cimd_4_the_client_id_is_the_url_letter_by_letter() {
    for other in [
        "https://app.example/client.json?",
        "https://App.example/client.json",
        "https://app.example:443/client.json",
        "https://app.example/client%2Ejson",
        "",
    ] {
        let read = read(&with(json!({ "client_id": other })));
        assert_eq!(read.err(), Some(DocumentError::OtherClient), "{other}");
    }
}

#[test]
fn cimd_4_1_no_secret_stands_in_a_document() {
    for (members, error) in [
        (json!({ "client_secret": "a secret" }), DocumentError::Secret),
        (json!({ "client_secret_expires_at": 0 }), DocumentError::Secret),
        (
            json!({ "jwks": { "keys": [{ "kty": "EC" }, { "kty": "EC", "d": "AA" }] } }),
            DocumentError::PrivateKey,
        ),
        (json!({ "jwks": { "keys": [{ "kty": "oct", "k": "AA" }] } }), DocumentError::PrivateKey),
    ] {
        assert_eq!(read(&with(members.clone())).err(), Some(error), "{members}");
    }
    let methods =
        ["client_secret_basic", "client_secret_post", "client_secret_jwt", "tls_client_auth", "", "None"];
    for method in methods {
        let read = read(&with(json!({ "token_endpoint_auth_method": method })));
        assert_eq!(read.err(), Some(DocumentError::Authentication), "{method}");
    }
}

#[test]
fn cimd_8_2_a_client_with_a_key_of_its_own_authenticates_with_it() {
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "a", "y": "b" }] });
    let method = "private_key_jwt";
    let spec = read(&with(json!({ "token_endpoint_auth_method": method, "jwks": keys }))).unwrap();
    assert_eq!(spec.settings.token_endpoint_auth_method, Some(ClientAuthMethod::PrivateKeyJwt));
    assert_eq!(spec.settings.jwks, Some(keys.clone()));
    let uri = "https://app.example/keys";
    let spec = read(&with(json!({ "token_endpoint_auth_method": method, "jwks_uri": uri }))).unwrap();
    assert_eq!(spec.settings.jwks_uri.as_deref(), Some(uri));
    // Without the method they are of no use, and not fetched.
    let spec = read(&with(json!({ "jwks": keys, "jwks_uri": uri }))).unwrap();
    assert_eq!((spec.settings.jwks, spec.settings.jwks_uri), (None, None));
}

#[test]
fn redirect_uris_are_those_that_may_be_registered() {
    let uris = |uris: Value| read(&with(json!({ "redirect_uris": uris }))).map(|spec| spec.redirect_uris);
    let some =
        json!(["http://localhost/cb", "javascript:alert(1)", "https://a.example/*", "http://127.0.0.1/cb"]);
    assert_eq!(uris(some).unwrap(), ["http://127.0.0.1/cb"]);
    let many: Vec<_> = (0..33).map(|number| format!("https://app.example/{number}")).collect();
    for none in
        [json!([]), json!(["http://app.example/cb"]), json!(["https://app.example/cb#a"]), json!(many)]
    {
        assert_eq!(uris(none.clone()), Err(DocumentError::RedirectUris), "{none}");
    }
}

#[test]
fn who_comes_back_to_a_loopback_address_runs_on_a_device() {
    let runs = |members: Value| read(&with(members)).unwrap().settings.application_type;
    let native = json!({ "redirect_uris": ["https://app.example/cb", "http://127.0.0.1/cb"] });
    assert_eq!(runs(native), ApplicationType::Native);
    assert_eq!(runs(json!({ "application_type": "native" })), ApplicationType::Native);
    let web = json!({ "application_type": "web", "redirect_uris": ["http://127.0.0.1/cb"] });
    assert_eq!(runs(web), ApplicationType::Web);
}

#[test]
fn people_come_for_a_code() {
    for members in [
        json!({ "grant_types": ["client_credentials"] }),
        json!({ "grant_types": [] }),
        json!({ "response_types": ["token"] }),
    ] {
        assert_eq!(read(&with(members.clone())).err(), Some(DocumentError::NoCode), "{members}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    let twice = format!(r#"{{"client_id":"{URL}","redirect_uris":["https://a/b"],"client_id":"{URL}"}}"#);
    for text in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"client_id":1,"redirect_uris":[]}"#,
        &format!(r#"{{"client_id":"{URL}"}}"#),
        &format!(r#"{{"client_id":"{URL}","redirect_uris":"https://a/b"}}"#),
        &with(json!({ "application_type": "toaster" })).to_string(),
        &with(json!({ "grant_types": "authorization_code" })).to_string(),
        &format!("{} {{}}", with(json!({}))),
        &"[".repeat(5_000),
        &twice,
    ] {
        assert_eq!(read_text(text).err(), Some(DocumentError::Form), "{text}");
    }
    let filler = |length: usize| {
        with(json!({ "x": "" }))
            .to_string()
            .replace("\"x\":\"\"", &format!("\"x\":\"{}\"", "y".repeat(length)))
    };
    let room = MAX_BYTES - filler(0).len();
    assert!(read_text(&filler(room)).is_ok());
    assert_eq!(read_text(&filler(room + 1)).err(), Some(DocumentError::Large));
}

/// What people read begins with the host, which only its holder has, and a name does not change how it reads.
#[test]
fn cimd_8_5_a_name_does_not_hide_the_host() {
    for (name, shown) in [
        ("Example App", "app.example (Example App)"),
        ("  Приложение 2 ", "app.example (Приложение 2)"),
        ("", "app.example"),
        ("evil\u{202e}elpmaxe.knab", "app.example"),
        ("bank.example)", "app.example"),
        ("a\nb", "app.example"),
        ("zero\u{200b}width", "app.example"),
        ("\u{3164}", "app.example"),
        ("tag\u{e0041}", "app.example"),
        ("<b>", "app.example"),
        (&"x".repeat(61), "app.example"),
    ] {
        assert_eq!(read(&with(json!({ "client_name": name }))).unwrap().name, shown, "{name:?}");
    }
}
