//! Clients are told of logouts by whichever node is first: each of a session once, and also of what a node left that has died.

use std::collections::BTreeSet;
use std::time::Duration;

use obol_testkit::cluster::Cluster;
use obol_testkit::{
    ALICE, AuthorizationRequest, Browser, Client, Elsewhere, Jwt, PASSWORD, Person, REDIRECT_URI, RFC_TOKEN,
    TOLD, VERIFIER, obol, wait_until,
};
use serde_json::Value;

use crate::alone::Alone;

const PATIENCE: Duration = Duration::from_secs(60);

fn house(elsewhere: &Elsewhere) -> (Cluster, Client) {
    let authority = elsewhere.authority_file();
    let cluster = obol!()
        .cluster()
        .option("--issuer", "https://id.example.test")
        .option("--outgoing-allow", &elsewhere.host())
        .option("--outgoing-ca", authority.to_str().expect("a path in UTF-8"))
        .start();
    cluster.command_with_input(&["user", "add", ALICE, "--password-stdin"], PASSWORD).exits(0);
    let uri = elsewhere.url(TOLD);
    let line =
        ["client", "add", "--json", "--id", "app", "--type", "confidential", "--grant", "authorization_code"];
    let more = ["--redirect-uri", REDIRECT_URI, "--skip-consent", "--backchannel-logout-uri", &uri];
    let added: Value = cluster.command(&[&line[..], &more].concat()).exits(0).json();
    let app = Client::bare("app").with_secret(added["client_secret"].as_str().expect("a secret"));
    (cluster, app)
}

/// Alice at a browser of one node, signed in to the application; and the session, by the name that the application has for it.
fn sign_in(cluster: &Cluster, node: usize, app: &Client) -> (Person, String) {
    let node = &cluster.nodes()[node];
    let mut alice = Person::at(Browser::going_round(vec![node.http()]), ALICE, PASSWORD);
    let code = alice.goes_through(&AuthorizationRequest::of(app)).code().to_owned();
    let grant = ("grant_type", "authorization_code");
    let fields = [grant, ("code", &code), ("redirect_uri", REDIRECT_URI), ("code_verifier", VERIFIER)];
    let answer = node.http().post(RFC_TOKEN).form(&app.fields(&fields)).send().expect(200);
    let sid = Jwt::read(&answer.text("id_token")).claims["sid"].as_str().expect("a sid").to_owned();
    (alice, sid)
}

/// The sessions of which the application was told, each time.
fn told(elsewhere: &Elsewhere) -> Vec<String> {
    let sid = |token: &str| Jwt::read(token).claims["sid"].as_str().expect("a sid").to_owned();
    elsewhere.asked().iter().map(|post| sid(&post.logout_token())).collect()
}

fn until_all_is_told(cluster: &Cluster) {
    wait_until("all is told", PATIENCE, || {
        cluster.command(&["doctor"]).stdout.contains("no client has yet").then_some(())
    });
}

#[test]
fn of_three_nodes_one_tells_a_client_of_a_session() {
    let _alone = Alone::on_this_machine();
    let elsewhere = Elsewhere::start();
    elsewhere.answers_when_told(200);
    let (cluster, app) = house(&elsewhere);
    let mut ended = BTreeSet::new();
    for number in 0..12 {
        let (mut alice, sid) = sign_in(&cluster, number % 3, &app);
        ended.insert(sid);
        if number % 2 == 0 {
            alice.signs_out();
        }
    }
    // The rest at once, by a command: every node finds them by itself.
    cluster.command(&["user", "disable", ALICE]).exits(0);
    wait_until("each is told", PATIENCE, || (told(&elsewhere).len() >= ended.len()).then_some(()));
    until_all_is_told(&cluster);
    let told = told(&elsewhere);
    assert_eq!(told.len(), ended.len(), "each once");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), ended);
}

#[test]
fn what_a_node_that_has_died_left_is_told_by_another() {
    let _alone = Alone::on_this_machine();
    let elsewhere = Elsewhere::start();
    elsewhere.answers_when_told(503);
    let (cluster, app) = house(&elsewhere);
    let (mut alice, sid) = sign_in(&cluster, 0, &app);
    alice.signs_out();
    wait_until("it was tried", PATIENCE, || (!told(&elsewhere).is_empty()).then_some(()));
    cluster.nodes()[0].kill();
    elsewhere.answers_when_told(200);
    until_all_is_told(&cluster);
    assert!(told(&elsewhere).len() >= 2 && told(&elsewhere).iter().all(|told| *told == sid));
}
