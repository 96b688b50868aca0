//! Clients as tests describe them, and as the command line made them.

use serde_json::Value;

/// A client to be added with `obol client add`.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    id: String,
    arguments: Vec<String>,
    secret: Option<String>,
    has_secret: bool,
}

impl ClientSpec {
    /// A client without a secret that may use the password grant and refresh.
    pub fn public(id: &str) -> Self {
        Self::new(id, "public").grants(&["password", "refresh_token"])
    }

    /// A client with a generated secret that may use the password grant, refresh, and act for itself.
    pub fn confidential(id: &str) -> Self {
        Self::new(id, "confidential").grants(&["password", "refresh_token", "client_credentials"])
    }

    /// A client of this type, without a grant named.
    pub fn new(id: &str, client_type: &str) -> Self {
        let arguments = ["client", "add", "--json", "--id", id, "--type", client_type];
        Self {
            id: id.to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            secret: None,
            has_secret: client_type == "confidential",
        }
    }

    /// The same, with a key in place of a secret: the file holds its public keys.
    pub fn keyed(mut self, jwks_file: &str) -> Self {
        self.has_secret = false;
        self.option("--auth-method", "private_key_jwt").option("--jwks", jwks_file)
    }

    /// The same, where it publishes its public keys.
    pub fn keyed_at(mut self, jwks_uri: &str) -> Self {
        self.has_secret = false;
        self.option("--auth-method", "private_key_jwt").option("--jwks-uri", jwks_uri)
    }

    /// Only these grants.
    pub fn grants(mut self, grants: &[&str]) -> Self {
        let mut rest = self.arguments.into_iter();
        self.arguments = Vec::new();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--grant" => drop(rest.next()),
                _ => self.arguments.push(argument),
            }
        }
        grants.iter().fold(self, |spec, grant| spec.option("--grant", grant))
    }

    /// Any further option with its value.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// A flag.
    pub fn flag(mut self, name: &str) -> Self {
        self.arguments.push(name.to_owned());
        self
    }

    /// How long its access tokens live, in seconds; 0 is for ever.
    pub fn access_ttl(self, secs: u32) -> Self {
        self.option("--access-token-ttl", &secs.to_string())
    }

    /// How long its refresh tokens live, in seconds.
    pub fn refresh_ttl(self, secs: u32) -> Self {
        self.option("--refresh-token-ttl", &secs.to_string())
    }

    /// It may introspect the tokens of others.
    pub fn introspection(self) -> Self {
        self.flag("--allow-introspection")
    }

    /// Its secret is this one instead of a generated one.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self.flag("--secret-stdin")
    }

    pub(crate) fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    pub(crate) fn input(&self) -> &str {
        self.secret.as_deref().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn added(&self, answer: &Value) -> Client {
        let generated = answer["client_secret"].as_str().map(str::to_owned);
        let secret = self.secret.clone().or(generated);
        assert_eq!(secret.is_some(), self.has_secret, "what has one, and nothing else: {answer}");
        Client { id: self.id.clone(), secret }
    }
}

/// A client that exists, as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// Its `client_secret`, if it is confidential.
    pub secret: Option<String>,
}

impl Client {
    /// A client that presents this id and no secret.
    pub fn bare(id: &str) -> Self {
        Self { id: id.to_owned(), secret: None }
    }

    /// The same client presenting another secret.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { id: self.id.clone(), secret: Some(secret.to_owned()) }
    }

    /// The same client presenting no secret.
    pub fn without_secret(&self) -> Self {
        Self::bare(&self.id)
    }

    /// Its secret, which it has.
    #[track_caller]
    pub fn own_secret(&self) -> &str {
        self.secret.as_deref().expect("this client is confidential")
    }

    /// Its credentials as fields of a body, followed by `fields`.
    pub fn fields<'a>(&'a self, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut all = vec![("client_id", self.id.as_str())];
        all.extend(self.secret.as_deref().map(|secret| ("client_secret", secret)));
        all.extend(fields);
        all
    }
}
