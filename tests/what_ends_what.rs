//! What dies at once with what, of a person who is signed in and has let two clients in: one with opaque access tokens, one
//! with JWTs. The rows are those of `docs/operations.md`, and a test compares the two.

use obol_testkit::{
    ALICE, Arrival, AuthorizationRequest, Client, ClientSpec, PASSWORD, Person, Server, Tokens, obol,
};

const OTHER_PASSWORD: &str = "another coin to be let across";
const CLIENTS: [&str; 2] = ["opaque", "jwt"];

/// What is left after an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    session: bool,
    other_session: bool,
    code: bool,
    refresh: bool,
    access: bool,
    consent: bool,
}

const ALL: Left =
    Left { session: true, other_session: true, code: true, refresh: true, access: true, consent: true };
/// What comes of the client is gone; the person is signed in as before.
const NO_TOKENS: Left = Left { code: false, refresh: false, access: false, ..ALL };
const NOBODY: Left = Left { session: false, other_session: false, ..NO_TOKENS };

/// Each act, its row in the documentation, and what it leaves.
const ROWS: [(Act, &str, Left); 13] = [
    (Act::SignOut, "signing out", Left { session: false, ..NO_TOKENS }),
    (Act::SignOutOnline, "of what holds `offline_access`", Left { session: false, code: false, ..ALL }),
    (Act::EndAll, "ending everything on \"my sessions\"", NOBODY),
    (Act::Withdraw, "withdrawing the consent", Left { consent: false, ..NO_TOKENS }),
    (Act::SetPassword, "`user set-password`", NOBODY),
    (Act::DisableUser, "`user disable`", NOBODY),
    (Act::Command(&["revoke", "--user", ALICE, "--yes"]), "`revoke --user`", NOBODY),
    (Act::DisableClients, "`client disable`", NO_TOKENS),
    (Act::RevokeClients, "`revoke --client`", NO_TOKENS),
    (Act::Command(&["revoke", "--all", "--yes"]), "`revoke --all`", Left { consent: false, ..NOBODY }),
    (Act::RevokeAccessTokens, "revoking the access token", Left { code: true, ..NO_TOKENS }),
    (Act::RevokeRefreshTokens, "the refresh token", Left { code: true, ..NO_TOKENS }),
    (Act::Nothing, "", ALL),
];

#[derive(Debug, Clone, Copy)]
enum Act {
    Nothing,
    SignOut,
    /// The same where the operator lets what holds `offline_access` go on, as these tokens do.
    SignOutOnline,
    EndAll,
    Withdraw,
    SetPassword,
    DisableUser,
    DisableClients,
    RevokeClients,
    RevokeAccessTokens,
    RevokeRefreshTokens,
    Command(&'static [&'static str]),
}

/// Alice at two browsers, and what she gave to two clients at the first.
struct Scene {
    server: Server,
    gateway: Client,
    clients: Vec<Client>,
    here: Person,
    elsewhere: Person,
    tokens: Vec<Tokens>,
    codes: Vec<String>,
}

impl Scene {
    fn set(act: Act) -> Self {
        let server = obol!().server().alice();
        let (server, scope) = match act {
            Act::SignOutOnline => (server.option("--session-end-revokes", "online"), "openid offline_access"),
            _ => (server, "openid"),
        };
        let gateway = server.add_client(&ClientSpec::confidential("gateway").introspection());
        let clients: Vec<_> = CLIENTS
            .iter()
            .map(|form| {
                server.add_client(&ClientSpec::application(form).option("--access-token-format", form))
            })
            .collect();
        let server = server.start();
        let (mut here, mut elsewhere) = (server.person(), server.person());
        let mut code = |client: &Client| {
            let request = AuthorizationRequest::of(client).with("scope", scope);
            here.goes_through(&request).code().to_owned()
        };
        let tokens = clients.iter().map(|client| server.tokens_for(client, &code(client))).collect();
        let codes = clients.iter().map(&mut code).collect();
        let page = elsewhere.opens("/sessions").sign_in();
        elsewhere.signs_in(&page);
        Self { server, gateway, clients, here, elsewhere, tokens, codes }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Nothing => {}
            Act::SignOut | Act::SignOutOnline => self.submit("/sign-out", &[]),
            Act::EndAll => self.submit("/sessions/end-all", &[]),
            Act::Withdraw => {
                CLIENTS.iter().for_each(|id| self.submit("/sessions/withdraw", &[("client_id", id)]))
            }
            Act::SetPassword => {
                let line = ["user", "set-password", ALICE, "--password-stdin"];
                self.server.installation().run_with_input(&line, OTHER_PASSWORD).exits(0);
            }
            Act::DisableUser => drop(self.server.run(&["user", "disable", ALICE]).exits(0)),
            Act::DisableClients => self.each_client(&["client", "disable"], &[]),
            Act::RevokeClients => self.each_client(&["revoke", "--client"], &["--yes"]),
            Act::RevokeAccessTokens => self.revoke(|tokens| &tokens.access),
            Act::RevokeRefreshTokens => self.revoke(Tokens::refresh),
            Act::Command(line) => drop(self.server.run(line).exits(0)),
        }
    }

    fn submit(&mut self, action: &str, fields: &[(&str, &str)]) {
        let browser = self.here.browser();
        let form = browser.open("/sessions").expect(200).form(action);
        // Of the forms that go there, this one names the client.
        let form = obol_testkit::Form { hidden: without(form.hidden, fields), ..form };
        browser.send(&form, fields).expect(200);
    }

    fn each_client(&self, before: &[&str], after: &[&str]) {
        for id in CLIENTS {
            self.server.run(&[before, &[id], after].concat()).exits(0);
        }
    }

    fn revoke(&self, token: impl for<'a> Fn(&'a Tokens) -> &'a str) {
        for (client, tokens) in self.clients.iter().zip(&self.tokens) {
            self.server.rfc_revoke(client, token(tokens)).expect(200);
        }
    }

    /// What is left, after all that was switched off is on again.
    fn left(&mut self, act: Act) -> Left {
        let session = self.here.is_signed_in();
        let other_session = self.elsewhere.is_signed_in();
        let [access, code, refresh] = self.each(act);
        self.server.run(&["user", "enable", ALICE]).exits(0);
        self.each_client(&["client", "enable"], &[]);
        let [still_access, still_code, still_refresh] = self.each(act);
        assert!(
            access >= still_access && code >= still_code && refresh >= still_refresh,
            "enabling brings nothing back"
        );
        Left { session, other_session, code, refresh, access, consent: self.remembers_consent(act) }
    }

    /// Access tokens, codes and refresh tokens of both clients, which do not differ.
    fn each(&self, act: Act) -> [bool; 3] {
        let pairs = || self.clients.iter().zip(&self.tokens);
        let access =
            same(pairs().map(|(client, tokens)| self.access_token_stands(client, &tokens.access)), act);
        let codes = self.clients.iter().zip(&self.codes);
        let code = same(codes.map(|(client, code)| good(self.server.redeem(client, code).status)), act);
        let refresh = same(pairs().map(|(client, tokens)| self.refresh_token_is_good(client, tokens)), act);
        [access, code, refresh]
    }

    /// Every endpoint that takes an access token says the same.
    fn access_token_stands(&self, client: &Client, token: &str) -> bool {
        let http = self.server.http();
        let forti = http.get("/api/v1/oauth/userinfo/").bearer(token).send();
        let posted = http.post("/oauth2/userinfo").form(&[("access_token", token)]).send();
        let says = [
            self.server.stands(client, token),
            self.server.is_active(&self.gateway, token),
            good(self.server.userinfo(token).status),
            good(forti.status),
            good(posted.status),
        ];
        assert!(says.iter().all(|one| *one == says[0]), "{} {says:?}", client.id);
        says[0]
    }

    fn refresh_token_is_good(&self, client: &Client, tokens: &Tokens) -> bool {
        let active = self.server.is_active(&self.gateway, tokens.refresh());
        let by_rfc = good(self.server.rfc_refresh(client, tokens.refresh()).status);
        let by_forti = good(self.server.refresh(client, tokens.refresh()).status);
        // The second is within the window in which the same answer comes again.
        assert!(by_rfc == by_forti && by_rfc >= active, "{} {active} {by_rfc} {by_forti}", client.id);
        by_rfc
    }

    /// Whether somebody who signs in anew is let into the clients without being asked.
    fn remembers_consent(&self, act: Act) -> bool {
        let password = if matches!(act, Act::SetPassword) { OTHER_PASSWORD } else { PASSWORD };
        let mut person = self.server.person_called(ALICE, password);
        let page = person.opens("/sessions").sign_in();
        person.signs_in(&page);
        let asked =
            self.clients.iter().map(|client| match person.follows(&AuthorizationRequest::of(client)) {
                Arrival::Return(_) => true,
                Arrival::Consent(_) => false,
                other => panic!("{act:?}: {other:?}"),
            });
        same(asked, act)
    }
}

#[test]
fn s_60_s_71_each_act_ends_what_it_should_and_nothing_else() {
    for (act, _, expected) in ROWS {
        let mut scene = Scene::set(act);
        scene.act(act);
        assert_eq!(scene.left(act), expected, "{act:?}");
    }
}

#[test]
fn s_60_what_is_deleted_takes_all_of_its_own_along() {
    let mut scene = Scene::set(Act::Nothing);
    scene.server.run(&["client", "delete", CLIENTS[0]]).exits(0);
    let [deleted, other] = [&scene.clients[0], &scene.clients[1]];
    assert!(!scene.access_token_stands(deleted, &scene.tokens[0].access));
    assert!(scene.access_token_stands(other, &scene.tokens[1].access));
    assert_eq!(scene.server.redeem(deleted, &scene.codes[0]).status, 401);
    assert_eq!(scene.server.rfc_refresh(deleted, scene.tokens[0].refresh()).status, 401);
    let page = scene.here.browser().open("/sessions").expect(200);
    assert!(!page.says("value=\"opaque\"") && page.says("value=\"jwt\""), "{}", page.html());

    scene.server.run(&["user", "delete", ALICE]).exits(0);
    assert!(!scene.here.is_signed_in() && !scene.elsewhere.is_signed_in());
    assert!(!scene.access_token_stands(&scene.clients[1], &scene.tokens[1].access));
    assert_eq!(scene.server.redeem(&scene.clients[1], &scene.codes[1]).status, 400);
    assert!(!scene.refresh_token_is_good(&scene.clients[1], &scene.tokens[1]));
}

#[test]
fn the_documentation_has_these_rows() {
    let page = include_str!("../docs/operations.md");
    for (_, name, left) in ROWS.iter().filter(|(_, name, _)| !name.is_empty()) {
        let row = page
            .lines()
            .find(|line| line.starts_with('|') && line.contains(name) && line.matches('|').count() == 8);
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let says: Vec<_> = row
            .split('|')
            .skip(2)
            .take(6)
            .map(|field| matches!(field.trim(), "lives" | "live" | "stays"))
            .collect();
        let Left { session, other_session, code, refresh, access, consent } = *left;
        assert_eq!(says, [session, other_session, code, refresh, access, consent], "{name}: {row}");
    }
}

fn good(status: u16) -> bool {
    match status {
        200 => true,
        400 | 401 => false,
        other => panic!("neither taken nor refused: {other}"),
    }
}

#[track_caller]
fn same(mut each: impl Iterator<Item = bool>, act: Act) -> bool {
    let first = each.next().expect("two clients");
    assert!(each.all(|other| other == first), "{act:?}: the clients differ");
    first
}

fn without(hidden: Vec<(String, String)>, fields: &[(&str, &str)]) -> Vec<(String, String)> {
    hidden.into_iter().filter(|(name, _)| fields.iter().all(|(given, _)| given != name)).collect()
}
