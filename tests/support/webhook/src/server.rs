//! The HTTPS server: a certificate, connections, and what goes over them. It must not decide any answer.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::registration::PROBE;
use super::review::{self, Reply};
use super::{Answer, Error, Shared};

/// Listens on a free port of 127.0.0.1; returns where, and the CA to trust.
pub(crate) async fn start(shared: Arc<Shared>) -> Result<(SocketAddr, String, JoinHandle<()>), Error> {
    let (config, ca_pem) = tls()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), shared));
    Ok((address, ca_pem, accepting))
}

/// A CA, and a server certificate for 127.0.0.1 that it signed.
fn tls() -> Result<(ServerConfig, String), Error> {
    let named = |name: &str| -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(params)
    };
    let mut ca = named("CA of an admission webhook for tests")?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let mut server = named("an admission webhook for tests")?;
    server.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
    let key = KeyPair::generate()?;
    let certificate: CertificateDer<'static> = server.signed_by(&key, &issuer)?.into();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok((config, ca_pem))
}

/// Dropped with its task set, so that aborting it closes every connection.
async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, tls.clone(), Arc::clone(&shared)));
            }
            // Out of file descriptors, or the peer gave up in between: the next one may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    // Without it small answers wait for the peer's delayed acknowledgement; failing to set it costs time only.
    let _ = stream.set_nodelay(true);
    // A client that does not trust us, or none that speaks TLS: its affair.
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(|request| reviewed(request, Arc::clone(&shared)));
    // An error here is a broken connection, or one that an order closes.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn reviewed(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, io::Error> {
    let is_probe = request.uri().path() == PROBE;
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let Some(request) = review::request(&body) else {
        return answered(400, "not an AdmissionReview".to_owned());
    };
    let (request, answer) = if is_probe {
        shared.probed();
        (request, Answer::Allow)
    } else {
        shared.answer(request)
    };
    if let Answer::Late(after) = answer {
        tokio::time::sleep(after).await;
    }
    match review::reply(&request, &answer) {
        Reply::Http(status, body) => answered(status, body),
        Reply::Closed => Err(io::Error::other("closed to order")),
        Reply::Never => match std::future::pending::<Infallible>().await {},
    }
}

fn answered(status: u16, body: String) -> Result<Response<Full<Bytes>>, io::Error> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Full::new(Bytes::from(body))).map_err(io::Error::other)
}
