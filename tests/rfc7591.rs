//! RFC 7591 (dynamic client registration). One test per MUST, by section, and what is promised beyond. What RFC 7592 lets a
//! client change is checked by the same tables.

#[path = "rfc7591/access.rs"]
mod access;
#[path = "rfc7591/answer.rs"]
mod answer;
#[path = "registration/both.rs"]
mod both;
#[path = "registration/house.rs"]
mod house;
#[path = "rfc7591/limits.rs"]
mod limits;
#[path = "rfc7591/metadata.rs"]
mod metadata;
