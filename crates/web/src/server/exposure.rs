//! Who may speak to a listener in clear, and whose word about the client's address counts.

use std::net::{IpAddr, SocketAddr};

use http::HeaderName;
use ipnet::IpNet;

use super::Fields;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Decides whether a listener may open: off this machine it needs TLS or a proxy that ends TLS.
///
/// # Errors
/// [`Exposed`], with the three ways to fix it.
pub fn decide_exposure(listen: SocketAddr, tls: bool, proxies: &[IpNet]) -> Result<Exposure, Exposed> {
    let on_this_machine = is_loopback(listen.ip());
    if !on_this_machine && !tls && proxies.is_empty() {
        return Err(Exposed { listen });
    }
    Ok(Exposure { proxies: proxies.to_vec(), in_clear_off_machine: !on_this_machine && !tls })
}

/// A listener address that would take credentials in clear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "will not listen on {listen} without TLS: credentials would travel in clear. Three ways to fix it: \
     give a certificate with --tls-cert FILE --tls-key FILE; make one with --tls-self-signed; \
     or, if a proxy in front ends TLS, name its addresses with --behind-proxy CIDR"
)]
pub struct Exposed {
    /// The refused address.
    pub listen: SocketAddr,
}

/// The decided rule for one listener.
#[derive(Debug, Clone)]
pub struct Exposure {
    proxies: Vec<IpNet>,
    in_clear_off_machine: bool,
}

impl Exposure {
    /// Whether requests from this peer may be taken. A plain listener off this machine takes them from its proxies
    /// and from this machine only.
    pub fn admits(&self, peer: IpAddr) -> bool {
        !self.in_clear_off_machine || self.is_proxy(peer) || is_loopback(peer)
    }

    /// Whose request it is: the rightmost `X-Forwarded-For` entry that is not itself a trusted proxy.
    ///
    /// The header counts only when the peer is a trusted proxy. An entry that is no address ends the search at the
    /// last proxy known to be real. `Forwarded` and `X-Real-IP` are never read.
    pub fn client_address(&self, peer: IpAddr, fields: &(impl Fields + ?Sized)) -> IpAddr {
        let mut nearest = peer.to_canonical();
        if !self.is_proxy(nearest) {
            return nearest;
        }
        for entry in forwarded_entries(fields) {
            match entry {
                Some(address) if self.is_proxy(address) => nearest = address,
                Some(address) => return address,
                None => break,
            }
        }
        nearest
    }

    /// Whether this address is a trusted proxy's.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|net| net.contains(&address))
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The entries of all `X-Forwarded-For` lines, last first; `None` for one that is no address.
fn forwarded_entries(fields: &(impl Fields + ?Sized)) -> impl Iterator<Item = Option<IpAddr>> {
    fields.values(&FORWARDED_FOR).rev().flat_map(|line| {
        let entries = std::str::from_utf8(line).unwrap_or("not text").rsplit(',');
        entries.map(str::trim).filter(|entry| !entry.is_empty()).map(parse_address)
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn parse_address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn proxies(nets: &[&str]) -> Vec<IpNet> {
        nets.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn a_listener_in_clear_opens_only_on_this_machine_or_behind_a_proxy() {
        let proxy = ["10.0.0.0/8"];
        let cases: &[(&str, bool, &[&str], bool)] = &[
            ("127.0.0.1:8080", false, &[], true),
            ("127.8.9.1:8080", false, &[], true),
            ("[::1]:8080", false, &[], true),
            ("[::ffff:127.0.0.1]:8080", false, &[], true),
            ("0.0.0.0:8080", false, &[], false),
            ("[::]:8080", false, &[], false),
            ("192.0.2.1:8080", false, &[], false),
            ("10.0.0.1:8080", false, &[], false),
            ("0.0.0.0:8080", true, &[], true),
            ("0.0.0.0:8080", false, &proxy, true),
        ];
        for &(listen, tls, nets, opens) in cases {
            let decided = decide_exposure(listen.parse().unwrap(), tls, &proxies(nets));
            assert_eq!(decided.is_ok(), opens, "{listen} tls={tls} proxies={nets:?}");
        }
    }

    #[test]
    fn the_refusal_names_the_address_and_three_ways_to_fix_it() {
        let sentence = decide_exposure("0.0.0.0:8080".parse().unwrap(), false, &[]).unwrap_err().to_string();
        for part in ["0.0.0.0:8080", "--tls-cert", "--tls-key", "--tls-self-signed", "--behind-proxy"] {
            assert!(sentence.contains(part), "{part} is not in: {sentence}");
        }
    }

    #[test]
    fn a_plain_listener_behind_a_proxy_takes_requests_from_that_proxy_and_this_machine_only() {
        let cases: &[(&str, bool, &str, bool)] = &[
            ("0.0.0.0:80", false, "10.1.2.3", true),
            ("0.0.0.0:80", false, "192.0.2.7", false),
            ("0.0.0.0:80", false, "127.0.0.1", true),
            ("[::]:80", false, "::ffff:10.1.2.3", true),
            ("[::]:80", false, "::ffff:192.0.2.7", false),
            ("0.0.0.0:443", true, "192.0.2.7", true),
            ("127.0.0.1:80", false, "127.0.0.1", true),
        ];
        for &(listen, tls, peer, admitted) in cases {
            let exposure = decide_exposure(listen.parse().unwrap(), tls, &proxies(&["10.0.0.0/8"])).unwrap();
            assert_eq!(exposure.admits(peer.parse().unwrap()), admitted, "{listen} tls={tls} from {peer}");
        }
    }

    #[test]
    fn the_client_is_the_rightmost_forwarded_address_that_is_no_trusted_proxy() {
        let proxy = "10.0.0.1";
        let cases: &[(&str, &[&str], &str)] = &[
            // A stranger's header is not read.
            ("192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
            ("192.0.2.9", &[], "192.0.2.9"),
            (proxy, &[], proxy),
            (proxy, &["198.51.100.1"], "198.51.100.1"),
            // What the client itself wrote stands further left.
            (proxy, &["203.0.113.5, 198.51.100.1"], "198.51.100.1"),
            (proxy, &["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
            // Trusted proxies on the way are stepped over.
            (proxy, &["198.51.100.1, 10.0.0.2, 10.0.0.3"], "198.51.100.1"),
            (proxy, &["10.0.0.2,10.0.0.3"], "10.0.0.2"),
            // Several lines are one list, in order.
            (proxy, &["203.0.113.5", "198.51.100.1"], "198.51.100.1"),
            (proxy, &["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            // What is no address ends the search at the nearest known proxy.
            (proxy, &["198.51.100.1, unknown"], proxy),
            (proxy, &["198.51.100.1, evil, 10.0.0.2"], "10.0.0.2"),
            (proxy, &["198.51.100.1\u{e9}"], proxy),
            (proxy, &["_hidden"], proxy),
            (proxy, &["300.1.1.1"], proxy),
            // Empty elements are no entries; ports and brackets are allowed.
            (proxy, &["198.51.100.1, , "], "198.51.100.1"),
            (proxy, &["", "198.51.100.1", ""], "198.51.100.1"),
            (proxy, &["198.51.100.1:4711"], "198.51.100.1"),
            (proxy, &["[2001:db8::1]:4711"], "2001:db8::1"),
            (proxy, &["[2001:db8::1]"], "2001:db8::1"),
            (proxy, &["2001:db8::1"], "2001:db8::1"),
            (proxy, &["::ffff:198.51.100.1"], "198.51.100.1"),
            // An IPv4 peer of a dual-stack socket is the same peer.
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
        ];
        let exposure =
            decide_exposure("127.0.0.1:1".parse().unwrap(), false, &proxies(&["10.0.0.0/8"])).unwrap();
        for &(peer, lines, client) in cases {
            let mut headers = HeaderMap::new();
            headers.append("forwarded", HeaderValue::from_static("for=203.0.113.99"));
            headers.append("x-real-ip", HeaderValue::from_static("203.0.113.99"));
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let found = exposure.client_address(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "peer {peer}, lines {lines:?}");
        }
    }

    #[test]
    fn without_trusted_proxies_no_header_is_believed() {
        let exposure = decide_exposure("127.0.0.1:1".parse().unwrap(), false, &[]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(exposure.client_address(peer, &headers), peer);
    }
}
