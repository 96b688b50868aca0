//! Clients that register themselves (RFC 7591, RFC 7592).

use http::Method;
use serde_json::Value;

use crate::{Answer, Client, Http, Server};

/// The endpoint (RFC 7591 §3).
pub const REGISTER: &str = "/oauth2/register";

/// A client that has registered itself.
#[derive(Debug, Clone)]
pub struct Registered {
    /// As it presents itself.
    pub client: Client,
    /// Its registration access token.
    pub token: String,
    /// The path of its configuration endpoint (RFC 7592 §2).
    pub path: String,
    /// All that it was told.
    pub told: Value,
}

impl Http {
    /// Registers a client.
    pub fn register(&self, metadata: &Value) -> Answer {
        self.post(REGISTER).body("application/json", metadata.to_string()).send()
    }
}

impl Server {
    /// A client that was registered.
    #[track_caller]
    pub fn registered(&self, metadata: &Value) -> Registered {
        Registered::of(&self.http().register(metadata).expect(201))
    }
}

impl Registered {
    /// What an answer says.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        let told = answer.json();
        let secret = told["client_secret"].as_str().map(str::to_owned);
        let uri = answer.text("registration_client_uri");
        let path = uri.find(REGISTER).map(|at| uri[at..].to_owned()).expect("a path below the endpoint");
        let client = Client { id: answer.text("client_id"), secret };
        Self { client, token: answer.text("registration_access_token"), path, told }
    }

    /// Asks what is registered (RFC 7592 §2.1).
    pub fn read(&self, server: &Server) -> Answer {
        server.http().get(&self.path).bearer(&self.token).send()
    }

    /// Replaces it, with the client's id added (RFC 7592 §2.2).
    pub fn update(&self, server: &Server, metadata: &Value) -> Answer {
        let mut metadata = metadata.clone();
        metadata["client_id"] = self.client.id.as_str().into();
        self.put(server, &metadata)
    }

    /// The same, with nothing added.
    pub fn put(&self, server: &Server, body: &Value) -> Answer {
        let request = server.http().request(Method::PUT, &self.path).bearer(&self.token);
        request.body("application/json", body.to_string()).send()
    }

    /// Deletes it (RFC 7592 §2.3).
    pub fn delete(&self, server: &Server) -> Answer {
        server.http().request(Method::DELETE, &self.path).bearer(&self.token).send()
    }
}
