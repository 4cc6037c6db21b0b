//! TLS with the wrong authority, the wrong name, on the wrong port, and as it should be.

use std::sync::Arc;

use kafka_migrate::{cluster::Source, model::connection::Connection, wire};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::{
    broker::{Broker, Reply},
    lines::nothing_is_written,
};

/// A broker with a certificate for `name`, and the authority that signed it.
pub async fn broker_for(name: &str) -> (Broker, String) {
    broker_until(name, 365).await
}

/// The same, with a certificate that ends in so many days.
pub async fn broker_until(name: &str, days: i64) -> (Broker, String) {
    let ca_key = KeyPair::generate().expect("keys can be made");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names are valid names");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).expect("self-signing works").pem();
    let key = KeyPair::generate().expect("keys can be made");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("the name is valid");
    params.not_after = (std::time::SystemTime::now()
        + std::time::Duration::from_secs(u64::try_from(days).expect("it is to come") * 86_400))
    .into();
    let certificate = params
        .signed_by(&key, &Issuer::new(ca, ca_key))
        .expect("signing works");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(
            vec![
                CertificateDer::from_pem_slice(certificate.pem().as_bytes())
                    .expect("it was just written"),
            ],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())
                .expect("it was just written"),
        )
        .expect("key and certificate belong together");
    (
        Broker::start(Some(TlsAcceptor::from(Arc::new(config))), |_| Reply::Honest).await,
        ca_pem,
    )
}

async fn dies_of(settings: &Connection) -> wire::Error {
    let error = Source::connect(settings)
        .await
        .map(drop)
        .expect_err("it cannot connect");
    error
        .wire()
        .unwrap_or_else(|| panic!("not a connection's error: {error}"))
        .clone()
}

#[tokio::test]
async fn a_private_authority_is_enough() {
    let (broker, ca) = broker_for("127.0.0.1").await;
    assert_eq!(
        Source::connect(&broker.tls_settings(&ca))
            .await
            .expect("it connects")
            .id(),
        "cluster"
    );
    nothing_is_written(&broker, &broker.tls_settings(&ca)).await;
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_refused() {
    let (broker, ca) = broker_for("127.0.0.1").await;
    let (elsewhere, other_ca) = broker_for("elsewhere.example").await;
    let issuer = dies_of(&broker.tls_settings(&other_ca)).await;
    assert!(
        matches!(issuer, wire::Error::UnknownIssuer { .. }),
        "{issuer:?}"
    );
    let name = dies_of(&elsewhere.tls_settings(&other_ca)).await;
    assert!(
        matches!(name, wire::Error::CertificateName { ref host, .. } if host == "127.0.0.1"),
        "{name:?}"
    );
    for pem in [
        "",
        "nothing",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let roots = dies_of(&broker.tls_settings(pem)).await;
        assert!(matches!(roots, wire::Error::Roots { .. }), "{roots:?}");
    }
    drop(ca);
}

#[tokio::test]
async fn tls_spoken_to_a_plain_port() {
    let plain = Broker::start(None, |_| Reply::Honest).await;
    let (_, ca) = broker_for("127.0.0.1").await;
    let error = dies_of(&plain.tls_settings(&ca)).await;
    assert!(matches!(error, wire::Error::NotTls { .. }), "{error:?}");
}

#[tokio::test]
async fn plain_text_spoken_to_a_tls_port() {
    let (broker, _) = broker_for("127.0.0.1").await;
    let error = dies_of(&broker.settings()).await;
    assert!(matches!(error, wire::Error::SpeaksTls { .. }), "{error:?}");
}
