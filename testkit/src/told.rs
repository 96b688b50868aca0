//! Applications that are told of logouts (OpenID Connect Back-Channel Logout).

use crate::{Asked, Elsewhere};

/// Where they are told.
pub const TOLD: &str = "/told";

impl Elsewhere {
    /// The application answers so to what it is told from now on.
    pub fn answers_when_told(&self, status: u16) {
        self.answers_with(TOLD, http::Response::builder().status(status));
    }
}

impl Asked {
    /// The logout token of a post that has nothing else.
    #[track_caller]
    pub fn logout_token(&self) -> String {
        let params: Vec<_> = form_urlencoded::parse(self.body.as_bytes()).into_owned().collect();
        let [(name, token)] = &params[..] else { panic!("{self:?}") };
        assert_eq!(name, "logout_token");
        token.clone()
    }
}
