//! OpenID Connect Back-Channel Logout 1.0. One test per MUST of its section 2, each way in which a session ends, and what happens
//! when a client cannot be told.

#[path = "backchannel_logout/confusion.rs"]
mod confusion;
#[path = "backchannel_logout/endings.rs"]
mod endings;
#[path = "backchannel_logout/house.rs"]
mod house;
#[path = "backchannel_logout/token.rs"]
mod token;
#[path = "backchannel_logout/trouble.rs"]
mod trouble;
