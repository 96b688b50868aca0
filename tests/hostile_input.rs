//! Hostile input at every endpoint: no panic, no 5xx, an answer within a second, and nothing is accepted.
//!
//! The corpus is in `tests/corpus/`, and the seeds of the fuzz targets are part of it. `OBOL_TEST_CASES` sets the number
//! of random requests.

#[path = "hostile_input/any_request.rs"]
mod any_request;
#[path = "hostile_input/corpus.rs"]
mod corpus;
#[path = "hostile_input/endpoints.rs"]
mod endpoints;
#[path = "hostile_input/giants.rs"]
mod giants;
#[path = "hostile_input/hunt.rs"]
mod hunt;
#[path = "hostile_input/splits.rs"]
mod splits;

use self::corpus::{Sample, samples};
use self::endpoints::ENDPOINTS;
use self::hunt::{Hunt, RequestBytes};

/// Every way to label a body: both that are read, others, and broken ones.
const CONTENT_TYPES: [&str; 10] = [
    "",
    "application/x-www-form-urlencoded",
    "application/json",
    "APPLICATION/JSON; charset=utf-8",
    "application/x-www-form-urlencoded; charset=\"",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/json, application/x-www-form-urlencoded",
    "application/",
    ";",
];

const METHODS: [&str; 11] =
    ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X"];

#[test]
fn every_body_of_the_corpus_at_every_endpoint_and_content_type() {
    let hunt = Hunt::start();
    let bodies = [samples("tests/corpus/bodies"), samples("fuzz/seeds/params")].concat();
    for endpoint in &ENDPOINTS {
        for (at, Sample { name, bytes }) in bodies.iter().enumerate() {
            for content_type in CONTENT_TYPES {
                // By turns with and without the final slash, with and without a client that is authenticated.
                let path = if at % 2 == 0 { endpoint.path.to_owned() } else { format!("{}/", endpoint.path) };
                let mut request = RequestBytes::new(endpoint.method, &path).content_type(content_type);
                if at % 3 == 0 {
                    request = request.authorization(&hunt.basic());
                }
                hunt.expect_civil(name, &request.body(bytes));
            }
        }
    }
    hunt.finish();
}

#[test]
fn every_method_at_every_endpoint_with_and_without_a_body() {
    let hunt = Hunt::start();
    for endpoint in &ENDPOINTS {
        for method in METHODS {
            for content_type in &CONTENT_TYPES[..4] {
                for body in [&b""[..], b"token=x&client_id=fcare", b"{\"token\":\"x\"}", b"\xff\0"] {
                    // Closed afterwards: the answer to a HEAD announces a body that does not come.
                    let request = RequestBytes::new(method, endpoint.path).header(b"connection", b"close");
                    hunt.expect_civil(method, &request.content_type(content_type).body(body));
                }
            }
        }
    }
    hunt.finish();
}

#[test]
fn every_authorization_of_the_corpus_at_every_endpoint() {
    let headers = [
        samples("tests/corpus/authorization"),
        samples("fuzz/seeds/authorization"),
        samples("fuzz/seeds/access_token").into_iter().map(Sample::into_bearer).collect(),
    ]
    .concat();
    for endpoint in &ENDPOINTS {
        // Wrong secrets are counted per source: a server of its own for each endpoint.
        let hunt = Hunt::start();
        for Sample { name, bytes } in &headers {
            let path = format!("{}?client_id=fcare", endpoint.path);
            let body = b"token=oba_AAAA&grant_type=client_credentials";
            let form = "application/x-www-form-urlencoded";
            let request = RequestBytes::new(endpoint.method, &path).content_type(form).authorization(bytes);
            hunt.expect_civil(name, &request.body(body));
        }
        hunt.finish();
    }
}

#[test]
fn every_target_of_the_corpus_below_every_endpoint() {
    let hunt = Hunt::start();
    for endpoint in &ENDPOINTS {
        for Sample { name, bytes } in samples("tests/corpus/targets") {
            let path = [endpoint.path.as_bytes(), &bytes].concat();
            hunt.expect_civil(&name, &RequestBytes::with_target(endpoint.method, &path).body(b""));
        }
    }
    hunt.finish();
}

#[test]
fn every_malformed_request_of_the_corpus_at_every_endpoint() {
    let hunt = Hunt::start();
    for endpoint in &ENDPOINTS {
        for Sample { name, bytes } in samples("tests/corpus/requests") {
            hunt.expect_civil_or_closed(&name, &hunt.filled_in(&bytes, endpoint));
        }
    }
    hunt.finish();
}

#[test]
fn giants_at_every_endpoint() {
    let hunt = Hunt::start();
    for endpoint in &ENDPOINTS {
        for (name, content_type, body) in giants::bodies() {
            let request = RequestBytes::new(endpoint.method, endpoint.path).content_type(content_type);
            hunt.expect_civil(name, &request.body(&body));
            let chunked = RequestBytes::new(endpoint.method, endpoint.path).content_type(content_type);
            hunt.expect_civil(name, &chunked.chunked(&body, 8_000));
        }
        for (name, head) in giants::heads() {
            hunt.expect_civil_or_closed(name, &hunt.filled_in(&head, endpoint));
        }
    }
    hunt.finish();
}
