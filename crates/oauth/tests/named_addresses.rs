//! Whose addresses are asked: the way out is told who has named each, and what it has no room for is not held against them.

mod rooms;

use std::sync::Arc;

use obol_oauth::{
    Authorized, DescribedClients, ErrorCode, NamedBy, OAuthError, OutgoingError, RegistrationAsked,
    RegistrationRequest, RequestId, Surface,
};
use obol_replica::Clock;
use obol_store::{LogoutNotice, Registration};
use obol_token::{SecretHash, SessionId};
use rooms::browser::{Browser, CALLBACK, CHALLENGE};
use rooms::others::Others;
use rooms::{ALICE, LOOPBACK, Rooms, long_lease};
use serde_json::json;

const DOCUMENT: &str = "https://app.example/client.json";
const REQUEST: &str = "https://app.example/request.jwt";
const SECTOR: &str = "https://app.example/sector.json";
const TOLD: &str = "https://app.example/told";
/// A request object whose signature has to be looked at: `{"alg":"ES256","kid":"a"}`, `{}`.
const NOT_SIGNED_YET: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA";

struct Scene {
    rooms: Rooms,
    others: Arc<Others>,
}

impl Scene {
    /// With a client of the operator's, one that has registered itself, and one that brings a document, each of which names
    /// addresses.
    async fn open() -> Self {
        let others = Arc::new(Others::default());
        let described = DescribedClients { hosts: Vec::new(), scopes: "openid".parse().unwrap(), most: 10 };
        let rooms = Rooms::open_among(long_lease(), others.clone(), Some(described)).await;
        let registration = Registration {
            access_token: SecretHash::from_bytes([1; 32]),
            sector_identifier_uri: None,
            may_update: true,
        };
        for (id, registration) in [("operators", None), ("registered", Some(registration))] {
            let mut spec = rooms.spec(id, &["authorization_code"], None);
            spec.redirect_uris = vec![CALLBACK.to_owned()];
            spec.settings.registration = registration;
            spec.settings.request_uris = vec![REQUEST.to_owned()];
            spec.settings.jwks_uri = Some(Others::KEYS.to_owned());
            spec.settings.backchannel_logout_uri = Some(TOLD.to_owned());
            rooms.add(spec).await;
        }
        others.publish(
            DOCUMENT,
            json!({
                "client_id": DOCUMENT, "redirect_uris": [CALLBACK],
                "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": Others::KEYS,
            }),
        );
        Self { rooms, others }
    }

    /// There is room for nothing of this.
    fn has_no_place_for(&self, url: &str) {
        let busy = || Err(OutgoingError::Busy("too much is asked".to_owned()));
        self.others.publish_as(url, busy(), busy());
    }

    async fn authorize(&self, client_id: &str, more: &str) -> Result<Authorized, OAuthError> {
        let query = format!(
            "client_id={client_id}&response_type=code&scope=openid&redirect_uri={CALLBACK}\
             &code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
        );
        Browser::signed_in(&self.rooms).await.ask(&query, None).await
    }

    async fn register(&self) -> Result<(), OAuthError> {
        let metadata = json!({
            "redirect_uris": [CALLBACK], "sector_identifier_uri": SECTOR, "id_token_signed_response_alg": "ES256",
        });
        let metadata = metadata.to_string();
        let request = RegistrationRequest {
            asked: RegistrationAsked::Register(metadata.as_bytes()),
            bearer: None,
            arrival: self.rooms.engine.arrival(LOOPBACK, RequestId::new(0, 0)),
        };
        self.rooms.engine.register(&request).await.map(drop)
    }

    async fn tell(&self, client_id: &str) {
        let now = self.rooms.clock.wall();
        let notice = LogoutNotice {
            client_id: client_id.parse().unwrap(),
            session: SessionId::from_bytes([1; 16]),
            subject: ALICE,
            details: serde_json::to_string(&Surface::Rfc).unwrap(),
            ended_at: now,
            tries: 1,
            due_at: now,
            leaves_at: now.plus_secs(60),
        };
        self.rooms.engine.tell_of_logout(&notice).await.unwrap();
    }

    #[track_caller]
    fn asked(&self, expected: &[(&str, NamedBy)]) {
        let asked = self.others.take_asked();
        let asked: Vec<_> = asked.iter().map(|(url, named_by)| (url.as_str(), *named_by)).collect();
        assert_eq!(asked, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_names_is_asked_as_its_own_or_as_the_operators() {
    let scene = Scene::open().await;
    for (id, named_by) in [("operators", NamedBy::Operator), ("registered", NamedBy::Stranger)] {
        let _ = scene.authorize(id, &format!("&request_uri={REQUEST}")).await;
        scene.asked(&[(REQUEST, named_by)]);
        let _ = scene.authorize(id, &format!("&request={NOT_SIGNED_YET}")).await;
        scene.asked(&[(Others::KEYS, named_by)]);
        scene.tell(id).await;
        scene.asked(&[(TOLD, named_by)]);
    }
    let _ = scene.authorize(DOCUMENT, &format!("&request={NOT_SIGNED_YET}")).await;
    scene.asked(&[(DOCUMENT, NamedBy::Stranger), (Others::KEYS, NamedBy::Stranger)]);
    let _ = scene.register().await;
    scene.asked(&[(SECTOR, NamedBy::Stranger)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_found_no_place_is_to_be_tried_again() {
    let scene = Scene::open().await;
    for url in [REQUEST, Others::KEYS, SECTOR] {
        scene.has_no_place_for(url);
    }
    for more in [format!("&request_uri={REQUEST}"), format!("&request={NOT_SIGNED_YET}")] {
        let Authorized::Answer(answer) = scene.authorize("operators", &more).await.unwrap() else {
            panic!("{more}: it is refused")
        };
        let error = answer.params.iter().find(|(name, _)| *name == "error").map(|(_, error)| error.as_str());
        assert_eq!(error, Some("temporarily_unavailable"), "{more}");
    }
    scene.has_no_place_for(DOCUMENT);
    for refused in [scene.register().await, scene.authorize(DOCUMENT, "").await.map(drop)] {
        assert_eq!(refused.unwrap_err().code(), ErrorCode::Unavailable);
    }
}
