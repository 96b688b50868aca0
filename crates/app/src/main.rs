//! The obol token server.
fn main() {}
