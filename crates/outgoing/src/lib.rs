//! The way out, guarded: implements [`obol_oauth::Outgoing`] over TLS, for addresses that strangers have named.
//!
//! | step     | what                                                       | where      |
//! |----------|------------------------------------------------------------|------------|
//! | address  | `https`, a plain host name or an IP address, nothing hidden | `address`  |
//! | kept     | a document from before, or the one that is under way        | `kept`     |
//! | place    | only so many at once: over all, for strangers, of a host    | `places`   |
//! | resolve  | every address of the host is judged                        | `judgement` |
//! | connect  | to an address that was judged; the certificate is checked   | `network`, `tls` |
//! | exchange | one request, no redirect, every size and the time bounded   | `exchange` |

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod address;
mod door;
mod exchange;
mod judgement;
mod kept;
mod metered;
mod network;
mod places;
mod tls;
mod trouble;

pub use door::{GuardedDoor, Limits};
pub use network::{Network, SystemNetwork};
pub use tls::{Authorities, AuthoritiesError};
