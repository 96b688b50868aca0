//! The listener over real sockets on loopback: deadlines, limits, framing, TLS, stop.

mod deadlines;
mod framing;
mod http2;
mod limits;
mod running;
mod stop;
mod tls;

/// Whether the handler answers at once what needs no wait.
const AT_ONCE: bool = false;
