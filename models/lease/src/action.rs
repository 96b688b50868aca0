//! What can happen. Each action is one step of one party, or a tick of the clock; a pause is that others step meanwhile.

use crate::state::{NODES, NodeAt, TokenAt};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Time passes for everybody.
    Tick,
    /// A node reads the log of the primary.
    Read(NodeAt),
    /// A node reads the log of the old primary.
    ReadOld(NodeAt),
    /// A node applies what it read; its renewal is lost.
    Apply(NodeAt),
    /// A node applies what it read; its renewal arrives, and the answer too.
    Renew(NodeAt),
    /// A node applies what it read; its renewal arrives, and the answer does not.
    RenewUnheard(NodeAt),
    /// What is on the way from or to a node is lost.
    Lose(NodeAt),
    /// A node is killed.
    Kill(NodeAt),
    /// A killed node starts.
    Start(NodeAt),
    /// Somebody takes out the row of a node that was not renewed for a lease.
    TakeOut(NodeAt),
    /// A revocation is asked for.
    Revoke(TokenAt),
    /// Its append arrives, and its answer too.
    Append(TokenAt),
    /// Its append arrives, and its answer does not.
    AppendUnheard(TokenAt),
    /// The caller is told "not known".
    GiveUp(TokenAt),
    /// An append arrives whose caller was told so.
    AppendLate(TokenAt),
    /// The wait is over: the caller has the 200.
    Acknowledge(TokenAt),
    /// A node refuses a token that it knows to be denied.
    Refuse(NodeAt, TokenAt),
    /// A node vouches for a token at once.
    Accept(NodeAt, TokenAt),
    /// A verify that must not be accepted is called, and does its first step.
    CallVerify(NodeAt, TokenAt),
    /// It does its second.
    FinishVerify,
    /// A renewal arrives a second time.
    StrayArrives,
    /// It does not.
    StrayIsLost,
    /// The standby becomes the primary, with so many entries, and with the row of this node put back by one renewal.
    FailOver {
        /// How many entries it has.
        entries: u8,
        /// Whose last renewal is lost, if one is.
        put_back: Option<NodeAt>,
    },
}

impl Action {
    pub(crate) fn of_node(node: NodeAt) -> [Self; 9] {
        [
            Self::Read(node),
            Self::ReadOld(node),
            Self::Apply(node),
            Self::Renew(node),
            Self::RenewUnheard(node),
            Self::Lose(node),
            Self::Kill(node),
            Self::Start(node),
            Self::TakeOut(node),
        ]
    }

    pub(crate) fn of_revocation(token: TokenAt) -> [Self; 6] {
        [
            Self::Revoke(token),
            Self::Append(token),
            Self::AppendUnheard(token),
            Self::GiveUp(token),
            Self::AppendLate(token),
            Self::Acknowledge(token),
        ]
    }

    pub(crate) fn of_verify(node: NodeAt, token: TokenAt) -> [Self; 3] {
        [Self::Refuse(node, token), Self::Accept(node, token), Self::CallVerify(node, token)]
    }

    pub(crate) fn of_failover(length: u8) -> impl Iterator<Item = Self> {
        let rows = std::iter::once(None).chain((0..NODES).map(Some));
        rows.flat_map(move |put_back| (0..=length).map(move |entries| Self::FailOver { entries, put_back }))
    }
}
