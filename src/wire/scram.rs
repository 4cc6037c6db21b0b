//! The client's side of SCRAM (RFC 5802, RFC 7677): three messages, and the server's proof checked.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

use crate::model::connection::ScramHash;

/// RFC 7677 asks for at least 4096; a server that wants more than this wants to keep us busy (Kafka's own tool stops at 16384).
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=250_000;
/// base64 of "n,,": no channel binding, no authorisation identity.
const CHANNEL: &str = "c=biws";

/// A login between the client's first and last message.
pub struct Scram {
    hash: ScramHash,
    password: String,
    first_bare: String,
    nonce: String,
}

/// A login whose last message is sent: the signature that the server has to know.
pub struct Sent {
    hash: ScramHash,
    server_key: Vec<u8>,
    auth_message: String,
}

/// 24 random bytes in base64.
pub fn nonce() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).expect("the operating system has a random number generator");
    STANDARD.encode(bytes)
}

impl Scram {
    /// Begins a login; the second value is the first message.
    pub fn start(hash: ScramHash, username: &str, password: &str, nonce: &str) -> (Self, String) {
        let first_bare = format!(
            "n={},r={nonce}",
            username.replace('=', "=3D").replace(',', "=2C")
        );
        let first = format!("n,,{first_bare}");
        (
            Self {
                hash,
                password: password.to_owned(),
                first_bare,
                nonce: nonce.to_owned(),
            },
            first,
        )
    }

    /// Answers the server's first message; the second value is the last message.
    pub fn answer(self, server_first: &[u8]) -> Result<(Sent, String), &'static str> {
        let server_first =
            std::str::from_utf8(server_first).map_err(|_| "its challenge is not text")?;
        let mut fields = server_first.split(',');
        let nonce = fields
            .next()
            .and_then(|field| field.strip_prefix("r="))
            .ok_or("its challenge has no nonce")?;
        let salt = fields
            .next()
            .and_then(|field| field.strip_prefix("s="))
            .ok_or("its challenge has no salt")?;
        let iterations = fields
            .next()
            .and_then(|field| field.strip_prefix("i="))
            .ok_or("its challenge has no iteration count")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("its nonce does not continue ours");
        }
        let salt = STANDARD
            .decode(salt)
            .map_err(|_| "its salt is not base64")?;
        let iterations: u32 = iterations
            .parse()
            .map_err(|_| "its iteration count is not a number")?;
        if !ITERATIONS.contains(&iterations) {
            return Err("its iteration count is outside 4096 to 250000");
        }
        let last_bare = format!("{CHANNEL},r={nonce}");
        let auth_message = format!("{},{server_first},{last_bare}", self.first_bare);
        let mut salted = vec![0; self.length()];
        match self.hash {
            ScramHash::Sha256 => {
                pbkdf2_hmac::<Sha256>(self.password.as_bytes(), &salt, iterations, &mut salted)
            }
            ScramHash::Sha512 => {
                pbkdf2_hmac::<Sha512>(self.password.as_bytes(), &salt, iterations, &mut salted)
            }
        }
        let client_key = sign(self.hash, &salted, b"Client Key");
        let stored_key = match self.hash {
            ScramHash::Sha256 => Sha256::digest(&client_key).to_vec(),
            ScramHash::Sha512 => Sha512::digest(&client_key).to_vec(),
        };
        let signature = sign(self.hash, &stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(key, signature)| key ^ signature)
            .collect();
        let last = format!("{last_bare},p={}", STANDARD.encode(proof));
        let server_key = sign(self.hash, &salted, b"Server Key");
        Ok((
            Sent {
                hash: self.hash,
                server_key,
                auth_message,
            },
            last,
        ))
    }

    fn length(&self) -> usize {
        match self.hash {
            ScramHash::Sha256 => 32,
            ScramHash::Sha512 => 64,
        }
    }
}

impl Sent {
    /// Checks the server's last message: only who knows the password's keys can write it.
    pub fn check(self, server_final: &[u8]) -> Result<(), &'static str> {
        let server_final =
            std::str::from_utf8(server_final).map_err(|_| "its proof is not text")?;
        let signature = server_final
            .split(',')
            .next()
            .and_then(|field| field.strip_prefix("v="))
            .ok_or("it sent no proof")?;
        let signature = STANDARD
            .decode(signature)
            .map_err(|_| "its proof is not base64")?;
        // Compared in constant time.
        let valid = match self.hash {
            ScramHash::Sha256 => {
                keyed::<Hmac<Sha256>>(&self.server_key, self.auth_message.as_bytes())
                    .verify_slice(&signature)
                    .is_ok()
            }
            ScramHash::Sha512 => {
                keyed::<Hmac<Sha512>>(&self.server_key, self.auth_message.as_bytes())
                    .verify_slice(&signature)
                    .is_ok()
            }
        };
        if valid {
            Ok(())
        } else {
            Err("its proof is wrong: it does not know the password")
        }
    }
}

fn sign(hash: ScramHash, key: &[u8], message: &[u8]) -> Vec<u8> {
    match hash {
        ScramHash::Sha256 => keyed::<Hmac<Sha256>>(key, message)
            .finalize()
            .into_bytes()
            .to_vec(),
        ScramHash::Sha512 => keyed::<Hmac<Sha512>>(key, message)
            .finalize()
            .into_bytes()
            .to_vec(),
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> M {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const PROOF: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn begun() -> Scram {
        Scram::start(ScramHash::Sha256, "user", "pencil", NONCE).0
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let (scram, first) = Scram::start(ScramHash::Sha256, "user", "pencil", NONCE);
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (sent, last) = scram
            .answer(CHALLENGE.as_bytes())
            .expect("a good challenge");
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(sent.check(PROOF.as_bytes()), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        for proof in [
            "",
            "v=",
            "v=AAAA",
            "e=other-error",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
        ] {
            let (sent, _) = begun()
                .answer(CHALLENGE.as_bytes())
                .expect("a good challenge");
            assert!(sent.check(proof.as_bytes()).is_err(), "{proof}");
        }
    }

    #[test]
    fn hostile_challenges_are_refused() {
        let with =
            |from: &str, to: &str| begun().answer(CHALLENGE.replace(from, to).as_bytes()).err();
        assert_eq!(
            with("i=4096", "i=4095"),
            Some("its iteration count is outside 4096 to 250000")
        );
        assert_eq!(
            with("i=4096", "i=4294967295"),
            Some("its iteration count is outside 4096 to 250000")
        );
        assert_eq!(
            with("i=4096", "i=99999999999"),
            Some("its iteration count is not a number")
        );
        assert_eq!(
            with("r=rOpr", "r=rOpX"),
            Some("its nonce does not continue ours")
        );
        assert_eq!(
            with("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""),
            Some("its nonce does not continue ours")
        );
        assert_eq!(with("s=W22", "s=?"), Some("its salt is not base64"));
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(
            Scram::start(ScramHash::Sha512, "a=b,c", "", "x").1,
            "n,,n=a=3Db=2Cc,r=x"
        );
    }

    proptest! {
        #[test]
        fn arbitrary_challenges_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "r=x[ -~]{0,20},s=[A-Za-z=]{0,12},i=[0-9]{0,3}") {
            let _ = begun().answer(&bytes);
            let _ = begun().answer(text.as_bytes());
            let (sent, _) = begun().answer(CHALLENGE.as_bytes()).expect("a good challenge");
            let _ = sent.check(&bytes);
        }
    }
}
