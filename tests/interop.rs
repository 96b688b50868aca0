//! Programs of others that know nothing of obol but its address, each unmodified and as its documentation has it. With each a person
//! signs in, tokens are refreshed, a revocation is seen, and a key changes meanwhile. nginx is in `forward_auth/nginx.rs`.

#[path = "interop/apache.rs"]
mod apache;
#[path = "interop/application.rs"]
mod application;
#[path = "interop/browser.rs"]
mod browser;
#[path = "interop/example.rs"]
mod example;
#[path = "interop/fetched.rs"]
mod fetched;
#[path = "interop/journey.rs"]
mod journey;
#[path = "interop/libraries.rs"]
mod libraries;
#[path = "interop/radius.rs"]
mod radius;
