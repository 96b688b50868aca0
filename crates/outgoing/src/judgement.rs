//! Which IP addresses may be asked on behalf of strangers: those of the public internet (IANA's registries of special
//! addresses, RFC 6890), and never what answers only to its neighbours.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::trouble::Trouble;

/// What an address is, that is not of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit(&'static str);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Whether an address may be asked; `trusted` is for hosts that the operator has named, which may be on a private network.
///
/// # Errors
/// [`Trouble::Private`] and [`Trouble::Never`]
pub(crate) fn judge(ip: IpAddr, trusted: bool) -> Result<(), Trouble> {
    let ip = embedded(ip);
    if let Some(&(_, is)) = PRIVATE.iter().find(|(net, _)| net.contains(&ip)) {
        return if trusted { Ok(()) } else { Err(Trouble::Private(Unfit(is))) };
    }
    let never = NEVER.iter().find(|(net, _)| net.contains(&ip)).map(|&(_, is)| is);
    let inside = ip.is_ipv4() || PUBLIC_V6.contains(&ip);
    match never.or((!inside).then_some("an address that is not of the public internet")) {
        Some(is) => Err(Trouble::Never(Unfit(is))),
        None => Ok(()),
    }
}

/// What is asked in the end: an IPv6 address may carry an IPv4 address to which it leads.
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match CARRIERS.iter().find(|(net, _)| net.contains(&v6)) {
        Some((_, shift)) => Ipv4Addr::from_bits((v6.to_bits() >> shift) as u32).into(),
        None => ip,
    }
}

/// Networks whose addresses carry an IPv4 address, and how many bits stand to its right.
const CARRIERS: &[(Ipv6Net, u32)] = &[
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), 0), // IPv4-mapped, RFC 4291 §2.5.5.2
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), 0), // NAT64, RFC 6052
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), 80), // 6to4, RFC 3056
];

/// What an operator may open for a host by name.
const PRIVATE: &[(IpNet, &str)] = &[
    (v4([127, 0, 0, 0], 8), "a loopback address"),
    (v4([10, 0, 0, 0], 8), "a private address"),
    (v4([172, 16, 0, 0], 12), "a private address"),
    (v4([192, 168, 0, 0], 16), "a private address"),
    (v4([100, 64, 0, 0], 10), "an address behind a provider's NAT"),
    (IpNet::V6(v6([0, 0, 0, 0, 0, 0, 0, 1], 128)), "a loopback address"),
    (IpNet::V6(v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7)), "a private address"),
];

/// What nobody may open.
const NEVER: &[(IpNet, &str)] = &[
    (v4([0, 0, 0, 0], 8), "an address of this host"),
    (v4([169, 254, 0, 0], 16), "a link-local address"),
    (v4([168, 63, 129, 16], 32), "the address of a cloud's host"),
    (v4([192, 0, 0, 0], 24), "a reserved address"),
    (v4([192, 0, 2, 0], 24), "an address for documentation"),
    (v4([192, 88, 99, 0], 24), "a reserved address"),
    (v4([198, 18, 0, 0], 15), "an address for benchmarks"),
    (v4([198, 51, 100, 0], 24), "an address for documentation"),
    (v4([203, 0, 113, 0], 24), "an address for documentation"),
    (v4([224, 0, 0, 0], 4), "a multicast address"),
    (v4([240, 0, 0, 0], 4), "a reserved address"),
    (IpNet::V6(v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23)), "a reserved address"),
    (IpNet::V6(v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32)), "an address for documentation"),
    (IpNet::V6(v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20)), "an address for documentation"),
];

/// Of IPv6 nothing else is given out to the public (RFC 4291 §2.4): link-local, multicast and the rest are outside.
const PUBLIC_V6: IpNet = IpNet::V6(v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3));

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}
