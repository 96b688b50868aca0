//! Initial access tokens (RFC 7591) and registration access tokens (RFC 7592).

use http::Method;
use obol_testkit::{ClientSpec, REDIRECT_URI, REGISTER, RFC_TOKEN, Registered, Tokens, obol};
use serde_json::json;

use crate::watched::Watched;

#[test]
fn s_89_no_token_for_registering_clients_or_of_a_registered_one() {
    let mut watched = Watched::start(obol!().server().option("--registration", "token"));
    let spec = ClientSpec::confidential("registrar").option("--scope", "client_registration");
    let registrar = watched.add_client(&spec.option("--scope", "read"));
    let initial = |watched: &mut Watched, scope: &str| {
        let fields = [("grant_type", "client_credentials"), ("scope", scope)];
        let token = Tokens::of(watched.server.post_form(RFC_TOKEN, &registrar, &fields)).access;
        watched.keep(&token);
        token
    };
    let register = |watched: &Watched, token: &str, metadata: &str| {
        let request = watched.server.http().post(REGISTER).bearer(token);
        request.body("application/json", metadata.to_owned()).send()
    };
    let good = json!({ "redirect_uris": [REDIRECT_URI], "client_name": "The shop" });

    let token = initial(&mut watched, "client_registration");
    let clients =
        [(); 2].map(|()| Registered::of(&register(&watched, &token, &good.to_string()).expect(201)));
    let bad = register(&watched, &token, &format!("{{\"client_name\":\"{token}\"")).expect(400);
    watched.refused(bad);
    let other = initial(&mut watched, "read");
    let answer = register(&watched, &other, &good.to_string()).expect_error(403, "insufficient_scope");
    watched.refused(answer);
    watched.server.rfc_revoke(&registrar, &token).expect(200);
    let answer = register(&watched, &token, &good.to_string()).expect_error(401, "invalid_token");
    watched.refused(answer);

    let [shop, ended] = clients;
    for client in [&shop, &ended] {
        watched.keep(&client.token);
        watched.keep(client.client.own_secret());
    }
    shop.read(&watched.server).expect(200);
    let updated = shop.update(&watched.server, &good).expect(200);
    watched.keep(&Registered::of(&updated).token);
    let answer = shop.update(&watched.server, &json!({ "client_name": shop.token })).expect(400);
    watched.refused(answer);
    ended.delete(&watched.server).expect(204);
    let answer = ended.read(&watched.server).expect_error(401, "invalid_token");
    watched.refused(answer);
    misplaced(&mut watched, &shop, &ended);
    watched.shows(&shop.client);
    watched.ends(&shop.client.id);
}

/// Sent where they do not belong.
fn misplaced(watched: &mut Watched, shop: &Registered, ended: &Registered) {
    let http = watched.server.http().clone();
    let token = &shop.token;
    for answer in [
        http.get(&ended.path).bearer(token).send(),
        http.get(&format!("{}?access_token={token}", shop.path)).send(),
        http.get(&format!("{REGISTER}/{token}")).bearer(token).send(),
        http.request(Method::DELETE, REGISTER).bearer(token).send(),
        http.post(REGISTER).bearer(token).body("application/json", "{}").send(),
        http.post(RFC_TOKEN).basic(&shop.client.id, token).form(&[("grant_type", "x")]).send(),
    ] {
        watched.refused(answer);
    }
    watched.runs(&["token", "explain", token], 1);
    watched.runs(&["token", "revoke", token], 0);
}
