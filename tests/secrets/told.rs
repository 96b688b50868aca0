//! Logout tokens (OpenID Connect Back-Channel Logout), and the ID tokens that applications bring back.

use std::time::Duration;

use obol_testkit::{AuthorizationRequest, ClientSpec, Elsewhere, TOLD, Tokens, obol, wait_until};

use crate::watched::Watched;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn s_89_no_logout_token_and_no_id_token() {
    let elsewhere = Elsewhere::start();
    let mut watched = Watched::start(obol!().server().alice().may_ask(&elsewhere));
    let app = ClientSpec::application("app").option("--backchannel-logout-uri", &elsewhere.url(TOLD));
    let app = watched.add_client(&app);
    elsewhere.answers_when_told(500);
    let mut alice = watched.server.person();
    let code = alice.goes_through(&AuthorizationRequest::of(&app)).code().to_owned();
    let answer = watched.server.redeem(&app, &code);
    let id_token = answer.text("id_token");
    watched.keep(&id_token);
    watched.keep(&Tokens::of(answer).access);

    let page = alice.follows(&AuthorizationRequest::of(&app).with("id_token_hint", &format!("{id_token}x")));
    assert_eq!(page.returns().error(), "invalid_request");
    alice.browser().open(&format!("/oauth2/logout?id_token_hint={id_token}")).expect(200);
    let failed = |watched: &Watched| watched.server.run(&["doctor"]).stdout.contains("it answered 500");
    wait_until("the client has failed", PATIENCE, || failed(&watched).then_some(()));
    watched.shows(&app);
    elsewhere.answers_when_told(200);
    let asked = wait_until("the client is told", PATIENCE, || {
        let asked = elsewhere.asked();
        (asked.len() > 1).then_some(asked)
    });
    for asked in asked {
        watched.keep(&asked.logout_token());
    }
    watched.shows(&app);
    watched.ends("app");
}
