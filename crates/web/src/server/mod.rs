//! The listener: accepts connections, sets every deadline and limit, and hands whole requests to one handler.
//!
//! 1. [`Listener::bind`] applies the rule of [`exposure`](decide_exposure): no credentials in clear off this machine.
//! 2. `accept` survives a lack of descriptors and closes what is over the cap.
//! 3. `connection` makes the TLS handshake; ALPN picks HTTP/1.1 or HTTP/2, nothing is sniffed.
//! 4. `wire` and `pace` hold the deadlines, `framing` judges an HTTP/1.1 head that hyper would forgive.
//! 5. `front` has an HTTP/1.1 request that is there as a whole answered where it lies, if the handler need not wait for
//!    anything. From the first other request on, hyper reads the connection, through `tap`, and `request` collects the
//!    body and calls the handler with a [`Received`].
//! 6. `drain` ends it all: accepted requests finish, then the rest is cut.

mod accept;
mod answer;
mod connection;
mod descriptors;
mod drain;
mod exposure;
mod framing;
mod front;
mod http1;
mod http2;
mod listener;
mod options;
mod pace;
mod panic;
mod received;
mod request;
mod tap;
mod tls;
mod unsent;
mod wire;

pub use accept::ListenerCounts;
pub use answer::{Answer, NoFieldValue, OwnFields, UsualFields};
pub use descriptors::raise_descriptor_limit;
pub use exposure::{Exposed, Exposure, decide_exposure};
pub use listener::{BindError, Entrance, Listener, ServeEnd};
pub use options::ListenerOptions;
pub use panic::{catch_panic, catch_panic_at_once};
pub use received::{Fields, Handler, Received, Refusal, Source, Whole};
pub use tls::{TlsError, TlsIdentity};
