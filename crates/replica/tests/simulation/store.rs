//! The traits of `obol-store` over a link. What neither a replica nor the workload uses is not available.

use std::time::Duration;

use async_trait::async_trait;
use obol_store::{
    AddCodeOutcome, AddKeyOutcome, AddOutcome, Appended, Assertions, BeginOutcome, BeginSessionOutcome,
    ChangeLog, ChangeOutcome, Client, Clients, Code, Codes, Consent, Consents, ConsumeOutcome, Denials, Deny,
    Durability, Families, Family, FirstKeyOutcome, HoldOutcome, Keys, LogoutNotice, LogoutNotices, NewCode,
    NewFamily, NewKey, NewPushedRequest, NewSession, NodeId, Nodes, Page, PasswordHash, Peer, Profile,
    PromoteOutcome, PushOutcome, PushedRequest, PushedRequests, ReadFrom, RedeemOutcome, Redemption,
    RegisterOutcome, ReplaceOutcome, RetireOutcome, RotateOutcome, Rotation, Session, SessionEndRevokes,
    Sessions, StoreError, StoredSecret, UseOutcome, User, Username, Users, WaitingNotices, WrappedKey,
};
use obol_token::{ClientId, FamilyId, KeyId, Position, SecretHash, SessionId, SubjectId, Timestamp};

use crate::link::{Link, OPERATION, unavailable};
use crate::state::{Write, Written};
use crate::wire::Call;
use crate::world::Wrong;

/// What a node that has not renewed yet may hold at most.
const FIRST_LEASE: Duration = Duration::from_secs(2);

#[async_trait]
impl Nodes for Link {
    async fn register_node(&self, _node: NodeId) -> Result<(), StoreError> {
        let row = self.row(self.next_name(), FIRST_LEASE);
        self.write(Write::Enter(row)).await.map(drop)
    }

    async fn read_and_renew(
        &self,
        _node: NodeId,
        lease: Duration,
        from: ReadFrom,
    ) -> Result<Page, StoreError> {
        let row = self.row(self.name()?, lease);
        let write = Write::Renew { node: row.node, lease: row.lease, renewals: row.renewals };
        match self.read(Call::Renew { from, write }).await? {
            Some(page) => Ok(page),
            None => {
                self.write(Write::Enter(row)).await?;
                Err(unavailable("this node's row was gone; it is entered again"))
            }
        }
    }

    async fn report_applied(&self, _node: NodeId, applied: Position) -> Result<(), StoreError> {
        self.write(Write::Report { node: self.name()?, applied }).await.map(drop)
    }

    async fn live_peers(&self, except: Option<NodeId>) -> Result<Vec<Peer>, StoreError> {
        self.peers(except.and_then(|_| self.name().ok())).await
    }

    async fn leave(&self, _node: NodeId) -> Result<(), StoreError> {
        self.write(Write::Leave(self.name()?)).await.map(drop)
    }
}

impl Link {
    fn name(&self) -> Result<NodeId, StoreError> {
        let registered = self.registered.lock().map_err(|_| unavailable("a panic"))?;
        registered.node.ok_or_else(|| unavailable("not registered"))
    }
}

#[async_trait]
impl ChangeLog for Link {
    async fn read_page(&self, from: ReadFrom) -> Result<Page, StoreError> {
        self.read(Call::Read(from)).await?.ok_or_else(|| unavailable("another answer"))
    }

    async fn swept_through(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_secs(0))
    }

    async fn wait_for_append(&self, after: Position) {
        self.wait_past(after).await;
    }
}

#[async_trait]
impl Denials for Link {
    async fn deny(&self, deny: &Deny, _now: Timestamp) -> Result<Appended, StoreError> {
        let by_itself = OPERATION.try_with(|_| ()).is_err();
        if by_itself && self.world.wrong == Wrong::NothingAppendedAgain {
            return Ok(Appended::danger_committed(Position::START));
        }
        match self.write(Write::Deny(deny.clone())).await? {
            Written::Appended(appended) => Ok(self.appended(appended)),
            _ => Err(unavailable("another answer")),
        }
    }

    async fn end_family(&self, _: FamilyId, _: Timestamp) -> Result<Option<Appended>, StoreError> {
        unused()
    }

    async fn count_families(&self, _: &Deny, _: Timestamp) -> Result<u64, StoreError> {
        unused()
    }
}

#[async_trait]
impl Keys for Link {
    async fn add_first_key(&self, key: &NewKey) -> Result<FirstKeyOutcome, StoreError> {
        match self.write(Write::AddFirstKey(key.clone())).await? {
            Written::FirstKey(outcome) => Ok(outcome),
            _ => Err(unavailable("another answer")),
        }
    }

    async fn put_back_key(&self, key: &WrappedKey) -> Result<Appended, StoreError> {
        match self.write(Write::PutBackKey(key.clone())).await? {
            Written::Appended(appended) => Ok(self.appended(appended)),
            _ => Err(unavailable("another answer")),
        }
    }

    async fn add_key(&self, _: &NewKey) -> Result<AddKeyOutcome, StoreError> {
        unused()
    }

    async fn promote_key(&self, _: KeyId, _: Timestamp) -> Result<PromoteOutcome, StoreError> {
        unused()
    }

    async fn retire_key(&self, _: KeyId, _: Timestamp) -> Result<RetireOutcome, StoreError> {
        unused()
    }

    async fn list_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        unused()
    }

    async fn has_key(&self) -> Result<bool, StoreError> {
        unused()
    }
}

#[async_trait]
impl Durability for Link {
    async fn weaknesses(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Assertions for Link {
    async fn use_assertion(
        &self,
        _: SecretHash,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<UseOutcome, StoreError> {
        unused()
    }
}

#[async_trait]
impl Clients for Link {
    async fn add_client(&self, _: &Client) -> Result<AddOutcome, StoreError> {
        unused()
    }

    async fn register_client(&self, _: &Client, _: u32) -> Result<RegisterOutcome, StoreError> {
        unused()
    }

    async fn find_client(&self, _: &ClientId) -> Result<Option<Client>, StoreError> {
        unused()
    }

    async fn list_clients(&self) -> Result<Vec<Client>, StoreError> {
        unused()
    }

    async fn set_client_enabled(
        &self,
        _: &ClientId,
        _: bool,
        _: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        unused()
    }

    async fn change_client(&self, _: &Client, _: &Client) -> Result<ReplaceOutcome, StoreError> {
        unused()
    }

    async fn set_client_secret(&self, _: &Client, _: &StoredSecret) -> Result<ReplaceOutcome, StoreError> {
        unused()
    }

    async fn delete_client(&self, _: &ClientId, _: Timestamp) -> Result<ChangeOutcome, StoreError> {
        unused()
    }
}

#[async_trait]
impl Families for Link {
    async fn begin_family(&self, _: &NewFamily) -> Result<BeginOutcome, StoreError> {
        unused()
    }

    async fn find_family(&self, _: SecretHash) -> Result<Option<Family>, StoreError> {
        unused()
    }

    async fn find_family_by_id(&self, _: FamilyId) -> Result<Option<Family>, StoreError> {
        unused()
    }

    async fn list_families(&self, _: SubjectId, _: Timestamp) -> Result<Vec<Family>, StoreError> {
        unused()
    }

    async fn rotate_refresh(&self, _: &Rotation) -> Result<RotateOutcome, StoreError> {
        unused()
    }
}

#[async_trait]
impl Users for Link {
    async fn add_user(&self, _: &User) -> Result<AddOutcome, StoreError> {
        unused()
    }

    async fn find_user(&self, _: &Username) -> Result<Option<User>, StoreError> {
        unused()
    }

    async fn find_user_by_id(&self, _: SubjectId) -> Result<Option<User>, StoreError> {
        unused()
    }

    async fn list_users(&self) -> Result<Vec<User>, StoreError> {
        unused()
    }

    async fn set_user_enabled(
        &self,
        _: &Username,
        _: bool,
        _: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        unused()
    }

    async fn set_user_profile(
        &self,
        _: &User,
        _: Option<&str>,
        _: &Profile,
    ) -> Result<ReplaceOutcome, StoreError> {
        unused()
    }

    async fn set_user_password(
        &self,
        _: &Username,
        _: &PasswordHash,
        _: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        unused()
    }

    async fn delete_user(&self, _: &Username, _: Timestamp) -> Result<ChangeOutcome, StoreError> {
        unused()
    }
}

#[async_trait]
impl Sessions for Link {
    async fn begin_session(
        &self,
        _: &NewSession,
        _: Option<SecretHash>,
    ) -> Result<BeginSessionOutcome, StoreError> {
        unused()
    }

    async fn find_session(&self, _: SecretHash, _: Timestamp) -> Result<Option<Session>, StoreError> {
        unused()
    }

    async fn extend_session(&self, _: SessionId, _: Timestamp) -> Result<(), StoreError> {
        unused()
    }

    async fn list_sessions(&self, _: SubjectId, _: Timestamp) -> Result<Vec<Session>, StoreError> {
        unused()
    }

    async fn end_session(
        &self,
        _: SessionId,
        _: SubjectId,
        _: SessionEndRevokes,
        _: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        unused()
    }
}

#[async_trait]
impl LogoutNotices for Link {
    async fn list_clients_to_tell(&self) -> Result<Vec<(ClientId, Timestamp)>, StoreError> {
        unused()
    }

    async fn take_notices(
        &self,
        _: &ClientId,
        _: usize,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<LogoutNotice>, StoreError> {
        unused()
    }

    async fn remove_notice(&self, _: &LogoutNotice) -> Result<(), StoreError> {
        unused()
    }

    async fn put_off_notice(
        &self,
        _: &LogoutNotice,
        _: Timestamp,
        _: u32,
        _: &str,
    ) -> Result<(), StoreError> {
        unused()
    }

    async fn count_notices(&self) -> Result<Vec<WaitingNotices>, StoreError> {
        unused()
    }

    async fn wait_for_notices(&self) {
        std::future::pending().await
    }
}

#[async_trait]
impl Codes for Link {
    async fn add_code(&self, _: &NewCode) -> Result<AddCodeOutcome, StoreError> {
        unused()
    }

    async fn find_code(&self, _: SecretHash) -> Result<Option<Code>, StoreError> {
        unused()
    }

    async fn redeem_code(&self, _: &Redemption) -> Result<RedeemOutcome, StoreError> {
        unused()
    }
}

#[async_trait]
impl Consents for Link {
    async fn give_consent(&self, _: &Consent) -> Result<(), StoreError> {
        unused()
    }

    async fn find_consent(&self, _: SubjectId, _: &ClientId) -> Result<Option<Consent>, StoreError> {
        unused()
    }

    async fn list_consents(&self, _: SubjectId) -> Result<Vec<Consent>, StoreError> {
        unused()
    }

    async fn withdraw_consent(
        &self,
        _: SubjectId,
        _: &ClientId,
        _: Timestamp,
    ) -> Result<Option<Appended>, StoreError> {
        unused()
    }
}

#[async_trait]
impl PushedRequests for Link {
    async fn push_request(&self, _: &NewPushedRequest) -> Result<PushOutcome, StoreError> {
        unused()
    }

    async fn find_pushed_request(
        &self,
        _: SecretHash,
        _: &ClientId,
        _: Timestamp,
    ) -> Result<Option<PushedRequest>, StoreError> {
        unused()
    }

    async fn hold_pushed_request(
        &self,
        _: SecretHash,
        _: &ClientId,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<HoldOutcome, StoreError> {
        unused()
    }

    async fn consume_pushed_request(
        &self,
        _: SecretHash,
        _: &ClientId,
        _: Timestamp,
    ) -> Result<ConsumeOutcome, StoreError> {
        unused()
    }
}

fn unused<T>() -> Result<T, StoreError> {
    Err(unavailable("the simulation does not use this"))
}
