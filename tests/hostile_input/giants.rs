//! What is too large to be checked in.

/// Bodies with their content type.
pub(crate) fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let just_fits = 64 * 1024 - 100;
    let numbered = |count: usize, pattern: fn(usize) -> String, between: &str| {
        (0..count).map(pattern).collect::<Vec<_>>().join(between)
    };
    vec![
        ("a form of 10 MB", form, text("client_id=fcare&token=", "x", 10 << 20, "")),
        ("JSON of 10 MB", json, text("{\"client_id\":\"fcare\",\"token\":\"", "x", 10 << 20, "\"}")),
        ("10 MB of nothing", "", vec![0; 10 << 20]),
        ("JSON 30,000 deep", json, text("{\"a\":", "[", 30_000, &"]".repeat(30_000))),
        ("JSON that only opens", json, text("", "[", just_fits, "")),
        ("JSON objects 10,000 deep", json, text("", "{\"a\":", 10_000, "")),
        ("JSON 100,000 deep", json, text("", "[", 100_000, "")),
        ("one long JSON name", json, text("{\"", "n", just_fits, "\":1}")),
        ("a JSON text of escapes", json, text("{\"token\":\"", "\\u0061", 10_000, "\"}")),
        ("a JSON number of 60,000 digits", json, text("{\"token\":", "9", 60_000, "}")),
        (
            "5,000 JSON members",
            json,
            format!("{{{}}}", numbered(5_000, |n| format!("\"p{n}\":1"), ",")).into(),
        ),
        ("10,000 parameters", form, numbered(10_000, |n| n.to_string(), "&").into()),
        ("60,000 ampersands", form, text("", "&", 60_000, "")),
        ("60,000 percent signs", form, text("", "%", 60_000, "")),
        ("20,000 escapes", form, text("client_id=fcare&token=", "%41", 20_000, "")),
        ("one long name", form, text("", "n", just_fits, "=1")),
        (
            "a long user name",
            form,
            text("grant_type=password&client_id=fcare&password=x&username=", "u", 50_000, ""),
        ),
        (
            "a long password",
            form,
            text("grant_type=password&client_id=fcare&username=alice&password=", "p", 50_000, ""),
        ),
        (
            "5,000 scopes",
            form,
            text("grant_type=password&client_id=fcare&username=a&password=b&scope=", "s+", 5_000, ""),
        ),
    ]
}

/// Heads, with the places of the corpus in them.
pub(crate) fn heads() -> Vec<(&'static str, Vec<u8>)> {
    let line = "{method} {path} HTTP/1.1\r\nhost: {host}\r\n";
    let chunked = format!("{line}transfer-encoding: chunked\r\n\r\n");
    vec![
        ("a header of 17 KiB", text(&format!("{line}x-long: "), "y", 17 << 10, "\r\n\r\n")),
        ("a header of 1 MB", text(&format!("{line}x-long: "), "y", 1 << 20, "\r\n\r\n")),
        ("a header that does not end", text(&format!("{line}x-long: "), "y", 1 << 20, "")),
        ("a name of 20 KB", text(line, "x", 20_000, ": y\r\n\r\n")),
        (
            "an authorization of 20 KB",
            text(&format!("{line}authorization: Bearer "), "A", 20_000, "\r\n\r\n"),
        ),
        ("100,000 headers", text(line, "x: y\r\n", 100_000, "\r\n")),
        ("a target of 1 MB", text("{method} /", "a", 1 << 20, " HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("a chunk extension of 1 MB", text(&format!("{chunked}1;"), "x", 1 << 20, "\r\nx\r\n0\r\n\r\n")),
        ("100,000 trailers", text(&format!("{chunked}0\r\n"), "x: y\r\n", 100_000, "\r\n")),
        ("60,000 chunks of one byte", text(&chunked, "1\r\nx\r\n", 60_000, "0\r\n\r\n")),
        ("chunks without an end", text(&chunked, "1\r\nx\r\n", 200_000, "")),
        ("empty lines before a request", text("", "\r\n", 100_000, line)),
    ]
}

fn text(start: &str, repeated: &str, times: usize, end: &str) -> Vec<u8> {
    [start, &repeated.repeat(times), end].concat().into_bytes()
}
