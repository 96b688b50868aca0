//! What is asked of a node, and what its answer says: done, refused, or not known.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use super::{Called, Caller, Person};
use crate::checker::Outcome;
use crate::{Client, INTROSPECT, RFC_REVOKE, RFC_TOKEN, VERIFY};

/// Asks nodes; `None` where nothing was sent.
#[derive(Default)]
pub struct Calls(Caller);

/// What a token endpoint gave, as text.
pub struct Given {
    /// The access token.
    pub access: String,
    /// The refresh token, if there is one.
    pub refresh: Option<String>,
}

impl Calls {
    /// Whether a token stands for its client.
    pub fn verify(&mut self, node: SocketAddr, client: &Client, token: &str) -> Option<Outcome> {
        let request = Request::get(format!("{VERIFY}?client_id={}", client.id))
            .header("authorization", format!("Bearer {token}"));
        match self.send(node, request, Bytes::new())? {
            Some((200, _)) => Some(Outcome::Done(())),
            Some((401, _)) => Some(Outcome::Refused),
            Some(_) | None => Some(Outcome::Unknown),
        }
    }

    /// The same by introspection.
    pub(super) fn introspect(&mut self, node: SocketAddr, by: &Client, token: &str) -> Option<Outcome> {
        let outcome = match self.post(node, INTROSPECT, by, &[("token", token)])? {
            Some((200, body)) => match json(&body)["active"].as_bool() {
                Some(true) => Outcome::Done(()),
                Some(false) => Outcome::Refused,
                None => Outcome::Unknown,
            },
            // 401: it is who asks that is refused.
            Some(_) | None => Outcome::Unknown,
        };
        Some(outcome)
    }

    /// A token for the client itself.
    pub(super) fn act_for_itself(&mut self, node: SocketAddr, client: &Client) -> Option<Outcome<Given>> {
        self.token(node, client, &[("grant_type", "client_credentials")])
    }

    /// The same, as text.
    pub fn issue(&mut self, node: SocketAddr, client: &Client) -> Option<Outcome<String>> {
        Some(match self.act_for_itself(node, client)? {
            Outcome::Done(given) => Outcome::Done(given.access),
            Outcome::Refused => Outcome::Refused,
            Outcome::Unknown => Outcome::Unknown,
        })
    }

    /// A sign-in.
    pub fn sign_in(&mut self, node: SocketAddr, app: &Client, person: &Person) -> Option<Outcome<Given>> {
        let (username, password) = (person.name.as_str(), person.password.as_str());
        let fields = [("grant_type", "password"), ("username", username), ("password", password)];
        self.token(node, app, &fields)
    }

    /// A refresh token is presented.
    pub fn refresh(&mut self, node: SocketAddr, app: &Client, presented: &str) -> Option<Outcome<Given>> {
        self.token(node, app, &[("grant_type", "refresh_token"), ("refresh_token", presented)])
    }

    /// A token is revoked.
    pub fn revoke(&mut self, node: SocketAddr, client: &Client, token: &str) -> Option<Outcome> {
        let outcome = match self.post(node, RFC_REVOKE, client, &[("token", token)])? {
            Some((200, _)) => Outcome::Done(()),
            Some((400 | 401, _)) => Outcome::Refused,
            Some(_) | None => Outcome::Unknown,
        };
        Some(outcome)
    }

    fn token(
        &mut self,
        node: SocketAddr,
        client: &Client,
        fields: &[(&str, &str)],
    ) -> Option<Outcome<Given>> {
        let outcome = match self.post(node, RFC_TOKEN, client, fields)? {
            Some((200, body)) => {
                let text = |key: &str| json(&body)[key].as_str().map(str::to_owned);
                let access = text("access_token").expect("a 200 carries an access token");
                Outcome::Done(Given { access, refresh: text("refresh_token") })
            }
            Some((400 | 401, _)) => Outcome::Refused,
            Some(_) | None => Outcome::Unknown,
        };
        Some(outcome)
    }

    fn post(
        &mut self,
        node: SocketAddr,
        path: &str,
        client: &Client,
        fields: &[(&str, &str)],
    ) -> Option<Option<(u16, Bytes)>> {
        let body =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(client.fields(fields)).finish();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(node, request, body.into())
    }

    /// `None` where nothing was sent; then `None` where the answer was lost.
    fn send(
        &mut self,
        node: SocketAddr,
        request: http::request::Builder,
        body: Bytes,
    ) -> Option<Option<(u16, Bytes)>> {
        let request = request.header("host", node.to_string()).body(Full::new(body));
        match self.0.call(node, request.expect("a well-formed request")) {
            Called::Answered(status, body) => Some(Some((status, body))),
            Called::Lost => Some(None),
            Called::NotSent => None,
        }
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
