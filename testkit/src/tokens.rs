//! A pair of tokens as the server gave it.

use crate::Answer;

/// What a token endpoint gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token, if there was one.
    pub refresh: Option<String>,
}

impl Tokens {
    /// Reads a 200 of a token endpoint; fails the test on anything else.
    #[track_caller]
    pub fn of(answer: Answer) -> Self {
        let answer = answer.expect(200);
        let refresh = answer.json()["refresh_token"].as_str().map(str::to_owned);
        Self { access: answer.text("access_token"), refresh }
    }

    /// The refresh token, which there must be.
    #[track_caller]
    pub fn refresh(&self) -> &str {
        self.refresh.as_deref().expect("a refresh token was given")
    }
}
