//! The tests of the listener again, with a handler that answers at once whatever it can, and what holds for such answers
//! only.

#[path = "../server/deadlines.rs"]
mod deadlines;
#[path = "../server/framing.rs"]
mod framing;
#[path = "../server/http2.rs"]
mod http2;
#[path = "../server/limits.rs"]
mod limits;
mod order;
#[path = "../server/running.rs"]
mod running;
#[path = "../server/stop.rs"]
mod stop;
#[path = "../server/tls.rs"]
mod tls;

/// Whether the handler answers at once what needs no wait.
const AT_ONCE: bool = true;
