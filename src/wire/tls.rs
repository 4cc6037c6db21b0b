//! TLS: whom we trust, and what a failed handshake means.

use std::{io, sync::Arc};

use rustls::{CertificateError, ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Error, socket::Socket};
use crate::model::connection::Tls;

/// Reads the trusted certificates: the given ones, or the system's.
pub(super) fn config(settings: &Tls) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    let origin = settings
        .ca_path
        .as_ref()
        .map_or_else(String::new, |path| format!("{}: ", path.display()));
    let refused = |reason: String| Error::Roots {
        reason: format!("{origin}{reason}"),
    };
    if let Some(pem) = &settings.ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| refused(format!("not a PEM certificate ({error})")))?;
            roots
                .add(certificate)
                .map_err(|error| refused(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(refused("no PEM certificate in it".into()));
        }
    } else {
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            return Err(refused(
                "this system has none; name a file with `ca`".into(),
            ));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Does the handshake; the certificate has to be valid for `host`.
pub(super) async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    address: &str,
    socket: Socket,
) -> Result<TlsStream<Socket>, Error> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::Address {
        address: address.to_owned(),
    })?;
    TlsConnector::from(config)
        .connect(name, socket)
        .await
        .map_err(|error| explain(error, host, address))
}

fn explain(error: io::Error, host: &str, address: &str) -> Error {
    let address = address.to_owned();
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .cloned();
    let kind = error.kind();
    let source = Arc::new(error);
    match tls {
        // A bad signature: the authority has the name of one we trust, and another key.
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => Error::UnknownIssuer { address, source },
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Error::CertificateName {
            address,
            host: host.to_owned(),
            source,
        },
        // A plain broker reads our first record as a request of 369 MB and hangs up, or its answer is no TLS record.
        Some(rustls::Error::InvalidMessage(_)) => Error::NotTls { address, source },
        Some(_) => Error::Tls { address, source },
        None if matches!(
            kind,
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
        ) =>
        {
            Error::NotTls { address, source }
        }
        None => Error::Tls { address, source },
    }
}
