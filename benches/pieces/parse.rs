//! Nanoseconds to parse what a request brings, up to the parameters and credentials that the engine is given.

use std::hint::black_box;

use criterion::Criterion;
use obol_oauth::{Authorization, Params};
use obol_token::Claims;

use crate::samples::{claims, id};

const FORM: &str = "client_id=fcare&client_secret=obs_9vS0KqGgqN0ZJx7Yb1T5mC3wRr8uLdEaXhPfWkQiMno\
    &grant_type=refresh_token&refresh_token=obr_3hV7nYpQeD5sKbX1tUzA8wLgRc0mJfZi2oEvTqHdNsM";
const JSON: &str = r#"{"client_id": "fcare", "client_secret": "obs_9vS0KqGgqN0ZJx7Yb1T5mC3wRr8uLdEaXhPfWkQiMno",
    "grant_type": "refresh_token", "refresh_token": "obr_3hV7nYpQeD5sKbX1tUzA8wLgRc0mJfZi2oEvTqHdNsM"}"#;
const BASIC: &str = "Basic ZmNhcmU6b2JzXzl2UzBLcUdncU4wWkp4N1liMVQ1bUMzd1JyOHVMZEVhWGhQZldrUWlNbm8=";
const BEARER: &str = "Bearer oba_AaGyw9TlATEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\
    NDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Ng";

/// - `parse/form`, `parse/json`: the body of a refresh, four parameters, wiped after use.
/// - `parse/basic`, `parse/bearer`: an `Authorization` header, in the way of all endpoints but the fast one of verify.
/// - `parse/claims`: what an opened seal says; a part of `token/verify`.
pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let is_refresh =
        |params: &Params| params.required("grant_type").is_ok_and(|grant_type| grant_type == "refresh_token");
    group.bench_function("form", |bencher| {
        bencher.iter(|| {
            assert!(Params::from_form(black_box(FORM.as_bytes())).is_ok_and(|form| is_refresh(&form)))
        });
    });
    group.bench_function("json", |bencher| {
        bencher.iter(|| {
            assert!(Params::from_json(black_box(JSON.as_bytes())).is_ok_and(|json| is_refresh(&json)))
        });
    });
    group.bench_function("basic", |bencher| {
        bencher.iter(|| assert!(matches!(Authorization::parse(black_box(BASIC)), Authorization::Basic(_))));
    });
    group.bench_function("bearer", |bencher| {
        bencher.iter(|| assert!(matches!(Authorization::parse(black_box(BEARER)), Authorization::Bearer(_))));
    });
    let mut encoded = Vec::new();
    claims(id(1), id(2)).encode(&mut encoded).expect("usual claims fit a token");
    group.bench_function("claims", |bencher| {
        bencher.iter(|| Claims::decode(black_box(&encoded)).expect("they read back"));
    });
    group.finish();
}
