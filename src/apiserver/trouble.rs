//! Names the cause of a request without answer, and what to do about it where a person has to. It looks at errors only.

use std::error::Error;

use super::connector::NotConnected;
use crate::transport::{self, TlsFault};

/// Why there is no answer: the cause, without what it came through.
pub fn unreached(error: &(dyn Error + 'static)) -> String {
    let via = transport::find::<NotConnected>(error).and_then(|error| error.via.as_ref());
    let by = via.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
    if let Some(fault) = TlsFault::of(error) {
        return format!("the TLS handshake with the API server{by} fails: {fault}{}", remedy(&fault));
    }
    let cause = transport::chain(error).last().map(ToString::to_string).unwrap_or_default();
    format!("the API server cannot be reached{by}: {cause}")
}

fn remedy(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::UnknownIssuer | TlsFault::Namesake => {
            ". Put the certificate's authority into certificate-authority-data of the kubeconfig (without one, SSL_CERT_FILE names the trusted authorities)"
        }
        TlsFault::WrongName { .. } => {
            ". Use one of the certificate's names in the kubeconfig's server, or set tls-server-name"
        }
        TlsFault::Expired | TlsFault::NotYetValid => {
            ". Renew the certificate, unless the clock of this machine is wrong"
        }
        TlsFault::NotTls => ". Use http:// in the kubeconfig's server if the server is meant to speak plain HTTP",
        TlsFault::ClientCertificate => ". Renew the client certificate of the kubeconfig",
        TlsFault::Revoked | TlsFault::Unfit(_) | TlsFault::Other(_) => "",
    }
}
