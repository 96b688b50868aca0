//! Changes of one client at the same time: each counts, and none undoes another.

mod rooms;

use std::cell::Cell;

use obol_oauth::administration::{ClientSpec, change_client};
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
