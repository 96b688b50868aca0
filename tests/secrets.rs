//! S-89 for what programs send and are sent: nothing of it stands in the log at its most verbose level, in the audit files, in an answer
//! that refuses, in what commands print, nor readable in the store. Passwords, tokens and client secrets are in
//! `pitfalls_hostility.rs`, cookies and tickets in `pages.rs`.

#[path = "secrets/asserted.rs"]
mod asserted;
#[path = "secrets/registered.rs"]
mod registered;
#[path = "secrets/requested.rs"]
mod requested;
#[path = "secrets/told.rs"]
mod told;
#[path = "secrets/watched.rs"]
mod watched;
