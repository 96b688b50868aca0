//! A server with a client that authenticates with a key, and what that client says.

use std::sync::atomic::{AtomicU32, Ordering};

use obol_testkit::{Answer, Client, ClientKey, ClientSpec, RFC_TOKEN, Server, now_secs, obol};
use serde_json::{Value, json};

pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(crate) const CLIENT: &str = "service";
pub(crate) const ISSUER: &str = "https://id.example.test";

/// A running server, a confidential client with a key in place of a secret, and the key.
pub(crate) struct Asserting {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) key: ClientKey,
}

impl Asserting {
    pub(crate) fn new(algorithm: &'static str) -> Self {
        // Named, so that it is the same after a restart at another port.
        let server = obol!().server().alice().option("--issuer", ISSUER).start();
        let key = ClientKey::new(algorithm);
        let client = server.add_client(&keyed(&server, CLIENT, &key.jwks()).introspection());
        Self { server, client, key }
    }

    /// What a good assertion says.
    pub(crate) fn claims(&self) -> Value {
        claims(ISSUER, CLIENT)
    }

    /// A good assertion, not used before.
    pub(crate) fn assertion(&self) -> String {
        self.key.jwt(&self.claims())
    }

    /// Asks for a token of the client itself.
    pub(crate) fn ask(&self, assertion: &str) -> Answer {
        ask(&self.server, assertion)
    }

    /// The same with claims that differ from good ones by this.
    pub(crate) fn ask_with(&self, change: impl FnOnce(&mut Value)) -> Answer {
        let mut claims = self.claims();
        change(&mut claims);
        self.ask(&self.key.jwt(&claims))
    }
}

/// A client with these keys. Their file is beside the data folder.
pub(crate) fn keyed(server: &Server, id: &str, jwks: &Value) -> ClientSpec {
    let file = server.installation().write(&format!("{id}.json"), &jwks.to_string());
    ClientSpec::confidential(id).grants(&["client_credentials"]).keyed(&file)
}

pub(crate) fn claims(audience: &str, client_id: &str) -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let jti = format!("assertion {}", COUNT.fetch_add(1, Ordering::Relaxed));
    let now = now_secs();
    json!({ "iss": client_id, "sub": client_id, "aud": audience, "jti": jti, "iat": now, "exp": now + 60 })
}

/// The fields of a request that authenticates with this assertion, then `fields`.
pub(crate) fn fields<'a>(assertion: &'a str, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("client_assertion_type", TYPE), ("client_assertion", assertion)], fields].concat()
}

pub(crate) fn ask(server: &Server, assertion: &str) -> Answer {
    let fields = fields(assertion, &[("grant_type", "client_credentials")]);
    server.http().post(RFC_TOKEN).form(&fields).send()
}
