//! Changes of one client at the same time: each counts, and none undoes another.

mod rooms;

use std::cell::Cell;

use obol_oauth::administration::{ChosenSecret, ClientSpec, RotateError, change_client, rotate_secret};
use obol_store::ClientAuthMethod;
use obol_token::ClientId;
use rooms::Rooms;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Whoever decides after another was faster decides again, from what is there now.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_between_read_and_write_is_not_lost() {
    let rooms = Rooms::open().await;
    let id = ClientId::new("app").unwrap();
    let restrict = |spec: &mut ClientSpec| spec.optional_scopes = "read2".parse().unwrap();
    let first = Cell::new(true);
    let rename = |spec: &mut ClientSpec| {
        if first.take() {
            let restricted = change_client(&*rooms.store, &id, restrict);
            let _ = block_in_place(|| Handle::current().block_on(restricted)).unwrap();
        }
        spec.name = "Another name".to_owned();
    };
    let _ = change_client(&*rooms.store, &id, rename).await.unwrap();
    let client = rooms.store.find_client(&id).await.unwrap().unwrap();
    assert_eq!(
        (client.name.as_str(), client.optional_scopes.to_string().as_str()),
        ("Another name", "read2")
    );
}

/// Also where it was decided before the client signed.
#[tokio::test]
async fn the_secret_of_a_client_that_signs_is_not_replaced_by_one_that_is_not_kept() {
    let rooms = Rooms::open().await;
    let id = ClientId::new("signs").unwrap();
    let vouched = rooms.replica.vouch().unwrap();
    let kept = || ChosenSecret::Generate.kept(vouched.memory(), &id).unwrap();
    let mut spec = rooms.spec("signs", &["client_credentials"], Some(kept()));
    spec.settings.token_endpoint_auth_method = Some(ClientAuthMethod::ClientSecretJwt);
    rooms.add(spec).await;
    let before = rooms.store.find_client(&id).await.unwrap();
    let refused = rotate_secret(&*rooms.store, &id, ChosenSecret::Generate).await;
    assert_eq!(refused.map(drop), Err(RotateError::NotKept(id.clone())));
    assert_eq!(rooms.store.find_client(&id).await.unwrap(), before);
    let _ = rotate_secret(&*rooms.store, &id, kept()).await.unwrap();
    assert_ne!(rooms.store.find_client(&id).await.unwrap(), before);
}
