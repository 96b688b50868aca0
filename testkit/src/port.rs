//! Ports for servers that have to be told one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::process;

/// Below those that the system gives to whoever connects or binds to port 0: one of these could be taken between the moment
/// in which it was seen free and the moment in which the server binds to it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of the loopback address on which nobody listens, and which no other test is given while this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UnixListener,
}

impl Port {
    /// Claims one.
    #[track_caller]
    pub fn claim() -> Self {
        // Tests that run at the same time begin at different places.
        let begin = u16::try_from(process::id() * 101 % u32::from(COUNT)).unwrap_or_default();
        let numbers = (0..COUNT).map(|step| FIRST + (begin + step) % COUNT);
        numbers.filter_map(Self::try_claim).next().expect("a port is free")
    }

    /// `None` where another test has it, or something listens there.
    fn try_claim(number: u16) -> Option<Self> {
        // A name that ends with the process, whatever ends that.
        let name = UnixAddress::from_abstract_name(format!("obol-test-port-{number}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        free.then_some(Self { number, _claim: claim })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// It on the loopback address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_at_a_time_and_never_where_somebody_listens() {
        let port = Port::claim();
        assert!(Port::try_claim(port.number()).is_none());
        assert_ne!(Port::claim().number(), port.number());
        let address = port.address();
        drop(port);
        let taken = TcpListener::bind(address).unwrap();
        assert!(Port::try_claim(address.port()).is_none());
        drop(taken);
        assert!(Port::try_claim(address.port()).is_some());
    }
}
