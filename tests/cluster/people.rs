//! People who sign in at several nodes: each request of a browser goes to another one, and what ends at one is refused by all.

use std::time::{Duration, Instant};

use obol_testkit::cluster::{Cluster, Node};
use obol_testkit::{
    ALICE, Answer, AuthorizationRequest, Browser, Client, Elsewhere, INTROSPECT, PASSWORD, Person,
    REDIRECT_URI, RFC_TOKEN, Tokens, USERINFO, VERIFIER, VERIFY, at_once, obol, wait_until,
};
use serde_json::{Value, json};

use crate::alone::Alone;

/// Three nodes under one name, a person, and a client for each form of access token.
fn house() -> (Cluster, [Client; 2]) {
    let cluster = obol!().cluster().option("--issuer", "https://id.example.test").start();
    cluster.command_with_input(&["user", "add", ALICE, "--password-stdin"], PASSWORD).exits(0);
    let clients = ["opaque", "jwt"].map(|form| {
        let line = ["client", "add", "--id", form, "--type", "confidential", "--access-token-format", form];
        let more = [
            "--grant",
            "authorization_code",
            "--grant",
            "refresh_token",
            "--redirect-uri",
            REDIRECT_URI,
            "--json",
        ];
        let added: Value = cluster.command(&[&line[..], &more].concat()).exits(0).json();
        Client::bare(form).with_secret(added["client_secret"].as_str().expect("a secret"))
    });
    (cluster, clients)
}

fn alice(cluster: &Cluster) -> Person {
    let nodes = cluster.nodes().iter().map(|node| node.http()).collect();
    Person::at(Browser::going_round(nodes), ALICE, PASSWORD)
}

fn redeem(node: &Node, client: &Client, code: &str) -> Answer {
    let grant = ("grant_type", "authorization_code");
    let fields = [grant, ("code", code), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
    node.http().post(RFC_TOKEN).form(&client.fields(&fields)).send()
}

fn refresh(node: &Node, client: &Client, refresh_token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    node.http().post(RFC_TOKEN).form(&client.fields(&fields)).send()
}

/// What the endpoints of a node say of an access token.
fn says(cluster: &Cluster, node: &Node, client: &Client, token: &str) -> [bool; 3] {
    let http = node.http();
    let verified = http.get(&format!("{VERIFY}?client_id={}", client.id)).bearer(token).send();
    let introspected = http.post(INTROSPECT).form(&cluster.services()[0].fields(&[("token", token)])).send();
    let told = http.get(USERINFO).bearer(token).send();
    [verified.status == 200, introspected.expect(200).json()["active"] == true, told.status == 200]
}

#[test]
fn what_ends_at_one_node_is_refused_by_every_node_at_once() {
    let _alone = Alone::on_this_machine();
    let (cluster, clients) = house();
    let nodes = cluster.nodes();
    for (turn, act) in
        ["/sign-out", "/sessions/withdraw", "/sessions/end-all", "disable"].into_iter().enumerate()
    {
        let mut alice = alice(&cluster);
        let mut code =
            |client: &Client| alice.goes_through(&AuthorizationRequest::of(client)).code().to_owned();
        let tokens =
            clients.clone().map(|client| Tokens::of(redeem(&nodes[turn % 3], &client, &code(&client))));
        let unused = clients.clone().map(|client| code(&client));
        for (client, tokens) in clients.iter().zip(&tokens) {
            for node in nodes {
                assert_eq!(says(&cluster, node, client, &tokens.access), [true; 3], "{act} {}", client.id);
            }
        }
        match act {
            "disable" => drop(cluster.command(&["user", "disable", ALICE]).exits(0)),
            "/sessions/withdraw" => clients.iter().for_each(|_| alice.ends(act)),
            _ => alice.ends(act),
        }
        for ((client, tokens), unused) in clients.iter().zip(&tokens).zip(&unused) {
            for node in nodes {
                assert_eq!(says(&cluster, node, client, &tokens.access), [false; 3], "{act} {}", client.id);
                assert_eq!(redeem(node, client, unused).status, 400, "{act} {}", client.id);
                assert_eq!(refresh(node, client, tokens.refresh()).status, 400, "{act} {}", client.id);
            }
        }
    }
}

/// draft-ietf-oauth-client-id-metadata-document-02: nobody has registered it, so it is made at one node while the browser goes
/// round, and has to be known at the others when the code comes to them.
#[test]
fn a_client_that_describes_itself_is_known_at_every_node() {
    let _alone = Alone::on_this_machine();
    let elsewhere = Elsewhere::start();
    let cluster = obol!().cluster().option("--issuer", "https://id.example.test");
    let cluster = cluster.option("--outgoing-allow", &elsewhere.host());
    let cluster = cluster.option("--outgoing-ca", elsewhere.authority_file().to_str().expect("a path"));
    let cluster = cluster.environment("OBOL_CLIENT_ID_METADATA_DOCUMENTS", "true").start();
    cluster.command_with_input(&["user", "add", ALICE, "--password-stdin"], PASSWORD).exits(0);
    let nodes = cluster.nodes();
    for number in 0..6 {
        let path = format!("/{number}.json");
        let client = Client::bare(&elsewhere.url(&path));
        let grants = ["authorization_code", "refresh_token"];
        let document =
            json!({ "client_id": client.id, "redirect_uris": [REDIRECT_URI], "grant_types": grants });
        elsewhere.publishes(&path, &document);
        let code = alice(&cluster).goes_through(&AuthorizationRequest::of(&client)).code().to_owned();
        let tokens = Tokens::of(redeem(&nodes[number % 3], &client, &code));
        for node in nodes {
            assert_eq!(says(&cluster, node, &client, &tokens.access), [true; 3]);
        }
        let refreshed = refresh(&nodes[(number + 1) % 3], &client, tokens.refresh()).expect(200);
        cluster.command(&["client", "disable", &client.id]).exits(0);
        for node in nodes {
            assert_eq!(says(&cluster, node, &client, &refreshed.text("access_token")), [false; 3]);
        }
    }
}

#[test]
fn s_24_of_fifty_uses_of_a_code_at_three_nodes_one_succeeds() {
    let _alone = Alone::on_this_machine();
    let (cluster, [client, _]) = house();
    let mut alice = alice(&cluster);
    let good = wait_until("fifty uses at once", Duration::from_secs(60), || {
        let code = alice.goes_through(&AuthorizationRequest::of(&client)).code().to_owned();
        let began = Instant::now();
        let answers = at_once(50, |number| redeem(&cluster.nodes()[number % 3], &client, &code));
        let took = began.elapsed();
        let (mut good, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(good.len(), 1, "{good:?}");
        for answer in refused {
            answer.expect_error(400, "invalid_grant");
        }
        // The last of a slow machine may come late enough to be a replay, which ends what the first was given.
        (took < Duration::from_secs(1)).then(|| good.remove(0))
    });
    let tokens = Tokens::of(good);
    for node in cluster.nodes() {
        assert_eq!(says(&cluster, node, &client, &tokens.access), [true; 3]);
    }
}
