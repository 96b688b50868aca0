//! RFC 7592 (dynamic client registration management). One test per MUST, by section, and S-93. What an update may say is checked
//! in `rfc7591.rs`, by the tables of registration.

#[path = "rfc7592/authority.rs"]
mod authority;
#[path = "rfc7592/delete.rs"]
mod delete;
#[path = "registration/house.rs"]
mod house;
#[path = "rfc7592/update.rs"]
mod update;
