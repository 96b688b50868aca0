//! Where the pages are.

use obol_oauth::Surface;

/// A page, or what belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The authorization endpoint of a surface (RFC 6749 §3.1).
    Authorize(Surface),
    /// The end session endpoint (OpenID Connect RP-Initiated Logout §2).
    LogOut,
    /// The form of sign-in goes here.
    SignIn,
    /// An authorization request goes on here.
    Continue,
    /// The form of consent goes here.
    Consent,
    /// What is signed in where, and what is allowed.
    Sessions,
    /// Ends one session.
    EndSession,
    /// Withdraws a consent.
    Withdraw,
    /// Ends everything.
    EndAll,
    /// Ends the session of this browser.
    SignOut,
    /// Style, script and picture.
    Asset,
}

impl Page {
    const AT: [(&'static str, Self); 8] = [
        ("/sign-in", Self::SignIn),
        ("/continue", Self::Continue),
        ("/consent", Self::Consent),
        ("/sessions", Self::Sessions),
        ("/sessions/end", Self::EndSession),
        ("/sessions/withdraw", Self::Withdraw),
        ("/sessions/end-all", Self::EndAll),
        ("/sign-out", Self::SignOut),
    ];

    /// What stands before the paths of style, script and picture.
    pub(super) const ASSETS: &'static str = "/pages/";

    /// The page at this path, if there is one beside the authorization endpoints.
    pub(crate) fn find(path: &str) -> Option<Self> {
        if path.starts_with(Self::ASSETS) {
            return Some(Self::Asset);
        }
        Self::AT.iter().find(|(at, _)| *at == path).map(|(_, page)| *page)
    }

    /// Whether it only shows something: others take POST as well, and lead somewhere where nothing is posted.
    pub(crate) const fn only_shows(self) -> bool {
        matches!(self, Self::Continue | Self::Sessions | Self::Asset)
    }

    /// For the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Authorize(Surface::Rfc) => "/oauth2/authorize",
            Self::Authorize(Surface::FortiAuthenticator) => "/api/v1/oauth/authorize",
            Self::LogOut => "/oauth2/logout",
            Self::Asset => Self::ASSETS,
            _ => Self::AT.iter().find(|(_, page)| *page == self).map_or("", |(at, _)| at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_by_its_own_path() {
        for (path, page) in Page::AT {
            assert_eq!((Page::find(path), page.name()), (Some(page), path));
        }
        assert_eq!(Page::find("/pages/0/style.css"), Some(Page::Asset));
        for path in ["", "/", "/sign-in/x", "/SIGN-IN", "/pages", "/sessions/"] {
            assert_eq!(Page::find(path), None, "{path}");
        }
    }
}
