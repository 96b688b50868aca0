//! What other sites can make a browser do here: nothing.

use serde_json::json;

use crate::story::tell;

#[test]
fn cookies_are_for_this_host_over_tls_and_out_of_reach_of_scripts() {
    tell(|story| {
        story.let_in(1);
        story.see_sessions();
        let cookies = story.browser.cookies();
        let mut names: Vec<_> = cookies.iter().map(|cookie| cookie["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["__Host-obol-browser", "__Host-obol-session"]);
        for cookie in &cookies {
            let flags = ["secure", "httpOnly", "sameSite", "path", "expiry"].map(|flag| cookie[flag].clone());
            assert_eq!(flags, [json!(true), json!(true), json!("Lax"), json!("/"), json!(null)], "{cookie}");
            assert_eq!(cookie["domain"], "127.0.0.1", "no leading dot: this host only");
        }
        assert_eq!(story.browser.run("return document.cookie"), "");
    });
}

#[test]
fn each_sign_in_gives_the_browser_another_secret() {
    tell(|story| {
        let secret = || {
            let cookies = story.browser.cookies();
            let session = cookies.iter().find(|cookie| cookie["name"] == "__Host-obol-session");
            session.map(|cookie| cookie["value"].clone())
        };
        story.see_sessions();
        assert_eq!(secret(), None);
        story.sign_in_as_alice();
        let first = secret();
        story.follow(&[("prompt", "login")]);
        story.sign_in_as_alice();
        let second = secret();
        assert!(first.is_some() && second.is_some() && first != second);
        story.see_sessions();
        assert_eq!(story.browser.count("#where ~ ul > li"), 1, "it is the same session");
    });
}

#[test]
fn forms_of_another_site_do_nothing() {
    tell(|story| {
        let tokens = story.let_in(1);
        let forms = [
            ("/sign-in", "username=bob&password=two+coins+under+the+tongue"),
            ("/sessions/end-all", ""),
            ("/sessions/withdraw", "client_id=shop"),
            ("/sign-out", ""),
        ];
        for (path, fields) in forms {
            let fields: String = form_urlencoded::parse(fields.as_bytes())
                .map(|(name, value)| format!("<input name='{name}' value='{value}'>"))
                .collect();
            let action = story.page(path);
            let hostile = format!(
                "<!doctype html><form method=post action='{action}'>{fields}<button>Win</button></form>"
            );
            story.browser.go(&story.application.show("/hostile", &hostile));
            story.browser.click("button");
            let seen = story.browser.text(".lead[role=alert]");
            assert!(seen.contains("another site"), "{path}: {seen}");
        }
        assert!(story.stands(&tokens.access));
        assert_eq!(story.who(), "Signed in as alice");
        assert_eq!(story.browser.count("#allowed ~ ul > li"), 1);
    });
}

#[test]
fn no_page_can_be_framed() {
    tell(|story| {
        let frame = format!("<!doctype html><iframe src='{}'></iframe>", story.page("/sessions"));
        story.browser.go(&story.application.show("/frame", &frame));
        let complaints = story.browser.complaints();
        assert!(
            complaints.iter().any(|complaint| complaint["message"].to_string().contains("frame-ancestors"))
        );
    });
}
