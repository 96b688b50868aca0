//! Everything that can be wrong with an address, a server or its answer. No text from outside is part of it.

use obol_oauth::OutgoingError;

use crate::judgement::Unfit;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("this is not a URL that can be asked")]
    NotAnAddress,
    #[error("only https is asked")]
    NotHttps,
    #[error("the URL has a fragment (`#…`); leave that out")]
    Fragment,
    #[error("the URL has a user name or password; leave that out")]
    Userinfo,
    #[error("the URL's host is neither a plain host name nor an IP address in its usual form")]
    NotAHost,
    #[error("it has {0}, which is not asked unless `outgoing_allow` names the host")]
    Private(Unfit),
    #[error("it has {0}, which is never asked")]
    Never(Unfit),

    #[error("too many servers are being asked at this moment")]
    Busy,
    #[error("the attempt was given up")]
    GivenUp,
    #[error("it did not answer in time")]
    TooSlow,
    #[error("the host name has no address")]
    NoAddress,
    #[error("it cannot be connected to")]
    NoConnection,
    #[error("no TLS connection came about")]
    NoTls,
    #[error("its certificate is for another host")]
    OtherHost,
    #[error("its certificate is over, or not good yet")]
    NotNow,
    #[error("its certificate is not from an authority that this server trusts")]
    Untrusted,
    #[error("its certificate is not valid")]
    BadCertificate,
    #[error("its answer is not good HTTP/1.1")]
    NotHttp,
    #[error("the head of its answer is too large")]
    LargeHead,
    #[error("its answer is too large")]
    Large,
    #[error("the connection ended within the answer")]
    Cut,
    #[error("it answered {0}, and redirects are not followed")]
    Redirect(u16),
    #[error("it answered {0}")]
    Status(u16),
    #[error("its answer is encoded (`Content-Encoding`), which was not asked for")]
    Encoded,
    #[error("its answer does not say that it is JSON (`Content-Type`)")]
    NotJson,
    #[error("its answer does not say that it is a request object (`Content-Type`)")]
    NotRequestObject,
    #[error("its answer is not UTF-8")]
    NotText,
}

impl Trouble {
    /// As the protocol is told. `host` has been read, so it is plain text; without one, there was none to be read.
    pub(crate) fn about(self, host: Option<&str>) -> OutgoingError {
        let sentence = match host {
            Some(host) => format!("{host}: {self}."),
            None => format!("{self}."),
        };
        match self {
            Self::Busy => OutgoingError::Busy(sentence),
            refusal if refusal.is_refusal() => OutgoingError::Refused(sentence),
            _ => OutgoingError::Failed(sentence),
        }
    }

    /// The same, and logged: it has cost a look at the network. Strangers name hosts, so it is nothing for the usual log.
    pub(crate) fn noted_about(self, host: &str) -> OutgoingError {
        tracing::debug!(host, reason = %self, "another server could not be asked");
        self.about(Some(host))
    }

    /// Whether nothing was sent, because the address is not one that may be asked.
    const fn is_refusal(self) -> bool {
        use Trouble::{Fragment, Never, NotAHost, NotAnAddress, NotHttps, Private, Userinfo};
        matches!(self, NotAnAddress | NotHttps | Fragment | Userinfo | NotAHost | Private(_) | Never(_))
    }
}
