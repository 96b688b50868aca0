//! Addresses that are not asked: nothing is connected to, by the count of the network and of listeners.

use std::net::TcpListener;
use std::sync::Arc;

use obol_oauth::{Freshness, NamedBy, Outgoing, OutgoingError};
use obol_outgoing::{Authorities, GuardedDoor, Limits, Network};

use crate::network::{PUBLIC, TestNetwork, door_to};

/// Written out, or in a form that resolvers take for an address.
const ADDRESSES: &[&str] = &[
    // Loopback, private, shared.
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.255",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.255.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.254",
    // Metadata of clouds, link-local.
    "169.254.169.254",
    "169.254.0.1",
    "168.63.129.16",
    "192.0.0.192",
    // Reserved, documentation, benchmarks, multicast, broadcast.
    "0.0.0.0",
    "0.1.2.3",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    // IPv4 in disguise.
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "0",
    "010.0.0.1",
    "1.2.3.4.5",
    "169.254.43518",
    "%31%32%37.0.0.1",
    "127%2e0.0.1",
    // IPv6.
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[febf::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[2001::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[5f00::1]",
    "[4000::1]",
    "[64:ff9b:1::5db8:d822]",
    // IPv4 within IPv6.
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[::a9fe:a9fe]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::192.168.1.1]",
    "[2002:7f00:1::1]",
    "[2002:a9fe:a9fe::1]",
    "[2002:c0a8:101::]",
    "[2001:0:7f00:1::1]",
    "[v1.fe80::1]",
];

/// Not addresses at all, or not such as are asked.
const URLS: &[&str] = &[
    "",
    "app.example",
    "http://app.example/",
    "HTTP://app.example/",
    "ftp://app.example/",
    "file:///etc/passwd",
    "gopher://app.example/",
    "data:application/json,{}",
    "https:app.example",
    "https:///keys",
    "https://",
    "https://:443/",
    "https://app.example#a",
    "https://app.example/#",
    "https://alice@app.example/",
    "https://alice:secret@app.example/",
    "https://app.example@127.0.0.1/",
    "https://app.example:0/",
    "https://app.example:65536/",
    "https://app.example:/",
    "https://app.example:443x/",
    "https://app.example./",
    "https://.example/",
    "https://app..example/",
    "https://-app.example/",
    "https://app.example\\@127.0.0.1/",
    "https://app.example /",
    "https://app.example/\r\nX: y",
    "https://app.example/ü",
    "https://\u{ff11}27.0.0.1/",
    "https://app*.example/",
    "https://[::1/",
    "https://::1/",
];

async fn refusal(door: &dyn Outgoing, url: &str) -> String {
    let fetched = door.fetch(url, NamedBy::Operator, Freshness::Kept).await;
    let posted = door.post_form(url, NamedBy::Operator, "a=b".to_owned()).await;
    match (fetched, posted) {
        (Err(OutgoingError::Refused(reason)), Err(OutgoingError::Refused(same))) if reason == same => reason,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn rfc7591_5_no_address_but_a_public_one_is_asked() {
    let network = Arc::new(TestNetwork::unreachable());
    let door = door_to(&network, Limits::default());
    for host in ADDRESSES {
        for url in [format!("https://{host}/jwks"), format!("https://{host}:8443/jwks")] {
            refusal(&door, &url).await;
        }
    }
    assert_eq!((network.connected(), network.resolved()), (vec![], vec![]));
    assert!(ADDRESSES.len() >= 60);
}

#[tokio::test]
async fn rfc7591_5_names_are_judged_by_every_address_that_they_have() {
    let ips = ADDRESSES.iter().map(|text| text.trim_matches(['[', ']']));
    let ips: Vec<&str> = ips.filter(|text| text.parse::<std::net::IpAddr>().is_ok()).collect();
    assert!(ips.len() >= 55, "{}", ips.len());
    for ip in ips {
        for answers in [&[ip][..], &[ip, PUBLIC], &[PUBLIC, ip], &[PUBLIC, "2606:2800:220:1::1", ip]] {
            let network = Arc::new(TestNetwork::unreachable().naming("app.example", &[answers]));
            refusal(&door_to(&network, Limits::default()), "https://app.example/jwks").await;
            assert_eq!(network.connected(), [""; 0], "{ip}");
        }
    }
}

#[tokio::test]
async fn what_is_not_an_https_address_is_not_asked() {
    let network = Arc::new(TestNetwork::unreachable().naming("app.example", &[&[PUBLIC]]));
    let door = door_to(&network, Limits::default());
    let long = format!("https://app.example/{}", "x".repeat(2_048));
    for url in URLS.iter().copied().chain([&*long]) {
        let reason = refusal(&door, url).await;
        for secret in ["secret", "alice", "X: y", "xxxx"] {
            assert!(!reason.contains(secret), "{reason}");
        }
    }
    assert_eq!((network.connected(), network.resolved()), (vec![], vec![]));
}

/// The same over the network of this machine, where something listens.
#[tokio::test]
async fn listeners_of_this_machine_are_not_connected_to() {
    let listeners: Vec<TcpListener> =
        ["127.0.0.1:0", "[::1]:0"].iter().filter_map(|any| TcpListener::bind(any).ok()).collect();
    assert!(!listeners.is_empty());
    let door = GuardedDoor::new(Authorities::of_the_machine(), Vec::new());
    for listener in &listeners {
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in
            ["127.0.0.1", "localhost", "LocalHost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"]
        {
            refusal(&door, &format!("https://{host}:{port}/")).await;
        }
        assert!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
}

#[tokio::test]
async fn public_addresses_are_connected_to() {
    let hosts = [
        PUBLIC,
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "192.0.1.1",
        "198.17.255.255",
        "223.255.255.255",
        "[2606:2800:220:1::1]",
        "[2a00::1]",
        "[64:ff9b::93.184.216.34]",
        "[::ffff:93.184.216.34]",
        "[2002:5db8:d822::1]",
        "[2001:200::1]",
    ];
    for host in hosts {
        let network = Arc::new(TestNetwork::unreachable());
        let door = door_to(&network, Limits::default());
        let failed = door.fetch(&format!("https://{host}/"), NamedBy::Operator, Freshness::Kept).await;
        assert!(matches!(failed, Err(OutgoingError::Failed(_))), "{host}: {failed:?}");
        assert_eq!(network.connected().len(), 1, "{host}");
    }
}

#[tokio::test]
async fn an_operator_may_open_private_networks_by_host_and_port() {
    let door = |network: &Arc<TestNetwork>| {
        let allowed = ["10.0.0.1", "inside.example", "other.example:8443"].map(str::to_owned).to_vec();
        let network: Arc<dyn Network> = network.clone();
        GuardedDoor::over(network, Authorities::of_the_machine(), allowed, Limits::default())
    };
    let named = |ip: &str| {
        let hosts = ["inside.example", "other.example", "sub.inside.example"];
        let none = TestNetwork::unreachable();
        Arc::new(hosts.into_iter().fold(none, |network, host| network.naming(host, &[&[ip]])))
    };
    for url in ["https://10.0.0.1/", "https://INSIDE.example/", "https://other.example:8443/"] {
        for ip in ["10.0.0.9", "127.0.0.1", "fd00::1", "100.64.0.1", "::1", PUBLIC] {
            let network = named(ip);
            let failed = door(&network).fetch(url, NamedBy::Operator, Freshness::Kept).await;
            assert!(matches!(failed, Err(OutgoingError::Failed(_))), "{url} {ip}: {failed:?}");
            assert_eq!(network.connected().len(), 1);
        }
    }
    for url in [
        "https://10.0.0.1:8443/",
        "https://10.0.0.2/",
        "https://inside.example:8443/",
        "https://other.example/",
        "https://sub.inside.example/",
    ] {
        let network = named("10.0.0.9");
        assert!(refusal(&door(&network), url).await.contains("outgoing_allow"));
        assert_eq!(network.connected(), [""; 0]);
    }
    // What lies next to a cloud's machine is not opened by a name.
    for ip in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1", "::"] {
        let network = named(ip);
        refusal(&door(&network), "https://inside.example/").await;
        assert_eq!(network.connected(), [""; 0]);
    }
}
