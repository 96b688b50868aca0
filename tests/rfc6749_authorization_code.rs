//! RFC 6749, the authorization code grant: §3.1, §4.1 and what §10 says of it. One test per MUST, by section.

#[path = "rfc6749_authorization_code/endpoint.rs"]
mod endpoint;
#[path = "rfc6749_authorization_code/redemption.rs"]
mod redemption;
#[path = "rfc6749_authorization_code/response.rs"]
mod response;
