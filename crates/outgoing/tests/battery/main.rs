//! What a stranger's address and a hostile server may try, and what comes of it: an error of the right kind, in time, and
//! nothing held afterwards.

mod asked;
mod hosts;
mod keeping;
mod network;
mod refused;
mod server;
mod slow;
mod spoiled;
