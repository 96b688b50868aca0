//! The calls of the RFC dialect: forms, credentials in the body unless a test sends Basic itself.

use crate::{Answer, Client, Server, Tokens};

/// The token endpoint (RFC 6749 §3.2).
pub const RFC_TOKEN: &str = "/oauth2/token";
/// The revocation endpoint (RFC 7009 §2).
pub const RFC_REVOKE: &str = "/oauth2/revoke";
/// The introspection endpoint (RFC 7662 §2).
pub const INTROSPECT: &str = "/oauth2/introspect";
/// The metadata document (RFC 8414 §3).
pub const METADATA: &str = "/.well-known/oauth-authorization-server";

impl Server {
    /// Posts a form with the client's credentials in it.
    pub fn post_form(&self, path: &str, client: &Client, fields: &[(&str, &str)]) -> Answer {
        self.http().post(path).form(&client.fields(fields)).send()
    }

    /// A token for the client itself.
    #[track_caller]
    pub fn token_by_client_credentials(&self, client: &Client) -> Tokens {
        Tokens::of(self.post_form(RFC_TOKEN, client, &[("grant_type", "client_credentials")]))
    }

    /// Tokens for a password, through the RFC dialect.
    #[track_caller]
    pub fn rfc_token_by_password(&self, client: &Client, username: &str, password: &str) -> Tokens {
        let fields = [("grant_type", "password"), ("username", username), ("password", password)];
        Tokens::of(self.post_form(RFC_TOKEN, client, &fields))
    }

    /// Presents a refresh token to the RFC dialect.
    pub fn rfc_refresh(&self, client: &Client, refresh_token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.post_form(RFC_TOKEN, client, &fields)
    }

    /// Revokes a token through the RFC dialect.
    pub fn rfc_revoke(&self, client: &Client, token: &str) -> Answer {
        self.post_form(RFC_REVOKE, client, &[("token", token)])
    }

    /// Introspects a token.
    pub fn introspect(&self, client: &Client, token: &str) -> Answer {
        self.post_form(INTROSPECT, client, &[("token", token)])
    }

    /// Whether introspection by this client says that the token is active.
    #[track_caller]
    pub fn is_active(&self, client: &Client, token: &str) -> bool {
        let answer = self.introspect(client, token).expect(200);
        answer.json()["active"].as_bool().unwrap_or_else(|| panic!("`active` is a boolean: {answer:?}"))
    }
}
