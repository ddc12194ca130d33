//! What can go wrong below HTTP, found in an error's chain and put into words. Pure, and of no client: the one of Unkey and the one of
//! Kubernetes name the same causes by the same words. It gives no advice, since the remedy is another one for each.

use std::error::Error;
use std::fmt;

use rustls::{AlertDescription, CertificateError};

/// The errors of a chain, outermost first. What an [`std::io::Error`] holds is part of it: its `source` skips that.
pub fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'e (dyn Error + 'static)| {
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(held) => Some(held as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The first error of that type in the chain.
pub fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// Why no TLS session came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// No trusted authority has issued the certificate.
    UnknownIssuer,
    /// An authority has issued the certificate that only has the name of a trusted one: one that was made anew, or that of another cluster.
    Namesake,
    /// The certificate is for other names.
    WrongName {
        /// The names in it, if it has told them; at most three.
        presented: Vec<String>,
    },
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate was revoked.
    Revoked,
    /// The certificate is unfit for another reason, in the TLS library's words.
    Unfit(String),
    /// What answers does not speak TLS.
    NotTls,
    /// The server wants a certificate of ours, or another one.
    ClientCertificate,
    /// Anything else, in the TLS library's words.
    Other(String),
}

impl TlsFault {
    /// The TLS fault in an error's chain, if there is one.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        find::<rustls::Error>(error).map(Self::from)
    }

    /// Whether only a person can remove it: a certificate, or a server that speaks no TLS. The rest may pass.
    pub fn needs_a_person(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => certificate(error),
            // The record layer met something that is no TLS record, as where plain HTTP is spoken.
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA,
            ) => Self::ClientCertificate,
            other => Self::Other(other.to_string()),
        }
    }
}

fn certificate(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::BadSignature => TlsFault::Namesake,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::Revoked => TlsFault::Revoked,
        CertificateError::NotValidForName => TlsFault::WrongName { presented: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsFault::WrongName { presented: presented.iter().take(3).map(|name| plain(name)).collect() }
        }
        // A self-signed certificate that calls itself an authority. The library that says so is not one of ours.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::UnknownIssuer,
        other => TlsFault::Unfit(plain(&other.to_string())),
    }
}

/// A name in a certificate comes from the other side: `DnsName("x")` as `x`, short, and without characters that a terminal obeys.
fn plain(name: &str) -> String {
    let inner = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")")).unwrap_or(name);
    inner.chars().filter(|c| !c.is_control()).take(100).collect()
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("the server's certificate is issued by an unknown authority"),
            Self::Namesake => {
                f.write_str("the server's certificate is issued by an unknown authority with the name of a trusted one")
            }
            Self::WrongName { presented } if presented.is_empty() => {
                f.write_str("the server's certificate is for another name")
            }
            Self::WrongName { presented } => {
                write!(f, "the server's certificate is for another name ({})", presented.join(", "))
            }
            Self::Expired => f.write_str("the server's certificate has expired"),
            Self::NotYetValid => f.write_str("the server's certificate is not valid yet"),
            Self::Revoked => f.write_str("the server's certificate was revoked"),
            Self::Unfit(why) => write!(f, "the server's certificate is not accepted: {why}"),
            Self::NotTls => f.write_str("the server does not speak TLS"),
            Self::ClientCertificate => f.write_str("the server does not accept the client's certificate"),
            Self::Other(why) => write!(f, "TLS error: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    /// As hyper hands them on: in an `io::Error`.
    fn told(error: rustls::Error) -> (String, bool) {
        let fault = TlsFault::of(&std::io::Error::other(error)).unwrap();
        (fault.to_string(), fault.needs_a_person())
    }

    fn told_of(error: CertificateError) -> String {
        told(rustls::Error::InvalidCertificate(error)).0
    }

    #[derive(Debug, thiserror::Error)]
    #[error("CaUsedAsEndEntity")]
    struct LikeWebpki;

    #[test]
    fn each_cause_has_its_words() {
        assert_eq!(
            told_of(CertificateError::UnknownIssuer),
            "the server's certificate is issued by an unknown authority"
        );
        let self_signed = CertificateError::Other(OtherError(Arc::new(LikeWebpki)));
        assert_eq!(told_of(self_signed), "the server's certificate is issued by an unknown authority");
        assert_eq!(told_of(CertificateError::Expired), "the server's certificate has expired");
        assert_eq!(told_of(CertificateError::NotValidYet), "the server's certificate is not valid yet");
        assert_eq!(told_of(CertificateError::Revoked), "the server's certificate was revoked");
        assert_eq!(told_of(CertificateError::NotValidForName), "the server's certificate is for another name");
        let presented = ["DnsName(\"a.example\")", "b\u{1b}[2J", "c", "d"].map(str::to_owned).to_vec();
        let expected = rustls::pki_types::ServerName::try_from("x.example").unwrap();
        let named = CertificateError::NotValidForNameContext { expected, presented };
        assert_eq!(told_of(named), "the server's certificate is for another name (a.example, b[2J, c)");
        let namesake = "the server's certificate is issued by an unknown authority with the name of a trusted one";
        assert_eq!(told_of(CertificateError::BadSignature), namesake);
        assert!(told_of(CertificateError::BadEncoding).starts_with("the server's certificate is not accepted: "));
    }

    #[test]
    fn what_may_pass_needs_no_person() {
        let alert = |alert| told(rustls::Error::AlertReceived(alert));
        assert!(!alert(AlertDescription::InternalError).1);
        let wanted = ("the server does not accept the client's certificate".to_owned(), true);
        assert_eq!(alert(AlertDescription::CertificateRequired), wanted);
        let plain = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(told(plain), ("the server does not speak TLS".to_owned(), true));
    }

    #[test]
    fn other_errors_are_none_of_tls() {
        assert_eq!(TlsFault::of(&std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None);
    }
}
