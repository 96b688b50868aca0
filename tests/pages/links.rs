//! What an application says of itself (RFC 7591 §2): links on the pages of signing in and of consent.

use serde_json::{Value, json};

use super::*;

const POLICY: &str = "https://shop.example/privacy?in=en&for='all'#top";
const TERMS: &str = "https://shop.example/terms";

fn site() -> Site {
    let site = Site::open();
    site.server.run(&["client", "set", "web", "--policy-uri", POLICY, "--tos-uri", TERMS]).exits(0);
    site
}

/// The links of a page that lead away from the server, as they stand there: address, and the rest of the tag.
fn links_away(page: &Page) -> Vec<(String, String)> {
    let tags = page.html().split("<a href=\"").skip(1);
    let tags = tags.filter_map(|tag| tag.split_once('>')?.0.split_once('"'));
    tags.filter(|(address, _)| address.starts_with("http"))
        .map(|(address, rest)| (address.to_owned(), rest.trim().to_owned()))
        .collect()
}

fn assert_linked(page: &Page) {
    let rest = r#"rel="noopener noreferrer""#.to_owned();
    let escaped = |uri: &str| uri.replace('&', "&amp;").replace('\'', "&#x27;").replace('/', "&#x2f;");
    assert_eq!(links_away(page), [(escaped(POLICY), rest.clone()), (escaped(TERMS), rest)], "{page:?}");
}

#[test]
fn rfc7591_2_policy_and_terms_are_linked_where_people_sign_in_and_are_asked() {
    let site = site();
    let mut browser = site.browser();
    let page = browser.open(&request("web", ""));
    assert_linked(&page);
    assert!(page.says("Privacy policy of Example Shop") && page.says("Terms of use of Example Shop"));
    let again = browser.send(&page.form("/sign-in"), &[("username", ALICE), ("password", "x")]).expect(403);
    assert_linked(&again);
    let consent = sign_in(&mut browser, &again, ALICE).expect(200);
    assert_linked(&consent);
    assert!(consent.says("Privacy policy of Example Shop"), "{consent:?}");
    let german = site.browser().saying("accept-language", "de").open(&request("web", ""));
    assert_linked(&german);
    assert!(german.says("Datenschutzerklärung von Example Shop"), "{german:?}");
    assert!(german.says("Nutzungsbedingungen von Example Shop"), "{german:?}");
}

#[test]
fn a_page_of_no_application_or_of_one_that_says_nothing_has_no_such_links() {
    let site = site();
    for path in [request("quiet", ""), "/sessions".to_owned()] {
        assert_eq!(links_away(&site.browser().open(&path).expect(200)), []);
    }
}

/// S-08: a link is followed by who wants to, and nothing is loaded from there. So there is no picture of the application.
#[test]
fn s_08_nothing_of_the_application_is_loaded_by_the_page() {
    let site = site();
    let page = site.browser().open(&request("web", ""));
    let policy = page.answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("shop.example"), "{policy}");
    for loading in ["src=\"http", "<iframe", "rel=\"prefetch", "rel=\"preload", "rel=\"preconnect", "ping="] {
        assert!(!page.html().contains(loading), "{loading}");
    }
}

#[test]
fn s_18_only_https_addresses_are_linked() {
    let site = Site::open();
    let long = format!("https://shop.example/{}", "x".repeat(500));
    for uri in ["javascript:alert(1)", "data:text/html,x", "http://shop.example/", "//shop.example/", &*long]
    {
        for option in ["--policy-uri", "--tos-uri"] {
            let refused = site.server.run(&["client", "set", "web", option, uri]).exits(1);
            assert!(refused.stderr.contains("https URL"), "{refused:?}");
        }
    }
}

#[test]
fn an_empty_address_takes_the_link_back() {
    let site = Site::open();
    for (uri, expected) in
        [("https://shop.example/policy", json!("https://shop.example/policy")), ("", Value::Null)]
    {
        let set = ["client", "set", "web", "--policy-uri", uri, "--json"];
        assert_eq!(site.server.run(&set).exits(0).json()["policy_uri"], expected);
    }
}
