//! AWS's signature, version 4: who signs for which service and region, and whether it was made with the right secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::http::Request;

/// What an `Authorization` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub access_key: String,
    pub date: String,
    pub region: String,
    /// The service's signing name.
    pub service: String,
    headers: String,
    signature: String,
}

impl Signed {
    /// Takes the header apart; `None` if there is none or it is another kind.
    pub fn read(request: &Request) -> Option<Self> {
        let rest = request
            .header("authorization")?
            .strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let credential: Vec<&str> = field("Credential")?.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = credential[..] else {
            return None;
        };
        Some(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            headers: field("SignedHeaders")?.to_owned(),
            signature: field("Signature")?.to_owned(),
        })
    }

    /// Was it made with this secret?
    pub fn is_by(&self, secret: &str, request: &Request) -> bool {
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        );
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            request.header("x-amz-date").unwrap_or_default(),
            hex(&Sha256::digest(self.canonical(request))),
        );
        let key = [&self.date, &self.region, &self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
                keyed(&key, part.as_bytes())
            });
        hex(&keyed(&key, text.as_bytes())) == self.signature
    }

    /// The request as both sides write it down before they sign.
    fn canonical(&self, request: &Request) -> String {
        // Every service but S3 signs the path encoded once more.
        let path = request.path.replace('%', "%25");
        let mut pairs: Vec<(&str, &str)> = request
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        pairs.sort_unstable();
        let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let headers: String = self
            .headers
            .split(';')
            .map(|name| {
                let value = request.header(name).unwrap_or_default();
                let words: Vec<&str> = value.split_whitespace().collect();
                format!("{name}:{}\n", words.join(" "))
            })
            .collect();
        format!(
            "{}\n{path}\n{}\n{headers}\n{}\n{}",
            request.method,
            pairs.join("&"),
            self.headers,
            hex(&Sha256::digest(&request.body)),
        )
    }
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
