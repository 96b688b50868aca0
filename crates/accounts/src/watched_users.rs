//! A store of people that changes while somebody looks.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use obol_keys::{PlainPassword, hash_password};
use obol_store::{
    AddOutcome, ChangeOutcome, PasswordHash, Profile, ReplaceOutcome, StoreError, User, Username, Users,
};
use obol_store_sqlite::SqliteStore;
use obol_token::{SubjectId, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A real store that counts look-ups and can change something right after one.
pub(crate) struct WatchedUsers {
    store: SqliteStore,
    looks: AtomicU64,
    after_look: Mutex<Option<AfterLook>>,
}

#[derive(Clone, Copy)]
pub(crate) enum AfterLook {
    NewPassword,
    Disable,
    Delete,
    Nickname,
    Fail,
}

impl WatchedUsers {
    pub(crate) fn new(store: SqliteStore) -> Self {
        Self { store, looks: AtomicU64::new(0), after_look: Mutex::default() }
    }

    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    pub(crate) fn after_next_look(&self, change: AfterLook) {
        *self.after_look.lock().unwrap() = Some(change);
    }
}

#[async_trait]
impl Users for WatchedUsers {
    async fn find_user(&self, username: &Username) -> Result<Option<User>, StoreError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let found = self.store.find_user(username).await;
        let change = self.after_look.lock().unwrap().take();
        let _ = match change {
            None => return found,
            Some(AfterLook::Fail) => return Err(StoreError::Unavailable("on purpose".to_owned())),
            Some(AfterLook::NewPassword) => {
                let password = PlainPassword::new("another password".to_owned()).unwrap();
                let hash = PasswordHash::from_phc(&hash_password(&password).unwrap());
                self.store.set_user_password(username, &hash, NOW).await?
            }
            Some(AfterLook::Disable) => self.store.set_user_enabled(username, false, NOW).await?,
            Some(AfterLook::Nickname) => {
                let profile = [("nickname".to_owned(), "Al".into())].into_iter().collect();
                let former = self.store.find_user(username).await?.unwrap();
                let email = Some("al@example.com");
                let _ = self.store.set_user_profile(&former, email, &profile).await?;
                return found;
            }
            Some(AfterLook::Delete) => self.store.delete_user(username, NOW).await?,
        };
        found
    }

    async fn add_user(&self, user: &User) -> Result<AddOutcome, StoreError> {
        self.store.add_user(user).await
    }

    async fn find_user_by_id(&self, id: SubjectId) -> Result<Option<User>, StoreError> {
        self.store.find_user_by_id(id).await
    }

    async fn list_users(&self) -> Result<Vec<User>, StoreError> {
        self.store.list_users().await
    }

    async fn set_user_enabled(
        &self,
        username: &Username,
        enabled: bool,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        self.store.set_user_enabled(username, enabled, now).await
    }

    async fn set_user_profile(
        &self,
        former: &User,
        email: Option<&str>,
        profile: &Profile,
    ) -> Result<ReplaceOutcome, StoreError> {
        self.store.set_user_profile(former, email, profile).await
    }

    async fn set_user_password(
        &self,
        username: &Username,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        self.store.set_user_password(username, password, now).await
    }

    async fn delete_user(&self, username: &Username, now: Timestamp) -> Result<ChangeOutcome, StoreError> {
        self.store.delete_user(username, now).await
    }
}
