//! A client as the command line shows one.

use obol_keys::PlainSecret;
use obol_store::{AccessTokenFormat, Client, ClientKind, ClientSettings};
use obol_token::Scopes;
use serde::Serialize;

use crate::instant::rfc3339;
use crate::output::{Answer, or_dash, sheet, table, yes_no};

/// All but the hashes of its secrets.
#[derive(Serialize)]
pub(super) struct ClientView {
    access_token_ttl: u32,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    created_at: String,
    default_scopes: Vec<String>,
    enabled: bool,
    grants: Vec<String>,
    introspection: bool,
    name: String,
    optional_scopes: Vec<String>,
    redirect_uris: Vec<String>,
    refresh_token_ttl: u32,
    registered: bool,
    registration_updates: Option<bool>,
    #[serde(flatten)]
    settings: ClientSettings,
    single_family: bool,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl ClientView {
    /// A client, with the secret that was just made for it.
    pub(super) fn new(client: &Client, secret: Option<&PlainSecret>) -> Self {
        Self {
            access_token_ttl: client.access_token_lifetime.as_setting_secs(),
            client_id: client.id.to_string(),
            client_secret: secret.map(|secret| secret.reveal().to_owned()),
            created_at: rfc3339(client.created_at),
            default_scopes: names(&client.default_scopes),
            enabled: client.enabled,
            grants: client.grants.iter().map(ToString::to_string).collect(),
            introspection: client.may_introspect,
            name: client.name.clone(),
            optional_scopes: names(&client.optional_scopes),
            redirect_uris: client.redirect_uris.clone(),
            refresh_token_ttl: client.refresh_token_lifetime.as_setting_secs(),
            registered: client.settings.registration.is_some(),
            registration_updates: client.settings.registration.as_ref().map(|own| own.may_update),
            // With the hash of a token.
            settings: ClientSettings { registration: None, ..client.settings.clone() },
            single_family: client.single_family,
            kind: match client.kind {
                ClientKind::Public => "public",
                ClientKind::Confidential(_) | ClientKind::Keyed => "confidential",
            },
        }
    }
}

fn names(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
}

impl ClientView {
    fn how_it_authenticates(&self) -> &'static str {
        match (self.settings.token_endpoint_auth_method, self.kind) {
            (Some(method), _) => method.name(),
            (None, "public") => "not at all",
            (None, _) => "with its secret",
        }
    }
}

impl Answer for ClientView {
    fn text(&self) -> String {
        let list = |names: &[String]| or_dash(Some(&names.join(" ")));
        let mut rows = vec![
            ("client_id", self.client_id.clone()),
            ("name", self.name.clone()),
            ("type", self.kind.to_owned()),
            ("enabled", yes_no(self.enabled)),
            ("authenticates", self.how_it_authenticates().to_owned()),
            ("grants", list(&self.grants)),
            ("default scopes", list(&self.default_scopes)),
            ("optional scopes", list(&self.optional_scopes)),
            ("redirect URIs", list(&self.redirect_uris)),
            ("access tokens are", format_name(self.settings.access_token_format).to_owned()),
            ("ID tokens signed", format!("with {}", self.settings.id_token_signed_response_alg.name())),
            ("access tokens live", lifetime(self.access_token_ttl)),
            ("refresh tokens live", lifetime(self.refresh_token_ttl)),
            ("may introspect", yes_no(self.introspection)),
            ("single family", yes_no(self.single_family)),
            (if self.registered { "registered itself at" } else { "created at" }, self.created_at.clone()),
        ];
        if let Some(may_update) = self.registration_updates {
            rows.push(("may change itself", yes_no(may_update)));
        }
        if let Some(secret) = &self.client_secret {
            rows.push(("client_secret", secret.clone()));
            rows.push(("", "Keep it now: it is not shown again.".to_owned()));
        }
        sheet(rows)
    }
}

const fn format_name(format: AccessTokenFormat) -> &'static str {
    match format {
        AccessTokenFormat::Opaque => "opaque",
        AccessTokenFormat::Jwt => "JWT",
    }
}

fn lifetime(secs: u32) -> String {
    match secs {
        0 => "for ever".to_owned(),
        secs => format!("{secs} s"),
    }
}

/// All clients.
#[derive(Serialize)]
pub(super) struct ClientList(pub(super) Vec<ClientView>);

impl Answer for ClientList {
    fn text(&self) -> String {
        let row = |client: &ClientView| {
            vec![
                client.client_id.clone(),
                client.kind.to_owned(),
                yes_no(client.enabled),
                yes_no(client.registered),
                client.grants.join(" "),
                client.name.clone(),
            ]
        };
        table(&["client_id", "type", "enabled", "registered", "grants", "name"], self.0.iter().map(row))
    }
}

/// A client that is gone.
#[derive(Serialize)]
pub(super) struct Deleted {
    /// Which.
    pub(super) client_id: String,
    /// Always true.
    pub(super) deleted: bool,
}

impl Answer for Deleted {
    fn text(&self) -> String {
        format!("{} is deleted, and its id is never given out again.", self.client_id)
    }
}

#[cfg(test)]
mod tests {
    use obol_store::{ClientSettings, GrantType};
    use obol_token::{ClientId, Lifetime, SecretHash, Timestamp};

    use super::*;

    fn client(kind: ClientKind) -> Client {
        Client {
            id: ClientId::new("fcare").unwrap(),
            name: "FortiCare".to_owned(),
            kind,
            enabled: true,
            grants: vec![GrantType::new("password"), GrantType::new("refresh_token")],
            default_scopes: "read write".parse().unwrap(),
            optional_scopes: Scopes::default(),
            redirect_uris: Vec::new(),
            access_token_lifetime: Lifetime::from_setting_secs(3_600),
            refresh_token_lifetime: Lifetime::from_setting_secs(86_400),
            may_introspect: false,
            single_family: false,
            settings: ClientSettings::default(),
            created_at: Timestamp::from_secs(1_795_255_200),
        }
    }

    #[test]
    fn a_client_has_the_agreed_keys_and_no_hash() {
        let json = serde_json::to_value(ClientView::new(&client(ClientKind::Public), None)).unwrap();
        let expected = r#"{"access_token_format":"opaque","access_token_ttl":3600,"application_type":"web","ask_consent":true,"assertion_audience":"issuer","backchannel_logout_session_required":false,"backchannel_logout_uri":null,"client_id":"fcare","created_at":"2026-11-21T10:00:00Z","default_max_age_secs":null,"default_scopes":["read","write"],"enabled":true,"family_lifetime_secs":null,"grants":["password","refresh_token"],"id_token_signed_response_alg":"ES256","introspection":false,"jwks":null,"jwks_uri":null,"name":"FortiCare","optional_scopes":[],"policy_uri":null,"post_logout_redirect_uris":[],"redirect_uris":[],"refresh_token_ttl":86400,"registered":false,"registration_updates":null,"request_object_signing_alg":null,"request_uris":[],"require_pkce":true,"require_pushed_authorization_requests":false,"require_signed_request_object":false,"resources":[],"sector_identifier":null,"single_family":false,"subject_type":"public","token_endpoint_auth_method":null,"tos_uri":null,"type":"public","userinfo_signed_response_alg":null}"#;
        assert_eq!(json.to_string(), expected);
    }

    #[test]
    fn a_secret_is_shown_only_when_it_was_just_made() {
        let secret = PlainSecret::generate();
        let client = client(ClientKind::Confidential(SecretHash::from_bytes([1; 32]).into()));
        let shown = ClientView::new(&client, Some(&secret));
        assert_eq!(serde_json::to_value(&shown).unwrap()["client_secret"], secret.reveal());
        assert!(shown.text().contains(secret.reveal()));
        let later = ClientView::new(&client, None);
        assert!(serde_json::to_value(&later).unwrap().get("client_secret").is_none());
        assert!(!later.text().contains("client_secret"));
    }

    #[test]
    fn people_read_one_line_a_client() {
        let text = ClientList(vec![ClientView::new(&client(ClientKind::Public), None)]).text();
        assert_eq!(
            text,
            "client_id  type    enabled  registered  grants                  name\n\
             fcare      public  yes      no          password refresh_token  FortiCare"
        );
    }
}
