use super::*;

#[test]
fn s_21_what_may_be_registered() {
    for uri in [
        "https://app.example.com/callback",
        "https://app.example.com",
        "https://app.example.com:8443/cb?tenant=1",
        "https://xn--bcher-kva.example/cb",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:8080/cb",
        "http://[::1]:8080/cb",
        "com.example.app:/oauth2redirect",
        "com.example.app://host/cb",
    ] {
        assert_eq!(check_redirect_uri(uri), Ok(()), "{uri}");
    }
}

#[test]
fn s_21_what_may_not() {
    use RedirectUriError as E;
    for (uri, expected) in [
        ("", E::Form),
        ("/cb", E::Form),
        ("app.example.com/cb", E::Form),
        ("https://a b/", E::Form),
        ("https://app.example.com/\u{e4}", E::Form),
        ("https://app.example.com/%zz", E::Form),
        ("https://app.example.com/a\\b", E::Form),
        ("https://app.example.com/cb#", E::Fragment),
        ("https://app.example.com/cb#x", E::Fragment),
        ("https://app.example.com@evil.example/cb", E::Userinfo),
        ("https://u:p@app.example.com/cb", E::Userinfo),
        ("https://*.example.com/cb", E::Wildcard),
        ("https://app.example.com/*", E::Wildcard),
        ("https://app.example.com/a/../cb", E::DotSegments),
        ("https://app.example.com/./cb", E::DotSegments),
        ("https://app.example.com/%2E%2e/cb", E::DotSegments),
        ("https:///cb", E::NoHost),
        ("https:cb", E::NoHost),
        ("http://app.example.com/cb", E::Clear),
        ("http://localhost/cb", E::Clear),
        ("http://127.0.0.1.evil.example/cb", E::Clear),
        ("http://127.1/cb", E::Clear),
        ("javascript:alert(1)", E::Scheme),
        ("data:text/html,x", E::Scheme),
        ("vbscript:x", E::Scheme),
        ("app:/cb", E::Scheme),
        ("HTTPS://app.example.com/cb", E::Scheme),
        ("urn:ietf:wg:oauth:2.0:oob", E::Scheme),
    ] {
        assert_eq!(check_redirect_uri(uri), Err(expected), "{uri}");
    }
    let long = format!("https://app.example.com/{}", "a".repeat(2_000));
    assert_eq!(check_redirect_uri(&long), Err(E::Form));
}

#[test]
fn people_are_told_the_host_or_the_scheme() {
    for (uri, expected) in [
        ("https://app.example.com/cb", "app.example.com"),
        ("https://app.example.com?x", "app.example.com"),
        ("http://[::1]:80/cb", "[::1]:80"),
        ("com.example.app:/cb", "com.example.app"),
        ("com.example.app://host/cb", "com.example.app"),
    ] {
        assert_eq!(destination_of(uri), expected);
    }
}

#[test]
fn oidc_core_8_1_a_sector_is_a_host() {
    for (uri, expected) in [
        ("https://app.example.com/cb", Some("app.example.com")),
        ("https://App.Example.com:8443?x", Some("app.example.com")),
        ("https://app.example.com@evil.example/cb", Some("evil.example")),
        ("http://[::1]:80/cb", Some("[::1]")),
        ("com.example.app://host/cb", Some("com.example.app")),
        ("https:///cb", None),
        ("https:cb", None),
        ("/cb", None),
    ] {
        assert_eq!(sector_of(uri).as_deref(), expected, "{uri}");
    }
}

const WEB: &str = "https://app.example.com/callback?tenant=1";
const LOOPBACK_4: &str = "http://127.0.0.1:4000/callback";
const LOOPBACK_6: &str = "http://[::1]/callback";
const PRIVATE: &str = "com.example.app:/callback";

fn fits(presented: &str) -> bool {
    let registered = [WEB, LOOPBACK_4, LOOPBACK_6, PRIVATE].map(str::to_owned);
    is_registered(&registered, ApplicationType::Native, presented)
}

/// Of a client that has registered all of the four above and runs on a person's device: the most that can ever fit.
const MUST_NOT_FIT: [&str; 90] = [
    "",
    " ",
    "https://app.example.com",
    "https://app.example.com/",
    "https://app.example.com/callback",
    "https://app.example.com/callback?",
    "https://app.example.com/callback?tenant=2",
    "https://app.example.com/callback?tenant=1&x=1",
    "https://app.example.com/callback?tenant=1&",
    "https://app.example.com/callback?tenant=1#",
    "https://app.example.com/callback?tenant=1#x",
    "https://app.example.com/callback?tenant=%31",
    "https://app.example.com/callback?Tenant=1",
    "https://app.example.com/callback?tenant=1 ",
    " https://app.example.com/callback?tenant=1",
    "https://app.example.com/callback?tenant=1\n",
    "https://app.example.com/callback?tenant=1\r\nx: y",
    "https://app.example.com/callback?tenant=1\0",
    "https://app.example.com/callback/?tenant=1",
    "https://app.example.com/callback/..?tenant=1",
    "https://app.example.com/callback/../callback?tenant=1",
    "https://app.example.com/./callback?tenant=1",
    "https://app.example.com//callback?tenant=1",
    "https://app.example.com/x/../callback?tenant=1",
    "https://app.example.com/Callback?tenant=1",
    "https://app.example.com/callbac%6b?tenant=1",
    "https://app.example.com/callback%2f?tenant=1",
    "https://app.example.com/callback%00?tenant=1",
    "https://app.example.com/callback;x?tenant=1",
    "https://app.example.com\\callback?tenant=1",
    "https:\\\\app.example.com/callback?tenant=1",
    "https:/app.example.com/callback?tenant=1",
    "https:app.example.com/callback?tenant=1",
    "//app.example.com/callback?tenant=1",
    "/callback?tenant=1",
    "http://app.example.com/callback?tenant=1",
    "HTTPS://app.example.com/callback?tenant=1",
    "https://APP.example.com/callback?tenant=1",
    "https://app.example.com./callback?tenant=1",
    "https://app.example.com:443/callback?tenant=1",
    "https://app.example.com:/callback?tenant=1",
    "https://app.example.com:8443/callback?tenant=1",
    "https://app.example.com:4000/callback?tenant=1",
    "https://www.app.example.com/callback?tenant=1",
    "https://example.com/callback?tenant=1",
    "https://app.example.com.evil.example/callback?tenant=1",
    "https://evil.example/callback?tenant=1",
    "https://evil.example/app.example.com/callback?tenant=1",
    "https://evil.example?https://app.example.com/callback?tenant=1",
    "https://evil.example#https://app.example.com/callback?tenant=1",
    "https://evil.example\\@app.example.com/callback?tenant=1",
    "https://app.example.com@evil.example/callback?tenant=1",
    "https://evil.example@app.example.com/callback?tenant=1",
    "https://user:password@app.example.com/callback?tenant=1",
    "https://app.example.com%2eevil.example/callback?tenant=1",
    "https://app\u{2e2e}example.com/callback?tenant=1",
    "https://app.example\u{3002}com/callback?tenant=1",
    "https://\u{430}pp.example.com/callback?tenant=1",
    "https://xn--pp-7ka.example.com/callback?tenant=1",
    "https://*/callback?tenant=1",
    "https://app.example.com/callback?tenant=1,https://evil.example",
    "https://app.example.com/callback?tenant=1 https://evil.example",
    "javascript:location='https://app.example.com/callback?tenant=1'",
    "data:text/html,https://app.example.com/callback?tenant=1",
    "http://127.0.0.1:4000",
    "http://127.0.0.1:4000/",
    "http://127.0.0.1:4000/callback/",
    "http://127.0.0.1:4000/callback?x",
    "http://127.0.0.1:4000/other",
    "http://127.0.0.1:/callback",
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:65536/callback",
    "http://127.0.0.1:-1/callback",
    "http://127.0.0.1:4000x/callback",
    "http://127.0.0.1:4000@evil.example/callback",
    "http://127.0.0.1:4000.evil.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://127.0.0.1@evil.example/callback",
    "http://127.0.0.2:4000/callback",
    "http://127.1:4000/callback",
    "http://2130706433:4000/callback",
    "http://0x7f000001:4000/callback",
    "http://localhost:4000/callback",
    "https://127.0.0.1:4000/callback",
    "http://[::1]:4000/callback/",
    "http://[0:0:0:0:0:0:0:1]/callback",
    "http://[::1%25lo]/callback",
    "com.example.app://callback",
    "com.example.app:/callback/",
    "com.example.App:/callback",
];

#[test]
fn s_19_what_differs_in_one_byte_does_not_fit() {
    for presented in MUST_NOT_FIT {
        assert!(!fits(presented), "{presented:?}");
    }
    for presented in [WEB, LOOPBACK_4, LOOPBACK_6, PRIVATE] {
        assert!(fits(presented), "{presented}");
    }
}

#[test]
fn s_19_no_prefix_and_no_other_byte_fits() {
    for cut in 0..WEB.len() {
        assert!(!fits(&WEB[..cut]), "{cut}");
        for other in 0..=0x7f_u8 {
            let mut changed = WEB.as_bytes().to_vec();
            changed[cut] = other;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(fits(&changed), changed == WEB, "{changed:?}");
        }
    }
}

#[test]
fn s_20_only_the_port_of_a_literal_loopback_address_is_free_and_only_for_native_clients() {
    for presented in [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/callback",
        "http://[::1]:49152/callback",
    ] {
        assert!(fits(presented), "{presented}");
        let registered = [LOOPBACK_4.to_owned(), LOOPBACK_6.to_owned()];
        assert!(!is_registered(&registered, ApplicationType::Web, presented), "{presented}");
    }
}

#[test]
fn nothing_fits_where_nothing_is_registered() {
    assert!(!is_registered(&[], ApplicationType::Native, ""));
}
