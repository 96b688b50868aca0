//! The parser of the `Authorization` header.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use obol_oauth::Authorization;

fuzz_target!(|value: &str| {
    presented(value);
    credentials_read_back(value);
});

fn presented(value: &str) {
    let scheme = value.trim_start_matches(' ').split(' ').next().unwrap_or_default();
    match Authorization::parse(value) {
        Authorization::Basic(basic) => {
            assert!(scheme.eq_ignore_ascii_case("basic"), "{value:?}");
            expect_basic(basic.client_id(), basic.client_secret());
        }
        Authorization::MalformedBasic => assert!(scheme.eq_ignore_ascii_case("basic"), "{value:?}"),
        Authorization::Bearer(token) => {
            assert!(scheme.eq_ignore_ascii_case("bearer"), "{value:?}");
            assert!(!token.is_empty() && !token.contains(' ') && value.contains(token), "{value:?}");
        }
        Authorization::None => {}
    }
}

/// Any id and any secret come through, whatever is in them (RFC 6749 §2.3.1).
fn credentials_read_back(value: &str) {
    let (id, secret) = value.split_at(value.floor_char_boundary(value.len() / 2));
    expect_basic(id, secret);
}

fn expect_basic(id: &str, secret: &str) {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    match Authorization::parse(&format!("Basic {pair}")) {
        Authorization::Basic(read) => {
            assert_eq!((read.client_id(), read.client_secret()), (id, secret));
        }
        other => panic!("{other:?} for {id:?} and {secret:?}"),
    }
}
