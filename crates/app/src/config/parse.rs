//! Texts into values. Each error says what a right value looks like.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use obol_oauth::{Issuer, ProtectedResource, RegistrationSettings};
use obol_token::Scopes;

use super::database_url::DatabaseUrl;

/// A path.
pub(super) fn path(texts: &[String]) -> Result<PathBuf, String> {
    match single(texts)? {
        text if text.contains('\0') => Err("a path holds no NUL character".to_owned()),
        text => Ok(PathBuf::from(text)),
    }
}

/// A URL of PostgreSQL. An error does not repeat it: it may hold a password.
pub(super) fn database_url(texts: &[String]) -> Result<DatabaseUrl, String> {
    DatabaseUrl::parse(single(texts)?)
}

/// An IP address with a port.
pub(super) fn listen(texts: &[String]) -> Result<SocketAddr, String> {
    let text = single(texts)?;
    text.parse().map_err(|_| {
        format!("{text:?} is not an IP address with a port: write it like 127.0.0.1:8080 or [::1]:8080")
    })
}

/// An issuer (RFC 8414 §2).
pub(super) fn issuer(texts: &[String]) -> Result<Issuer, String> {
    let text = single(texts)?;
    text.parse().map_err(|error| format!("{text:?}: {error}; write it like https://tokens.example.org"))
}

/// A name that people are shown.
pub(super) fn display_name(texts: &[String]) -> Result<String, String> {
    let text = single(texts)?.trim();
    match !text.is_empty() && text.chars().count() <= 60 && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not a name of 1 to 60 characters on one line")),
    }
}

/// On or off.
pub(super) fn flag(texts: &[String]) -> Result<bool, String> {
    let text = single(texts)?;
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

/// Networks; an address alone is a network of one.
pub(super) fn networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    let network = |text: &String| {
        let text = text.trim();
        let network = IpNet::from_str(text).or_else(|_| IpAddr::from_str(text).map(IpNet::from));
        match network {
            Ok(network) if network.prefix_len() == 0 => {
                Err(format!("{text} is every address there is: name the networks of the proxies"))
            }
            Ok(network) => Ok(network),
            Err(_) => Err(format!("{text:?} is not a network: write it like 10.0.0.0/8 or 192.0.2.7")),
        }
    };
    texts.iter().map(network).collect()
}

/// Hosts, each with its port if it is not that of the scheme.
pub(super) fn hosts(texts: &[String]) -> Result<Vec<String>, String> {
    let host = |text: &String| {
        let text = text.trim().to_ascii_lowercase();
        let (name, port) = text.rsplit_once(':').map_or((&*text, None), |(name, port)| (name, Some(port)));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let named = !name.is_empty() && name.bytes().all(plain);
        match named && port.is_none_or(|port| port.parse::<u16>().is_ok()) {
            true => Ok(text),
            false => {
                Err(format!("{text:?} is not a host: write it like app.example.org or app.example.org:8443"))
            }
        }
    };
    texts.iter().map(host).collect()
}

/// Identifiers of protected resources (RFC 9728 §1.2).
pub(super) fn resources(texts: &[String]) -> Result<Vec<ProtectedResource>, String> {
    let resource = |text: &String| {
        let read = text.trim().parse::<ProtectedResource>();
        read.map_err(|error| format!("{text:?}: {error}; write it like https://api.example.org/orders"))
    };
    texts.iter().map(resource).collect()
}

/// Scopes, for clients that no operator has added.
pub(super) fn scopes_of_strangers(texts: &[String]) -> Result<Scopes, String> {
    let text = texts.join(" ");
    let scopes: Scopes = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    if scopes.is_empty() {
        return Err("name at least one scope".to_owned());
    }
    let reserved = scopes.iter().any(|scope| scope.as_str() == RegistrationSettings::SCOPE);
    match reserved {
        false => Ok(scopes),
        true => Err(format!(
            "{} is for those who register clients, and no client that comes by itself may have it",
            RegistrationSettings::SCOPE
        )),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number<N>(texts: &[String], unit: &str, least: N, most: N) -> Result<N, String>
where
    N: FromStr + PartialOrd + std::fmt::Display,
{
    let text = single(texts)?;
    match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("{text:?} is not a whole number of {unit} from {least} to {most}")),
    }
}

/// One of some names.
pub(super) fn one_of<T: Copy, const N: usize>(
    texts: &[String],
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let text = single(texts)?;
    let found = all.into_iter().find(|&one| name(one) == text);
    found.ok_or_else(|| format!("{text:?} is not one of {}", all.map(name).join(", ")))
}

fn single(texts: &[String]) -> Result<&str, String> {
    match texts {
        [text] if text.is_empty() => Err("it is empty: give a value or leave the option out".to_owned()),
        [text] => Ok(text),
        _ => Err("it takes one value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> [String; 1] {
        [text.to_owned()]
    }

    #[test]
    fn an_issuer_is_refused_with_a_right_form() {
        assert!(issuer(&texts("https://tokens.example.org")).is_ok());
        let wrong = issuer(&texts("http://tokens.example.org")).unwrap_err();
        assert!(wrong.ends_with("write it like https://tokens.example.org"), "{wrong}");
    }

    #[test]
    fn a_display_name_is_short_and_on_one_line() {
        assert_eq!(display_name(&texts(" Example Ltd ")).unwrap(), "Example Ltd");
        for wrong in ["", " ", "a\nb", &"x".repeat(61)] {
            assert!(display_name(&texts(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_is_not_the_whole_world() {
        let networks = |list: &[&str]| {
            super::networks(&list.iter().map(ToString::to_string).collect::<Vec<_>>())
                .map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            networks(&["10.0.0.0/8", " fd00::/8", "192.0.2.7"]).unwrap(),
            ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"]
        );
        for wrong in ["0.0.0.0/0", "::/0", "10.0.0.0/33", "proxy.example.org", ""] {
            assert!(networks(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_is_a_name_with_or_without_a_port() {
        let hosts = |text: &str| super::hosts(&texts(text));
        assert_eq!(hosts(" App.example.org:8443").unwrap(), ["app.example.org:8443"]);
        assert!(hosts("localhost").is_ok() && hosts("192.0.2.7:80").is_ok());
        for wrong in
            ["", "https://app.example.org", "app.example.org/", "*.example.org", "a:b", "a:70000", ":1"]
        {
            assert!(hosts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_protected_resource_is_refused_with_a_right_form() {
        assert!(resources(&texts("https://api.example.org/orders")).is_ok());
        let wrong = resources(&texts("http://api.example.org")).unwrap_err();
        assert!(wrong.ends_with("write it like https://api.example.org/orders"), "{wrong}");
    }

    #[test]
    fn numbers_keep_to_their_edges() {
        for (text, right) in
            [("1", true), ("9", true), ("0", false), ("10", false), ("-1", false), ("2s", false)]
        {
            assert_eq!(number::<u32>(&texts(text), "files", 1, 9).is_ok(), right, "{text}");
        }
        let wrong = number::<u32>(&texts("2s"), "files", 1, 9).unwrap_err();
        assert_eq!(wrong, "\"2s\" is not a whole number of files from 1 to 9");
    }
}
