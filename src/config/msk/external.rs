//! The external cluster as MSK Replicator is to meet it: where, as whom, whom it trusts, and where that is kept.

use super::super::{credentials, overlay::Resolving};
use super::{LISTENER, SOURCE_AUTH};
use crate::model::{
    connection::{Auth, Connection, ScramHash},
    msk::{Authority, Login, Secrets},
    secret::Stored,
};

impl Resolving<'_> {
    pub(super) fn source_bootstrap(&mut self) -> Option<Vec<String>> {
        let hosts = self.texts("msk.source_bootstrap");
        if hosts.is_none() {
            self.missing(
                "msk.source_bootstrap",
                &format!(": {LISTENER}, and we speak to the source without TLS"),
            );
        }
        hosts
    }

    pub(super) fn source_login(&mut self, source: Option<&Connection>) -> Option<Login> {
        let [mechanism, username, password] = SOURCE_AUTH;
        if !SOURCE_AUTH.iter().any(|path| self.is_written(path)) {
            match source.map(|source| &source.auth) {
                Some(Auth::Scram {
                    hash,
                    username,
                    password,
                }) => {
                    return Some(Login {
                        hash: *hash,
                        username: username.clone(),
                        password: password.clone(),
                    });
                }
                // What is wrong with the source's login is said already.
                None => return None,
                Some(Auth::None | Auth::Plain { .. } | Auth::Bearer(_)) => {
                    let why = format!(": {LISTENER}, and we log in to the source otherwise");
                    self.missing(mechanism, &why);
                    return None;
                }
            }
        }
        let hash = match self.needed(mechanism).as_deref() {
            Some("scram-sha-256") => Some(ScramHash::Sha256),
            Some("scram-sha-512") => Some(ScramHash::Sha512),
            Some(other) => {
                let message = format!("{other:?} is not taken here");
                self.bad(mechanism, message, "write scram-sha-512 or scram-sha-256");
                None
            }
            None => None,
        };
        let name = self.needed(username);
        if self.value(password).is_none() {
            self.missing(password, "");
        }
        let secret = self.secret(password);
        Some(Login {
            hash: hash?,
            username: name?,
            password: secret?,
        })
    }

    pub(super) fn source_ca(&mut self, source: Option<&Connection>) -> Option<Authority> {
        const PATH: &str = "msk.source_ca";
        let Some(text) = self.text(PATH) else {
            // The listener is missing, too, and that is what a person has to think of.
            if self.value("msk.source_bootstrap").is_some() {
                self.missing(PATH, "");
            }
            return None;
        };
        if text == "public" {
            return Some(Authority::Public);
        }
        let (path, pem) = if self.is_written(PATH) {
            let path = self.start_of(PATH).join(&text);
            match credentials::certificates(&path) {
                Ok(pem) => (path, pem),
                Err(refused) => {
                    self.unreadable(PATH, refused);
                    return None;
                }
            }
        } else {
            let tls = source?.tls.as_ref()?;
            (tls.ca_path.clone()?, tls.ca_pem.clone()?)
        };
        let shown = path.display();
        let Ok(pem) = String::from_utf8(pem) else {
            self.bad(
                PATH,
                format!("{shown} is not UTF-8 text"),
                "a secret holds text: keep the certificates in a file of their own",
            );
            return None;
        };
        if let Err(why) = certificates_in(&pem) {
            self.bad(
                PATH,
                format!("{shown} cannot be used: {why}"),
                "it must hold the authority's certificates, root and intermediates, in PEM",
            );
            return None;
        }
        Some(Authority::Private { path, pem })
    }

    pub(super) fn secrets(&mut self, region: Option<&str>) -> Option<Secrets> {
        const PATH: &str = "msk.secrets";
        let texts = self.texts(PATH)?;
        match texts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["one"] => return Some(Secrets::One),
            ["two"] => return Some(Secrets::Two),
            [_] | [_, _] => {}
            _ => {
                let message = format!(
                    "takes \"one\", \"two\", or one or two ARNs, and here are {}",
                    texts.len()
                );
                self.bad(
                    PATH,
                    message,
                    "the first holds the login, the second the certificates",
                );
                return None;
            }
        }
        let mut is_sound = true;
        for text in &texts {
            let wrong = match Stored::new(text, None) {
                Err(why) => Some(why),
                Ok(stored) if !stored.is_complete() => Some(format!(
                    "{text:?} is not the whole ARN: it ends in a hyphen and six characters"
                )),
                Ok(stored) => region
                    .filter(|region| *region != stored.region())
                    .map(|region| {
                        format!("{text:?} is not in {region}, where the replicators are")
                    }),
            };
            if let Some(wrong) = wrong {
                self.bad(PATH, wrong, "`aws secretsmanager list-secrets` shows it; or write \"one\" or \"two\", and they are made");
                is_sound = false;
            }
        }
        let mut texts = texts.into_iter();
        let login = texts.next().filter(|_| is_sound)?;
        Some(Secrets::Existing {
            login,
            certificates: texts.next(),
        })
    }
}

/// Are there certificates in it, and nothing that is none?
fn certificates_in(pem: &str) -> Result<(), String> {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("not PEM ({error})"))?;
        rustls::RootCertStore::empty()
            .add(certificate)
            .map_err(|error| error.to_string())?;
        found += 1;
    }
    match found {
        0 => Err("no PEM certificate in it".into()),
        _ => Ok(()),
    }
}
