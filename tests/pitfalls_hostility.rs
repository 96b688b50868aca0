//! What went wrong in other servers (`pitfalls.md`), one test per item: 11, 12 and 19 to 22, on hostile traffic.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use obol_testkit::{
    ALICE, Client, House, METADATA, PASSWORD, REVOKE, RFC_TOKEN, Server, TOKEN, Tokens, VERIFY,
    assert_unsaid, median, obol,
};

#[test]
fn pitfall_11_checking_a_client_secret_is_fast() {
    let House { server, gateway, .. } = obol!().house();
    let access = server.token_by_client_credentials(&gateway).access;
    let without = median((0..51).map(|_| server.verify(&gateway, &access).expect(200).took).collect());
    let with = median((0..51).map(|_| server.introspect(&gateway, &access).expect(200).took).collect());
    // A password hash would add tens of milliseconds to every call.
    assert!(with < without + Duration::from_millis(10), "without a secret {without:?}, with one {with:?}");
}

#[test]
fn pitfall_11_guessing_a_client_secret_is_throttled_per_client_and_source() {
    let House { server, gateway, .. } = obol!().house();
    let wrong = gateway.with_secret("wrong");
    let token = [("token", "unknown")];
    for _ in 0..30 {
        server.http().post(REVOKE).json(&wrong.fields(&token)).send().expect(401);
    }
    let throttled = server.http().post(REVOKE).json(&wrong.fields(&token)).send().expect(429);
    assert!(throttled.header("retry-after").is_some_and(|secs| secs.parse::<u32>().is_ok()), "{throttled:?}");

    let elsewhere = server.http().from([127, 0, 0, 2]);
    elsewhere.post(REVOKE).json(&gateway.fields(&token)).send().expect(200);
}

#[test]
fn pitfall_11_guessing_secrets_of_many_clients_is_throttled_per_source() {
    let House { server, gateway, .. } = obol!().house();
    let guess = |n: usize| {
        let id = format!("client-{n}");
        let fields = [("client_id", id.as_str()), ("client_secret", "wrong"), ("token", "x")];
        server.http().post(REVOKE).json(&fields).send().status
    };
    assert!((0..200).all(|n| guess(n) == 401));
    assert_eq!(guess(200), 429);
    let elsewhere = server.http().from([127, 0, 0, 2]);
    elsewhere.post(REVOKE).json(&gateway.fields(&[("token", "x")])).send().expect(200);
}

#[test]
fn pitfall_12_nothing_whose_key_an_outsider_can_invent_grows_without_a_bound() {
    let House { server, fcare, .. } = obol!().house();
    let invent = |round: usize, count: usize| {
        for n in 0..count {
            let long = format!("{round}-{n}-{}", "x".repeat(12_000));
            let http = server.http();
            http.get(&format!("{VERIFY}?client_id={}", &long[..3_000]))
                .bearer(&long[..4_000])
                .send()
                .expect(401);
            let fields = [("client_id", long.as_str()), ("client_secret", "s"), ("token", long.as_str())];
            let http = http.from([127, 0, u8::try_from(n % 250).unwrap(), u8::try_from(round).unwrap() + 9]);
            let answer = http.post(REVOKE).header("x-request-id", &long[..2_000]).json(&fields).send();
            assert!([401, 429].contains(&answer.status), "{answer:?}");
            let refresh = [("grant_type", "refresh_token"), ("refresh_token", long.as_str())];
            http.post(TOKEN).json(&fcare.fields(&refresh)).send().expect(400);
        }
    };
    invent(1, 300);
    let before = resident_bytes(&server);
    invent(2, 1_500);
    let grown = resident_bytes(&server).saturating_sub(before);
    // Kept keys would be 1,500 times 30 KB and more.
    assert!(grown < 20 << 20, "grew by {grown} bytes");

    let mut names = HashSet::new();
    for n in 0..20 {
        let name = format!("nobody-{n}");
        server.ask_by_password(&fcare, &name, "wrong").expect(401);
        names.insert(name);
    }
    let users = server.run(&["user", "list", "--json"]).exits(0).json();
    assert_eq!(users.as_array().unwrap().len(), 1, "only alice is stored, none of {} names", names.len());
}

fn resident_bytes(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

#[test]
fn pitfall_19_forwarding_headers_are_ignored_unless_the_peer_is_a_configured_proxy() {
    for (proxy, expected) in
        [(None, "127.0.0.1"), (Some("10.0.0.0/8"), "127.0.0.1"), (Some("127.0.0.0/8"), "203.0.113.9")]
    {
        let House { server, fcare, .. } = obol!().house_with(|server| match proxy {
            Some(cidr) => server.option("--behind-proxy", cidr),
            None => server,
        });
        let request = server.http().post(REVOKE).json(&fcare.fields(&[("token", "x")]));
        let answer = request
            .header("x-forwarded-for", "198.51.100.7, 203.0.113.9")
            .header("forwarded", "for=192.0.2.1")
            .header("x-real-ip", "192.0.2.2")
            .send()
            .expect(200);
        let request_id = answer.header("x-request-id").unwrap().to_owned();
        let record = server.await_audit("the revocation", |record| record.text("request_id") == request_id);
        assert_eq!(record.text("source"), expected, "behind {proxy:?}");
    }
}

#[test]
fn pitfall_20_every_url_that_the_server_prints_comes_from_its_configured_issuer() {
    let House { server, .. } = obol!().house_with(|server| {
        server.option("--issuer", "https://id.example.test").option("--behind-proxy", "127.0.0.0/8")
    });
    let request = format!(
        "GET {METADATA} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\
         X-Forwarded-Proto: http\r\nForwarded: host=evil.example\r\nConnection: close\r\n\r\n"
    );
    let answer = String::from_utf8(server.http().raw(request.as_bytes())).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("evil"), "{answer}");
    let body = &answer[answer.find("\r\n\r\n").unwrap()..];
    for url in body.split('"').filter(|text| text.contains("://")) {
        assert!(url.starts_with("https://id.example.test"), "{url}");
    }
}

#[test]
fn pitfall_21_no_secret_token_or_password_in_any_line_at_any_level() {
    let House { mut server, fcare, gateway } =
        obol!().house_with(|server| server.option("--log-level", "trace"));
    let mut secrets = vec![gateway.own_secret().to_owned(), PASSWORD.to_owned()];
    let mut keep = |secret: &str| secrets.push(secret.to_owned());

    let first = server.token_by_password(&fcare, ALICE, PASSWORD);
    let second = Tokens::of(server.refresh(&fcare, first.refresh()));
    let alone = server.token_by_client_credentials(&gateway);
    [&first, &second].iter().for_each(|tokens| keep(tokens.refresh()));
    [&first, &second, &alone].iter().for_each(|tokens| keep(&tokens.access));
    server.refresh(&fcare, first.refresh());
    server.introspect(&gateway, &alone.access);
    server.revoke(&fcare, &second.access);
    server.revoke(&fcare, &second.access);
    server.verify(&fcare, &second.access);
    server.revoke(&gateway, second.refresh());

    let misplaced = "misplaced-secret-4711";
    keep(misplaced);
    send_secrets_where_they_do_not_belong(&server, &gateway, misplaced);
    let password = "another-password-4712";
    keep(password);
    server
        .installation()
        .run_with_input(&["user", "set-password", ALICE, "--password-stdin"], &format!("{password}\n"));
    server.ask_by_password(&fcare, ALICE, password).expect(200);
    let rotated = server.run(&["client", "rotate-secret", "gateway", "--json"]).exits(0).json();
    keep(rotated["client_secret"].as_str().unwrap());

    let written = server.written_to_the_end();
    assert!(written.len() > 8, "the most verbose level says something: {written:#?}");
    assert_unsaid(&written, &secrets);
}

fn send_secrets_where_they_do_not_belong(server: &Server, gateway: &Client, secret: &str) {
    let http = server.http();
    server.ask_by_password(gateway, ALICE, secret);
    server.ask_by_password(&gateway.with_secret(secret), ALICE, PASSWORD);
    server.verify(gateway, secret);
    server.refresh(gateway, secret);
    http.post(RFC_TOKEN).form(&[("grant_type", "client_credentials")]).basic("gateway", secret).send();
    http.get(&format!("{VERIFY}?client_id=gateway&access_token={secret}")).send();
    http.post(&format!("{TOKEN}?client_secret={secret}&password={secret}")).json(&[]).send();
    http.get(&format!("/nowhere/{secret}?token={secret}")).send();
    http.post(TOKEN).body("application/json", format!("{{\"password\":\"{secret}\"")).send();
    http.post(TOKEN).form(&[("password", secret), ("password", secret)]).send();
    http.post(TOKEN).body("text/plain", secret.to_owned()).send();
    http.get(VERIFY).header("authorization", secret).send();
    http.get(VERIFY).header("cookie", secret).header("x-api-key", secret).send();
    http.raw(format!("{secret} / HTTP/1.1\r\nHost: {secret}\r\n\r\n").as_bytes());
    http.raw(format!("GET /{secret} HTTP/9.9\r\n\r\n").as_bytes());
    server.run(&["token", "verify", secret, "--client", "gateway"]);
    server.run(&["token", "explain", secret]);
    server.run(&["token", "revoke", secret]);
}

#[test]
fn pitfall_22_slow_headers_slow_bodies_and_slow_handshakes_are_closed() {
    let plain = obol!().server().start();
    let tls = obol!().server().tls_self_signed().start();
    let closed_after = |server: &Server, sent: &'static [u8]| {
        let address = server.http().address();
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let began = Instant::now();
            stream.write_all(sent).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            // Ends when the server closes, with an answer or without.
            let ended = stream.read_to_end(&mut Vec::new());
            assert!(ended.is_ok() || began.elapsed() < Duration::from_secs(55), "never closed");
            began.elapsed()
        })
    };
    let body = b"POST /api/v1/oauth/token/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    let cases = [
        ("nothing sent", 10, closed_after(&plain, b"")),
        ("half a header block", 10, closed_after(&plain, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow")),
        ("half a body", 30, closed_after(&plain, body)),
        ("no handshake", 5, closed_after(&tls, b"")),
        ("half a handshake", 5, closed_after(&tls, b"\x16\x03\x01\x02\x00\x01")),
    ];
    for (case, deadline_secs, closed) in cases {
        let took = closed.join().unwrap();
        let deadline = Duration::from_secs(deadline_secs);
        let grace = Duration::from_secs(6);
        assert!((deadline - Duration::from_secs(1)..deadline + grace).contains(&took), "{case}: {took:?}");
    }
    plain.http().get("/healthz").send().expect(200);
}
