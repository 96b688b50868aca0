//! Random requests, shrunk to the smallest that fails.

use obol_testkit::{Then, run_size};
use proptest::prelude::*;
use proptest::string::string_regex;
use proptest::test_runner::{Config, TestRunner};

use crate::endpoints::ENDPOINTS;
use crate::hunt::{Hunt, RequestBytes};

#[test]
fn any_request_is_met_civilly() {
    let hunt = Hunt::start();
    let cases = u32::try_from(run_size("OBOL_TEST_CASES", 1_500)).expect("a number of cases");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let ran = TestRunner::new(config).run(&any_request(), |(request, cut_at)| {
        let (first, rest) = request.split_at(cut_at.index(request.len()));
        hunt.hear("a random request", &[first, rest], Then::Ends);
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("{failure}");
    }
    hunt.finish();
}

fn any_request() -> impl Strategy<Value = (Vec<u8>, prop::sample::Index)> {
    let method = prop_oneof![6 => Just(None), 1 => "[!-~]{1,10}".prop_map(Some)];
    let target_end = prop_oneof![
        8 => Just(Vec::new()),
        4 => "/?[?](&?(client_id|redirect_uri|scope|prompt|claims|ticket|token|x|%[0-9a-f]{2}|[!-~]{0,8})=?[!-~]{0,12}){0,6}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let headers = prop::collection::vec(any_header(), 0..4);
    let head = (0..ENDPOINTS.len(), method, target_end, headers);
    (head, any_body(), any::<bool>(), any::<prop::sample::Index>()).prop_map(
        |(head, body, chunked, cut_at)| {
            let (endpoint, method, target_end, headers) = head;
            let endpoint = &ENDPOINTS[endpoint];
            let target = [endpoint.path.as_bytes(), &target_end].concat();
            let method = method.unwrap_or_else(|| endpoint.method.to_owned());
            let request = headers.into_iter().fold(
                RequestBytes::with_target(&method, &target),
                |request, (name, value): (String, Vec<u8>)| request.header(name.as_bytes(), &value),
            );
            (if chunked { request.chunked(&body, 5) } else { request.body(&body) }, cut_at)
        },
    )
}

fn any_header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let known = |name: &'static str, values: &'static str| {
        (Just(name.to_owned()), values.prop_map(String::into_bytes))
    };
    prop_oneof![
        16 => known("content-type", "application/(json|x-www-form-urlencoded)(; ?[a-z]{1,8}=[!-~]{0,8})?"),
        8 => known("authorization", "(Basic|Bearer|basic|DPoP) [!-~]{0,60}"),
        3 => known("obol-min-position", "[0-9a-f-]{0,22}"),
        1 => known("transfer-encoding", "(chunked|gzip|identity|, ){1,3}"),
        1 => known("content-length", "[0-9+x-]{0,6}"),
        4 => ("[a-z-]{1,15}", "[ -~]{0,30}".prop_map(String::into_bytes)),
        1 => ("[!-~]{1,15}", prop::collection::vec(any::<u8>(), 0..30)),
    ]
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let names =
        "(grant_type|client_id|client_secret|token|refresh_token|username|password|scope|realm|[a-z]{0,3})";
    let values = "(password|refresh_token|client_credentials|fcare|gateway|oba_[A-Za-z0-9_-]{0,40}|%[0-9a-fx]{1,2}|.{0,10})";
    let pair = string_regex(&format!("{names}=?{values}")).expect("a pattern");
    let form = prop::collection::vec(pair, 0..7).prop_map(|pairs| pairs.join("&").into_bytes());
    let value = format!("(\"{values}\"|[0-9.eE+-]{{1,9}}|null|true|\\[{{0,4}}|\\{{\\}})");
    let member = string_regex(&format!("\"{names}\":{value}")).expect("a pattern");
    let json = prop::collection::vec(member, 0..6)
        .prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes());
    prop_oneof![3 => form, 3 => json, 2 => prop::collection::vec(any::<u8>(), 0..200)]
}
