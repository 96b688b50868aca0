//! The URL that is a `client_id` (§3).

use fluent_uri::Uri;

use super::refused;
use crate::OAuthError;
use crate::features::authorization::is_dot_segment;

/// Checks the form of the URL, and that the operator lets clients of its host in; no hosts are any host.
///
/// # Errors
/// For a page.
pub(super) fn check_address(client_id: &str, hosts: &[String]) -> Result<(), OAuthError> {
    if !is_client_id_url(client_id) {
        let form = "its id is an https URL, which needs a path, and neither a user name, a fragment nor `.` or `..` in the path";
        return Err(refused(form.to_owned()));
    }
    match hosts.is_empty() || hosts.iter().any(|host| *host == host_of(client_id)) {
        true => Ok(()),
        false => Err(refused("applications of its host are not let in here".to_owned())),
    }
}

/// Host and port of the URL as it is written, in lower case: what people are told, for only who holds it is the client.
pub(crate) fn host_of(client_id: &str) -> String {
    let authority =
        Uri::parse(client_id).ok().and_then(|uri| uri.authority()).map(|authority| authority.as_str());
    authority.unwrap_or_default().to_ascii_lowercase()
}

fn is_client_id_url(text: &str) -> bool {
    let Ok(uri) = Uri::parse(text) else { return false };
    let Some(authority) = uri.authority() else { return false };
    text.starts_with("https://")
        && !authority.has_userinfo()
        && !authority.host().is_empty()
        && !uri.has_fragment()
        && !uri.path().is_empty()
        && !uri.path().as_str().split('/').any(is_dot_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cimd_3_a_client_id_url_has_a_path_and_nothing_hidden() {
        for good in [
            "https://app.example/client",
            "https://app.example/",
            "https://app.example:8443/a/b.json",
            "https://app.example/a?b=c",
            "https://app.example/a..b/...",
        ] {
            assert!(check_address(good, &[]).is_ok(), "{good}");
        }
        for wrong in [
            "https://",
            "https:///client",
            "https://app.example",
            "https://app.example?a=b",
            "https://app.example/client#",
            "https://app.example/client#a",
            "https://alice@app.example/client",
            "https://alice:b@app.example/client",
            "https://app.example/./client",
            "https://app.example/a/../client",
            "https://app.example/a/%2e%2E/client",
            "https://app.example/..",
            "https://app.example/a b",
            "https://app.example/<a>",
            "http://app.example/client",
        ] {
            assert!(check_address(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_are_compared_whole() {
        let hosts = ["app.example".to_owned(), "other.example:8443".to_owned()];
        for (url, admitted) in [
            ("https://app.example/c", true),
            ("https://APP.example/c", true),
            ("https://other.example:8443/c", true),
            ("https://app.example:8443/c", false),
            ("https://other.example/c", false),
            ("https://sub.app.example/c", false),
            ("https://app.example.evil.example/c", false),
            ("https://evil.example/app.example", false),
        ] {
            assert_eq!(check_address(url, &hosts).is_ok(), admitted, "{url}");
        }
    }
}
