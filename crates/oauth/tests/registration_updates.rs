//! A client that replaces its registration (RFC 7592 §2.2) while its operator decides about it.

mod rooms;

use std::sync::Arc;

use obol_oauth::{Answer, ErrorCode, OAuthError, RegistrationAsked, RegistrationRequest, RequestId};
use obol_replica::Clock;
use obol_store::{Client, ReplaceOutcome};
use obol_token::ClientId;
use rooms::others::Others;
use rooms::{LOOPBACK, Rooms, long_lease};
use serde_json::{Value, json};

const CALLBACK: &str = "https://app.example:8443/cb";
const SECTOR: &str = "https://app.example/sector.json";

struct Scene {
    rooms: Rooms,
    others: Arc<Others>,
    id: ClientId,
    token: String,
}

impl Scene {
    /// With a client that has registered itself.
    async fn open() -> Self {
        let others = Arc::new(Others::default());
        others.publish(SECTOR, json!([CALLBACK]));
        let rooms = Rooms::open_to(long_lease(), others.clone()).await;
        let body = metadata(&json!({})).to_string();
        let registered = ask(&rooms, None, RegistrationAsked::Register(body.as_bytes())).await.unwrap();
        let text = |name: &str| registered[name].as_str().unwrap().to_owned();
        let (id, token) = (text("client_id").parse().unwrap(), text("registration_access_token"));
        Self { rooms, others, id, token }
    }

    async fn update(&self, more: &Value) -> Result<Value, OAuthError> {
        let mut body = metadata(more);
        body["client_id"] = self.id.as_str().into();
        let body = body.to_string();
        let update = RegistrationAsked::Update(self.id.as_str(), body.as_bytes());
        ask(&self.rooms, Some(&self.token), update).await
    }

    async fn stored(&self) -> Client {
        self.rooms.store.find_client(&self.id).await.unwrap().unwrap()
    }

    /// Changes what is stored, as an operator may, or as it was once.
    async fn store(&self, change: impl FnOnce(&mut Client)) {
        let former = self.stored().await;
        let mut client = former.clone();
        change(&mut client);
        let replaced = self.rooms.store.change_client(&former, &client).await.unwrap();
        let ReplaceOutcome::Replaced(appended) = replaced else { panic!("{replaced:?}") };
        let _everywhere = self.rooms.replica.confirm(appended).await.unwrap();
    }
}

fn metadata(more: &Value) -> Value {
    let mut metadata = json!({
        "redirect_uris": [CALLBACK], "subject_type": "pairwise", "id_token_signed_response_alg": "ES256",
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    metadata
}

async fn ask(rooms: &Rooms, bearer: Option<&str>, asked: RegistrationAsked<'_>) -> Result<Value, OAuthError> {
    let arrival = rooms.engine.arrival(LOOPBACK, RequestId::new(0, 0));
    match rooms.engine.register(&RegistrationRequest { asked, bearer, arrival }).await? {
        Answer::Registered { client, .. } => Ok(serde_json::to_value(client).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Also where it was let in before, and its document takes long.
#[tokio::test(flavor = "multi_thread")]
async fn s_93_what_the_operator_has_decided_meanwhile_counts() {
    for decided in ["disabled", "settled"] {
        let scene = Scene::open().await;
        scene.others.hold("");
        let sector = json!({ "sector_identifier_uri": SECTOR, "client_name": "Another" });
        let deciding = async {
            while scene.others.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            match decided {
                "disabled" => {
                    let now = scene.rooms.clock.wall();
                    let _ = scene.rooms.store.set_client_enabled(&scene.id, false, now).await.unwrap();
                }
                _ => {
                    scene
                        .store(|client| client.settings.registration.as_mut().unwrap().may_update = false)
                        .await
                }
            }
            let stored = scene.stored().await;
            scene.others.answer_all();
            stored
        };
        let (updated, stored) = tokio::join!(scene.update(&sector), deciding);
        assert_eq!(updated.unwrap_err().code(), ErrorCode::AccessDenied, "{decided}");
        assert_eq!(scene.stored().await, stored, "{decided}");
        // From then on it does not make us ask others.
        let asked = scene.others.asked().len();
        assert!(scene.update(&sector).await.is_err());
        assert_eq!(scene.others.asked().len(), asked, "{decided}");
    }
}

/// A sector was a host with its port once.
#[tokio::test(flavor = "multi_thread")]
async fn oidc_core_8_1_a_client_keeps_its_sector_while_it_stays_where_it_is() {
    for kept in ["app.example", "app.example:8443", "App.Example"] {
        let scene = Scene::open().await;
        scene.store(|client| client.settings.sector_identifier = Some(kept.to_owned())).await;
        scene.update(&json!({ "client_name": "Another" })).await.unwrap();
        assert_eq!(scene.stored().await.settings.sector_identifier.as_deref(), Some(kept));
        for elsewhere in [json!(["https://other.example/cb"]), json!([CALLBACK, "https://other.example/cb"])]
        {
            let refused = scene.update(&json!({ "redirect_uris": elsewhere })).await.unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidClientMetadata, "{kept} {elsewhere}");
        }
    }
}
