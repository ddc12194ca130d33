//! What may stand before a server, for tests: TLS with any certificate ([`TlsFront`]), and an HTTP proxy ([`ConnectProxy`]). They reconcile bytes on and
//! understand nothing of them. May not know the operator.

mod authority;
mod connect;
mod tls;

pub use self::authority::{Authority, Leaf, Validity};
pub use self::connect::ConnectProxy;
pub use self::tls::TlsFront;

/// Why something cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// No port.
    #[error("no port can be listened on: {0}")]
    Io(#[from] std::io::Error),
}
