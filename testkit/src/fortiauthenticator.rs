//! The calls of the FortiAuthenticator dialect, as its usual clients send them: JSON, with the final slash.

use crate::{Answer, Client, Server, Tokens};

/// The token endpoint.
pub const TOKEN: &str = "/api/v1/oauth/token/";
/// The verify endpoint.
pub const VERIFY: &str = "/api/v1/oauth/verify_token/";
/// The revocation endpoint.
pub const REVOKE: &str = "/api/v1/oauth/revoke_token/";

impl Server {
    /// Asks for tokens with a password.
    pub fn ask_by_password(&self, client: &Client, username: &str, password: &str) -> Answer {
        let fields = [("grant_type", "password"), ("username", username), ("password", password)];
        self.http().post(TOKEN).json(&client.fields(&fields)).send()
    }

    /// Tokens for a password that is right.
    #[track_caller]
    pub fn token_by_password(&self, client: &Client, username: &str, password: &str) -> Tokens {
        Tokens::of(self.ask_by_password(client, username, password))
    }

    /// Presents a refresh token.
    pub fn refresh(&self, client: &Client, refresh_token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.http().post(TOKEN).json(&client.fields(&fields)).send()
    }

    /// Asks whether a token is valid for a client.
    pub fn verify(&self, client: &Client, token: &str) -> Answer {
        self.http().get(&verify_path(&client.id)).bearer(token).send()
    }

    /// Whether verify says 200 (else it must say 401).
    #[track_caller]
    pub fn stands(&self, client: &Client, token: &str) -> bool {
        let answer = self.verify(client, token);
        match answer.status {
            200 => true,
            401 => false,
            _ => panic!("verify answers 200 or 401: {answer:?}"),
        }
    }

    /// Revokes a token.
    pub fn revoke(&self, client: &Client, token: &str) -> Answer {
        self.http().post(REVOKE).json(&client.fields(&[("token", token)])).send()
    }
}

fn verify_path(client_id: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("client_id", client_id).finish();
    format!("{VERIFY}?{query}")
}
