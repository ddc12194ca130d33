//! TLS towards the API server: whom it trusts, as the kubeconfig or the Pod says. It opens no connection.

use std::sync::{Arc, Once};

use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use kube::client::ConfigExt as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::setup_error::SetupError;

/// `connector` with TLS on top, for those who speak HTTP/1.1.
pub(super) fn on_top_of<C>(connector: C, config: &kube::Config) -> Result<HttpsConnector<C>, SetupError> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(client_config(config)?).https_or_http();
    let named = config.tls_server_name.as_ref().map(|name| ServerName::try_from(name.clone()));
    let named = named.transpose().map_err(|_| SetupError::ServerName)?;
    Ok(match named {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)).enable_http1(),
        None => builder.enable_http1(),
    }
    .wrap_connector(connector))
}

/// Whether it was said that nobody is checked.
static TOLD: Once = Once::new();

fn client_config(config: &kube::Config) -> Result<ClientConfig, SetupError> {
    if !config.accept_invalid_certs {
        return config.rustls_client_config().map_err(SetupError::Client);
    }
    TOLD.call_once(|| {
        tracing::warn!(
            "the kubeconfig sets insecure-skip-tls-verify, so the certificate of the API server is not verified; remove that setting"
        );
    });
    // The client's own verifier says so at every handshake. Without authorities it need not find any on this machine.
    let mut trusting = config.clone();
    (trusting.accept_invalid_certs, trusting.root_cert) = (false, Some(Vec::new()));
    let mut tls = trusting.rustls_client_config().map_err(SetupError::Client)?;
    let provider = CryptoProvider::get_default().map_or_else(|| Arc::new(ring::default_provider()), Arc::clone);
    tls.dangerous().set_certificate_verifier(Arc::new(Anyone(provider)));
    Ok(tls)
}

/// Takes every certificate.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
