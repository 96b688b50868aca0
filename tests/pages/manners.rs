//! How every page behaves: header fields, languages, files, an operator's own folder.

use super::*;
use std::fs;

/// One of each page, by name.
fn every_page(site: &Site) -> Vec<(&'static str, Page)> {
    let mut browser = site.browser();
    let sign_in_page = browser.open(&request("web", ""));
    let wrong = browser.send(&sign_in_page.form("/sign-in"), &[("username", ALICE), ("password", "x")]);
    let consent = sign_in(&mut browser, &sign_in_page, ALICE);
    let onward = browser.send(&consent.form("/consent"), &[("decision", "allow")]);
    let form_post = browser.open(&request("web", "&response_mode=form_post"));
    let sessions = browser.open("/sessions");
    let error = browser.open("/oauth2/authorize");
    vec![
        ("sign-in", sign_in_page),
        ("wrong password", wrong),
        ("consent", consent),
        ("onward", onward),
        ("form_post", form_post),
        ("sessions", sessions),
        ("error", error),
    ]
}

#[test]
fn s_07_s_08_no_page_is_framed_kept_or_told_of() {
    let site = Site::open();
    for (name, page) in every_page(&site) {
        let header =
            |header: &str| page.answer.header(header).unwrap_or_else(|| panic!("{name}: no {header}"));
        assert_eq!(header("cache-control"), "no-store", "{name}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(header("x-frame-options"), "DENY", "{name}");
        assert_eq!(header("content-type"), "text/html; charset=utf-8", "{name}");
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'self'"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        assert_eq!(policy.contains("form-action 'self'"), name != "form_post", "{name}: {policy}");
        assert_eq!(policy.contains("script-src"), name == "form_post", "{name}: {policy}");
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
    }
}

#[test]
fn s_07_no_page_holds_a_script_or_style_within() {
    let site = Site::open();
    for (name, page) in every_page(&site) {
        let html = page.html().to_lowercase();
        for within in ["<style", " style=", " onclick", " onload", " onsubmit", "javascript:", "<script>"] {
            assert!(!html.contains(within), "{name}: {within}");
        }
        for outside in ["src=\"http", "href=\"http", "//cdn"] {
            assert!(name == "onward" || !html.contains(outside), "{name}: {outside}");
        }
    }
}

#[test]
fn every_page_has_what_a_screen_reader_needs() {
    let site = Site::open();
    for (name, page) in every_page(&site) {
        let html = page.html();
        assert!(html.contains("<html lang=\"en\" dir=\"ltr\">"), "{name}");
        for one in ["<title>", "<h1>", "<main ", "<header>", "<footer>"] {
            assert_eq!(html.matches(one).count(), 1, "{name}: {one}");
        }
        let ids = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: an id is there twice");
        for input in html.split("<input ").skip(1).filter(|input| !input.starts_with("type=\"hidden\"")) {
            let id = input.split_once("id=\"").unwrap().1.split('"').next().unwrap();
            assert!(html.contains(&format!("<label for=\"{id}\">")), "{name}: {id}");
        }
    }
}

#[test]
fn s_06_no_page_is_shared_with_other_origins() {
    let site = Site::open();
    let mut browser = site.browser().saying("origin", "https://app.example");
    for path in [&request("web", ""), "/sessions", "/oauth2/authorize", "/pages/0/style.css"] {
        let page = browser.open(path);
        let shared = page.answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(shared, None, "{path}");
    }
    let asked = site.server.http().request(http::Method::OPTIONS, "/oauth2/authorize").send();
    assert_eq!(asked.status, 405);
}

#[test]
fn s_84_over_tls_the_cookies_are_bound_to_the_host() {
    let site = Site::of(obol!().server().tls_self_signed());
    let mut browser = site.browser();
    let page = browser.open(&request("quiet", ""));
    let set = page.answer.header("set-cookie").unwrap().to_owned();
    assert!(
        set.starts_with("__Host-obol-browser=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{set}"
    );
    let right = [("username", ALICE), ("password", PASSWORD)];
    let answer = browser.post(&page.form("/sign-in"), &right, &[]).expect(303);
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-obol-session=obw_"), "{set}");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set}");
    let page = browser.open(answer.header("location").unwrap());
    assert!(page.left_with("code").is_some(), "{page:?}");
}

#[test]
fn a_page_speaks_the_language_of_the_request_then_of_the_browser() {
    let site = Site::open();
    let mut german = site.browser().saying("accept-language", "de-AT,de;q=0.9,en;q=0.5");
    let page = german.open(&request("web", ""));
    assert_eq!(page.heading(), "Anmelden");
    assert!(page.html().contains("<html lang=\"de\""));
    assert_eq!(page.answer.header("content-language").unwrap(), "de");
    let page = german.send(&page.form("/sign-in"), &[("username", ALICE), ("password", "x")]).expect(403);
    assert!(page.says("Benutzername oder Passwort stimmen nicht"), "{page:?}");
    assert_eq!(german.open("/oauth2/authorize").heading(), "Das hat nicht geklappt");

    let page = german.open(&request("web", "&ui_locales=fr%20en"));
    assert_eq!(page.heading(), "Sign in", "what the client asks for comes first");
    let page = sign_in(&mut german, &page, ALICE);
    assert_eq!(page.heading(), "Allow access?", "also on the pages that follow");
}

#[test]
fn files_are_kept_for_good_under_the_path_of_their_content() {
    let site = Site::open();
    let mut browser = site.browser();
    let page = browser.open("/sessions");
    let style = page.html().split_once("stylesheet\" href=\"").unwrap().1.split_once('"').unwrap().0;
    let style = browser.open(&style.replace("&#x2f;", "/")).expect(200);
    assert_eq!(style.answer.header("cache-control").unwrap(), "public, max-age=31536000, immutable");
    assert_eq!(style.answer.header("content-type").unwrap(), "text/css; charset=utf-8");
    assert_eq!(style.answer.header("set-cookie"), None);
    browser.open("/pages/0/nothing.css").expect(404);
}

#[test]
fn links_begin_with_the_path_of_the_issuer_and_lead_to_what_they_name() {
    let site = Site::of(obol!().server().option("--issuer", "http://localhost/tenant"));
    let mut browser = site.browser();
    let page = browser.open(&format!("/tenant{}", request("web", "")));
    let style = page.html().replace("&#x2f;", "/");
    let style = obol_testkit::between(&style, "href=\"/tenant/pages/", "\"").expect("a style").to_owned();
    browser.open(&format!("/tenant/pages/{style}")).expect(200);
    let form = page.form("/tenant/sign-in");
    let next = browser.send(&form, &[("username", "alice"), ("password", obol_testkit::PASSWORD)]);
    next.expect(200).form("/tenant/consent");
}

#[test]
fn an_operator_puts_own_pages_in_the_place_of_single_ones() {
    let installation = obol!().installation();
    let folder = installation.folder().join("pages");
    fs::create_dir_all(folder.join("messages")).unwrap();
    fs::write(folder.join("messages/fr.toml"), "[sign_in]\ntitle = 'Connexion'\n").unwrap();
    fs::write(folder.join("style.css"), "body { color: black }").unwrap();
    let folder = folder.display().to_string();
    let site = Site::of(
        installation.server().option("--templates", &folder).option("--display-name", "Example <Ltd>"),
    );
    let mut browser = site.browser().saying("accept-language", "fr");
    let page = browser.open("/sessions");
    assert_eq!(page.heading(), "Connexion");
    assert!(page.says("Example <Ltd>") && !page.html().contains("<Ltd>"), "{page:?}");
}

#[test]
fn a_broken_page_of_an_operator_stops_the_start_with_file_and_line() {
    let installation = obol!().installation();
    let folder = installation.folder().join("pages");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("consent.html"), "<h1>{{ t(\"consent.title\") }}</h1>\n{{ page.clint_name }}\n")
        .unwrap();
    let folder = folder.display().to_string();
    let refused = installation.run(&["serve", "--listen", "127.0.0.1:0", "--templates", &folder]).exits(1);
    assert!(refused.stderr.starts_with("error: "), "{refused:?}");
    assert!(refused.stderr.contains("consent.html line 2: "), "{refused:?}");
    let checked = installation.run(&["config", "check", "--templates", &folder]).exits(1);
    assert!(checked.stderr.contains("consent.html line 2: "), "{checked:?}");
}
