//! Pages as answers: their header fields, one policy for each kind.

use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::server::{Answer, UsualFields};

static OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What of the policy differs between pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms<'a> {
    /// Forms go to this site. What they lead to beyond is in `scheme`: a browser holds the redirects after a form against
    /// the policy as well, and an application on the device is reached by no other way.
    Here {
        /// The private scheme of an application on the device, if the answer goes there.
        scheme: Option<&'a str>,
    },
    /// Forms go to this site, and nothing leads elsewhere: a window that another site has opened is cut off from it. On the way
    /// to a client it stays, for applications that sign in in a window of their own wait for it there.
    Alone,
    /// One form goes to the application, which may send the browser on to wherever it wants; our script sends it.
    Away,
}

/// An HTML page that nobody keeps, frames or learns of.
pub(super) fn page(status: StatusCode, language: &str, forms: Forms<'_>, html: String) -> Answer {
    let answer = Answer::new(status, HTML, html);
    let policy =
        HeaderValue::try_from(policy(forms)).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let answer = answer.with(CONTENT_SECURITY_POLICY, policy);
    let answer = match forms {
        Forms::Alone => answer.with(OPENER.clone(), HeaderValue::from_static("same-origin")),
        Forms::Here { .. } | Forms::Away => answer,
    };
    match HeaderValue::try_from(language) {
        Ok(language) => answer.with(CONTENT_LANGUAGE, language),
        Err(_) => answer,
    }
}

/// A redirect. 303 after a form, so that nobody posts a password again elsewhere (RFC 9700 §4.12).
pub(super) fn redirect(status: StatusCode, location: &str) -> Option<Answer> {
    let location = HeaderValue::try_from(location).ok()?;
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    Some(
        Answer::new(status, NOT_KEPT, Vec::new())
            .with(LOCATION, location)
            .with(CONTENT_SECURITY_POLICY, policy),
    )
}

fn policy(forms: Forms<'_>) -> String {
    const ALWAYS: &str =
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    match forms {
        Forms::Here { scheme: None } | Forms::Alone => format!("{ALWAYS}; form-action 'self'"),
        Forms::Here { scheme: Some(scheme) } => format!("{ALWAYS}; form-action 'self' {scheme}:"),
        Forms::Away => format!("{ALWAYS}; script-src 'self'"),
    }
}

macro_rules! not_kept {
    () => {
        "\r\ncache-control: no-store\r\npragma: no-cache\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\
         \r\nx-frame-options: DENY\
         \r\ncross-origin-resource-policy: same-origin\
         \r\npermissions-policy: camera=(), geolocation=(), microphone=()"
    };
}

const NOT_KEPT: UsualFields = UsualFields::written(not_kept!());
const HTML: UsualFields =
    UsualFields::written(concat!(not_kept!(), "\r\ncontent-type: text/html; charset=utf-8"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_07_no_page_can_be_framed_or_runs_what_is_not_ours() {
        for forms in
            [Forms::Here { scheme: None }, Forms::Here { scheme: Some("com.example.app") }, Forms::Away]
        {
            let response = http::Response::from(page(StatusCode::OK, "en", forms, String::new()));
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            assert_eq!(response.headers()["x-frame-options"], "DENY");
            assert_eq!(response.headers()["referrer-policy"], "no-referrer");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn only_the_page_that_leads_away_has_a_script() {
        assert!(policy(Forms::Away).contains("script-src 'self'"));
        let here = policy(Forms::Here { scheme: Some("com.example.app") });
        assert!(
            here.ends_with("form-action 'self' com.example.app:") && !here.contains("script-src"),
            "{here}"
        );
    }
}
