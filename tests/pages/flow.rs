//! From the client to sign-in, to consent, and back.

use super::*;

#[test]
fn a_person_signs_in_allows_and_goes_back_with_a_code() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open(&request("web", "&scope=openid%20profile%20read")).expect(200);
    assert_eq!(page.heading(), "Sign in");
    assert!(page.says("Example Shop"));

    let page = sign_in(&mut browser, &page, ALICE).expect(200);
    assert_eq!(page.heading(), "Allow access?");
    for text in [
        "Example Shop",
        "signed in as alice",
        "read your profile",
        "read your data",
        "lasts 1 h",
        "taken to app.example",
        "without asking you, until you end it",
    ] {
        assert!(page.says(text), "{text}: {page:?}");
    }

    let page = browser.send(&page.form("/consent"), &[("decision", "allow")]).expect(200);
    assert!(page.leaves_to().unwrap().starts_with("https://app.example/cb?"), "{page:?}");
    assert_eq!(page.left_with("state").unwrap(), "xyz");
    assert_eq!(page.left_with("iss").unwrap(), site.server.url());
    site.exchange(&site.web, &page.left_with("code").unwrap()).expect(200);
}

#[test]
fn who_is_signed_in_and_has_allowed_as_much_goes_back_at_once() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("web", ""));
    browser.send(&page.form("/consent"), &[("decision", "allow")]).expect(200);
    let page = browser.open(&request("web", "")).expect(302);
    assert!(page.left_with("code").is_some(), "{page:?}");
    let page = browser.open(&request("web", "&scope=openid%20email")).expect(200);
    assert_eq!(page.heading(), "Allow access?", "more is asked for than was allowed");
}

#[test]
fn rfc6749_4_1_2_1_a_person_who_does_not_allow_goes_back_with_access_denied() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("web", ""));
    let page = browser.send(&page.form("/consent"), &[("decision", "deny")]).expect(200);
    assert_eq!(page.left_with("error").unwrap(), "access_denied");
    assert_eq!(page.left_with("code"), None);
    site.server.await_audit("the denial", |line| line.event() == "consent.denied");
}

#[test]
fn rfc6749_3_1_a_request_may_be_posted_without_the_cookies_of_this_site() {
    let site = Site::open();
    let mut signed_in = site.signed_in(ALICE);
    let query = request("web", "");
    let (path, query) = query.split_once('?').unwrap();
    let post = |site: &Site| {
        // What a browser sends for another site: no cookie, its origin.
        let request = site.server.http().post(path).header("origin", "https://app.example");
        request
            .header("sec-fetch-site", "cross-site")
            .body("application/x-www-form-urlencoded", query.to_owned())
    };
    let answer = post(&site).send().expect(303);
    assert_eq!(answer.header("set-cookie"), None, "the browser keeps the cookies that it did not show");
    let next = answer.header("location").unwrap();
    assert_eq!(signed_in.open(next).expect(200).heading(), "Allow access?");
    assert_eq!(site.browser().open(next).expect(200).heading(), "Sign in");
}

#[test]
fn form_post_brings_the_answer_in_a_form_that_a_script_of_ours_sends() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("quiet", "&response_mode=form_post")).expect(200);
    let form = page.form(REDIRECT_URI);
    let names: Vec<_> = form.hidden.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["code", "state", "iss"]);
    let policy = page.answer.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("form-action"), "{policy}");
    let script = page.html().split_once("<script src=\"").unwrap().1.split_once('"').unwrap().0;
    let script = browser.open(&script.replace("&#x2f;", "/")).expect(200);
    assert!(script.answer.header("content-type").unwrap().starts_with("text/javascript"));
    assert!(page.html().contains("<button"), "whoever has no scripts has a button");
}

#[test]
fn rfc8252_7_1_an_application_on_the_device_is_reached_by_its_scheme() {
    let builder = obol!().server().alice();
    let app = ClientSpec::new("app", "public").grants(&["authorization_code"]);
    let app = app.option("--application-type", "native").option("--redirect-uri", "com.example.app:/cb");
    builder.add_client(&app);
    let server = builder.start();
    let mut browser = Browser::new(server.http());
    let uri = request("app", "").replace("https%3A%2F%2Fapp.example%2Fcb", "com.example.app%3A%2Fcb");
    let page = browser.open(&uri);
    let allowed = "form-action 'self' com.example.app:";
    assert!(page.answer.header("content-security-policy").unwrap().ends_with(allowed), "{page:?}");
    let page = sign_in(&mut browser, &page, ALICE);
    assert!(page.answer.header("content-security-policy").unwrap().ends_with(allowed), "{page:?}");
    assert!(page.says("com.example.app"));
    let page = browser.send(&page.form("/consent"), &[("decision", "allow")]).expect(303);
    assert!(page.leaves_to().unwrap().starts_with("com.example.app:/cb?code="), "{page:?}");
}

#[test]
fn s_04_a_password_is_followed_by_303() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    let right = [("username", ALICE), ("password", PASSWORD)];
    let answer = browser.post(&page.form("/sign-in"), &right, &[]).expect(303);
    assert!(answer.header("location").unwrap().starts_with("/continue?ticket=obt_"), "{answer:?}");
}

#[test]
fn a_form_that_is_sent_twice_does_no_harm() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    let form = page.form("/sign-in");
    let right = [("username", ALICE), ("password", PASSWORD)];
    let first = browser.post(&form, &right, &[]).expect(303);
    let second = browser.send(&form, &right).expect(200);
    assert_eq!(second.heading(), "Allow access?");
    let first = browser.open(first.header("location").unwrap()).expect(200);
    assert_eq!(first.heading(), "Allow access?", "what the first one led to goes on as well");

    let form = second.form("/consent");
    let codes = [0, 1].map(|_| browser.send(&form, &[("decision", "allow")]).left_with("code").unwrap());
    assert_ne!(codes[0], codes[1]);
    site.exchange(&site.web, &codes[1]).expect(200);
}

#[test]
fn the_back_button_meets_no_dead_end() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    let consent = sign_in(&mut browser, &page, ALICE);
    browser.send(&consent.form("/consent"), &[("decision", "allow")]);
    // Back to the page of consent, and to the beginning: nothing is kept, so both are asked for again.
    let again = browser.open(&consent.at);
    assert!(again.left_with("code").is_some(), "{again:?}");
    assert!(browser.open(&request("web", "")).left_with("code").is_some());
    // Back to forms that are on the screen still.
    let signed_in = sign_in(&mut browser, &page, ALICE);
    assert!(signed_in.left_with("code").is_some(), "{signed_in:?}");
    // The addresses of forms, opened as they stand in the bar.
    for path in
        ["/sign-in", "/consent", "/sign-out", "/sessions/end", "/sessions/withdraw", "/sessions/end-all"]
    {
        assert_eq!(browser.open(path).expect(200).heading(), "My sessions", "{path}");
    }
}

#[test]
fn oidc_core_3_1_2_1_login_asks_for_the_password_again() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("quiet", "&prompt=login")).expect(200);
    assert_eq!(page.heading(), "Sign in");
    let page = sign_in(&mut browser, &page, ALICE);
    assert!(page.left_with("code").is_some(), "{page:?}");
}

#[test]
fn oidc_core_3_1_2_1_select_account_lets_the_person_go_on_or_be_another() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("quiet", "&prompt=select_account")).expect(200);
    assert!(page.says("Continue as alice"));
    let [go_on, other] = <[_; 2]>::try_from(page.forms()).unwrap();
    let gone_on = browser.clone().send(&go_on, &[("go_on", "yes")]);
    assert!(gone_on.left_with("code").is_some(), "{gone_on:?}");

    let as_bob = browser.send(&other, &[("username", BOB), ("password", PASSWORD)]);
    assert!(as_bob.left_with("code").is_some(), "{as_bob:?}");
    assert!(browser.open("/sessions").says("Signed in as bob"));
    let stale = browser.send(&go_on, &[("go_on", "yes")]);
    assert!(stale.says("Continue as bob") && stale.leaves_to().is_none(), "it is asked anew: {stale:?}");
}

#[test]
fn on_the_page_of_consent_a_person_may_be_somebody_else() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("web", ""));
    let page = browser.send(&page.form("/consent"), &[("decision", "other")]);
    assert_eq!(page.heading(), "Sign in");
    let page = sign_in(&mut browser, &page, BOB);
    assert!(page.says("signed in as bob"), "{page:?}");
}

#[test]
fn the_surface_of_fortiauthenticator_is_answered_by_the_same_pages() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    for path in ["/api/v1/oauth/authorize", "/api/v1/oauth/authorize/"] {
        let page =
            browser.open(&request("quiet", "&scope=read").replace("/oauth2/authorize", path)).expect(302);
        assert_eq!(page.left_with("scope").unwrap(), "read");
        assert!(page.left_with("iss").unwrap().ends_with("/api/v1/oauth"), "{page:?}");
    }
}

#[test]
fn s_35_what_the_page_of_consent_did_not_name_is_not_allowed_by_its_answer() {
    let site = Site::open();
    let mut browser = site.signed_in(ALICE);
    let page = browser.open(&request("web", "&scope=openid"));
    let set = ["client", "set", "web", "--scope", "openid", "--default-scope", "everything"];
    site.server.run(&set).exits(0);
    let again = browser.send(&page.form("/consent"), &[("decision", "allow")]).expect(200);
    assert!(again.leaves_to().is_none() && again.says("everything"), "{again:?}");
    let allowed = browser.send(&again.form("/consent"), &[("decision", "allow")]);
    assert!(allowed.left_with("code").is_some(), "{allowed:?}");
    let denied = browser.open(&request("web", "&scope=openid&prompt=consent"));
    site.server.run(&["client", "set", "web", "--default-scope", "more"]).exits(0);
    let denied = browser.send(&denied.form("/consent"), &[("decision", "deny")]);
    assert!(denied.left_with("error").is_some(), "no is no: {denied:?}");
}
