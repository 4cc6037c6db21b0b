//! A private certificate authority and a broker's certificate, as PEM files.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Writes `ca.pem` (for clients) and `broker.pem` (key and chain, for brokers) into a directory.
pub fn write_into(directory: &Path, authority: &str) {
    let ca_key = KeyPair::generate().expect("keys can be made");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names are valid names");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, authority);
    let ca_pem = ca.self_signed(&ca_key).expect("self-signing works").pem();

    let key = KeyPair::generate().expect("keys can be made");
    let mut broker = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .expect("the names are valid");
    broker.distinguished_name.push(DnType::CommonName, "broker");
    let certificate = broker
        .signed_by(&key, &Issuer::new(ca, ca_key))
        .expect("signing works")
        .pem();

    fs::write(directory.join("ca.pem"), &ca_pem).expect("the directory is writable");
    fs::write(
        directory.join("broker.pem"),
        format!("{}{certificate}{ca_pem}", key.serialize_pem()),
    )
    .expect("the directory is writable");
}
