//! A model of the lease protocol, searched exhaustively: three nodes, up to two tokens, one database with a standby.
//!
//! # What is modelled
//!
//! `docs/design/lease.md` tells the protocol. Here a node goes round and round ([`Action::Read`], [`Action::Renew`]): it
//! reads the log, applies what it found, writes its row, and then may vouch for one lease, counted from before the
//! reading. A revocation ([`Action::Revoke`]) appends, and is acknowledged when its own node knows the denial and every
//! other row says that it was applied, or is gone, or one lease has passed since the commit was heard. A verify has two
//! steps, and anything may happen between them.
//!
//! - **Time** is a tick for all ([`Action::Tick`]). Only ages are kept, and they stop where older makes no difference, so a
//!   run has any length. No margin is left anywhere: what holds here holds with margins for clocks of different rates.
//! - **Pauses** are that a node takes no step while others and the clock do. Every order of steps is tried.
//! - **Messages** are lost before or after they took effect, arrive late, and renewals arrive twice.
//! - **The database** fails over once. If it is synchronous, no visible entry is lost, yet the old primary may live on, and
//!   nodes may go on reading it. If not, any number of the last entries is lost.
//! - **A node** may be killed once; it starts with an empty memory.
//!
//! # What is checked
//!
//! [`H1`], [`H2`] and [`H5`], on every state. For H5 an append may arrive up to [`MARGIN`] after its caller was told that it
//! is not known. What an asynchronous failover has lost, and some node knows, must be refused again one lease after the
//! last node has begun to follow the new primary: until then nothing is promised, and afterwards H1 is.
//! Beside them there are things that must be possible, so that nothing holds only because nothing happens.
//!
//! # How to read it
//!
//! `src/state.rs` is what there is, `src/action.rs` what can happen, `src/steps.rs` and `src/verify.rs` how. [`Protocol`] lists
//! the choices of the protocol, [`World`] what is done to it. `tests/holds.rs` searches the sound protocol in several
//! worlds to the end, and says how many states that are; `tests/breaks.rs` takes back one choice at a time, and prints the
//! shortest story of how a rule breaks. A story is a list of actions with the number of the node or token.
//!
//! # What it says beyond the rules
//!
//! Five choices are easily taken otherwise, and each breaks H1:
//! a row that was not renewed must be **taken out**, not passed over, or else its node must cap its lease ([`DeadRow`]); a renewal must be **synchronous**
//! ([`Renewal`]); the mark of a row that is not must **never come again** ([`Mark`]); a failover is noticed by its
//! **timeline**, not by a shorter log ([`FailoverSeenBy`]); and a renewal counts only on the **same timeline** as its
//! reading ([`Protocol::renewal_names_timeline`]).

mod action;
mod model;
mod protocol;
mod state;
mod steps;
mod verify;

pub use action::Action;
pub use model::{H1, H2, H5, Lease};
pub use protocol::{
    DeadRow, FailoverSeenBy, LeaseFrom, MARGIN, Mark, Protocol, Renewal, StartOrder, VerifyOrder, World,
};
pub use state::State;
