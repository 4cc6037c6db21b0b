//! The server's side of SCRAM (RFC 5802, RFC 7677), as `ScramSaslServer` takes it: no channel binding, extensions ignored.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

use super::{Credential, Mechanism, Users};

/// A login between the server's challenge and the client's proof.
#[derive(Debug)]
pub(super) struct Challenge {
    mechanism: Mechanism,
    user: String,
    credential: Credential,
    nonce: String,
    client_first: String,
    server_first: String,
}

impl Challenge {
    /// Answers the client's first message. An error with a text may be told to the client.
    pub fn begin(
        users: &Users,
        mechanism: Mechanism,
        token: &[u8],
        nonce: &str,
    ) -> Result<(Self, Vec<u8>), Option<String>> {
        let first = First::parse(token).ok_or(None)?;
        let credential = users.credential(&first.user, mechanism).ok_or(None)?;
        if first
            .authorization
            .as_ref()
            .is_some_and(|other| *other != first.user)
        {
            return Err(Some("Authentication failed: Client requested an authorization id that is different from username".to_owned()));
        }
        let nonce = format!("{}{nonce}", first.nonce);
        let server_first = format!(
            "r={nonce},s={},i={}",
            STANDARD.encode(&credential.salt),
            credential.iterations
        );
        let answer = server_first.clone().into_bytes();
        let challenge = Self {
            mechanism,
            credential: credential.clone(),
            user: first.user,
            nonce,
            client_first: first.bare,
            server_first,
        };
        Ok((challenge, answer))
    }

    /// Checks the proof: who it is, and the server's own proof.
    pub fn end(self, token: &[u8]) -> Result<(String, Vec<u8>), Wrong> {
        let (without_proof, nonce, proof) = last(token).ok_or(Wrong::Told)?;
        if nonce != self.nonce {
            return Err(Wrong::Told);
        }
        let message = format!(
            "{},{},{without_proof}",
            self.client_first, self.server_first
        );
        let signature = keyed(
            self.mechanism,
            &self.credential.stored_key,
            message.as_bytes(),
        );
        if proof.len() != signature.len() {
            return Err(Wrong::Cut);
        }
        let client_key: Vec<u8> = proof
            .iter()
            .zip(&signature)
            .map(|(proof, signature)| proof ^ signature)
            .collect();
        if hashed(self.mechanism, &client_key) != self.credential.stored_key {
            return Err(Wrong::Told);
        }
        let own = keyed(
            self.mechanism,
            &self.credential.server_key,
            message.as_bytes(),
        );
        Ok((
            self.user,
            format!("v={}", STANDARD.encode(own)).into_bytes(),
        ))
    }

    /// How it logs in.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }
}

/// What is wrong with a client's last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The client is told that it is.
    Told,
    /// A proof of another length: `ScramSaslServer` has no answer to it, and the connection is closed.
    Cut,
}

/// The client's last message: what stands before the proof, the nonce, and the proof.
fn last(token: &[u8]) -> Option<(&str, &str, Vec<u8>)> {
    let last = std::str::from_utf8(token).ok()?;
    let (without_proof, proof) = last.rsplit_once(",p=")?;
    let mut fields = without_proof.split(',');
    STANDARD.decode(fields.next()?.strip_prefix("c=")?).ok()?;
    let nonce = fields.next()?.strip_prefix("r=")?;
    Some((without_proof, nonce, STANDARD.decode(proof).ok()?))
}

/// The client's first message.
struct First {
    authorization: Option<String>,
    user: String,
    nonce: String,
    bare: String,
}

impl First {
    /// `n,[a=name],[m=...,]n=name,r=nonce[,extensions]`
    fn parse(token: &[u8]) -> Option<Self> {
        let message = std::str::from_utf8(token).ok()?;
        let rest = message.strip_prefix("n,")?;
        let (authorization, bare) = rest.split_once(',')?;
        let authorization = match authorization {
            "" => None,
            named => Some(unescaped(named.strip_prefix("a=")?)?),
        };
        let mut fields = bare.split(',').peekable();
        // Reserved for extensions that must be understood; Kafka reads over it.
        fields.next_if(|field| field.starts_with("m="));
        let user = unescaped(fields.next()?.strip_prefix("n=")?)?;
        let nonce = fields.next()?.strip_prefix("r=")?.to_owned();
        let printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        (!user.is_empty() && !nonce.is_empty() && printable).then(|| Self {
            authorization,
            user,
            nonce,
            bare: bare.to_owned(),
        })
    }
}

/// A name as SCRAM writes it: `=2C` is a comma, `=3D` an equals sign, and there is no other.
fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        out.push(sign);
        out.push_str(rest);
    }
    Some(out)
}

/// The salted password.
pub(super) fn salted(
    mechanism: Mechanism,
    password: &str,
    salt: &[u8],
    iterations: u32,
) -> Vec<u8> {
    let password = password.as_bytes();
    if mechanism == Mechanism::Sha512 {
        let mut out = [0; 64];
        pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out);
        out.to_vec()
    } else {
        let mut out = [0; 32];
        pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out);
        out.to_vec()
    }
}

/// What the server compares a client's key with.
pub(super) fn stored_key(mechanism: Mechanism, salted: &[u8]) -> Vec<u8> {
    hashed(mechanism, &keyed(mechanism, salted, b"Client Key"))
}

/// What the server proves itself with.
pub(super) fn server_key(mechanism: Mechanism, salted: &[u8]) -> Vec<u8> {
    keyed(mechanism, salted, b"Server Key")
}

fn hashed(mechanism: Mechanism, bytes: &[u8]) -> Vec<u8> {
    if mechanism == Mechanism::Sha512 {
        Sha512::digest(bytes).to_vec()
    } else {
        Sha256::digest(bytes).to_vec()
    }
}

fn keyed(mechanism: Mechanism, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn sign<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
    if mechanism == Mechanism::Sha512 {
        sign::<Hmac<Sha512>>(key, message)
    } else {
        sign::<Hmac<Sha256>>(key, message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{model::connection::ScramHash, wire::scram::Scram};

    /// The example of RFC 7677, section 3.
    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SHARE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const LAST: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn users() -> Users {
        let mut users = Users::default();
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        users.add("user", "pencil", &salt);
        users.add("a=b,c", "pencil", &salt);
        users
    }

    fn begun() -> Challenge {
        Challenge::begin(&users(), Mechanism::Sha256, FIRST, SHARE)
            .expect("a good message")
            .0
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let (challenge, answer) =
            Challenge::begin(&users(), Mechanism::Sha256, FIRST, SHARE).expect("a good message");
        assert_eq!(answer, b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let (user, proof) = challenge.end(LAST).expect("a good proof");
        assert_eq!(
            (user.as_str(), &proof[..]),
            (
                "user",
                &b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="[..]
            )
        );
    }

    #[test]
    fn the_programs_own_client_gets_in_and_nobody_else() {
        for (hash, mechanism) in [
            (ScramHash::Sha256, Mechanism::Sha256),
            (ScramHash::Sha512, Mechanism::Sha512),
        ] {
            for (name, password, right) in [
                ("user", "pencil", true),
                ("a=b,c", "pencil", true),
                ("user", "Pencil", false),
            ] {
                let (client, first) = Scram::start(hash, name, password, "abc");
                let (challenge, answer) =
                    Challenge::begin(&users(), mechanism, first.as_bytes(), "def")
                        .expect("a good message");
                let (sent, last) = client.answer(&answer).expect("a good challenge");
                let end = challenge.end(last.as_bytes());
                assert_eq!(end.is_ok(), right, "{name} {password}");
                if let Ok((user, proof)) = end {
                    assert_eq!(user, name);
                    assert_eq!(sent.check(&proof), Ok(()));
                }
            }
        }
    }

    #[test]
    fn a_changed_message_proves_nothing() {
        let last = String::from_utf8(LAST.to_vec()).expect("text");
        for (from, to) in [
            ("c=biws", "c=biwt"),
            ("r=rOpr", "r=rOpX"),
            ("$k0", "$k1"),
            ("dHzb", "dHzc"),
            ("p=dHzb", "p="),
            (",p=", ""),
            ("c=", "x="),
        ] {
            assert!(
                begun().end(last.replace(from, to).as_bytes()).is_err(),
                "{from} {to}"
            );
        }
        assert!(begun().end(LAST).is_ok());
    }

    #[test]
    fn another_name_to_act_for_is_told() {
        let other = Challenge::begin(&users(), Mechanism::Sha256, b"n,a=bob,n=user,r=x", "y")
            .expect_err("not allowed");
        assert_eq!(
            other.as_deref(),
            Some(
                "Authentication failed: Client requested an authorization id that is different from username"
            )
        );
        assert!(Challenge::begin(&users(), Mechanism::Sha256, b"n,a=user,n=user,r=x", "y").is_ok());
        assert!(
            Challenge::begin(&users(), Mechanism::Sha256, b"n,,m=x,n=user,r=x,ext=1", "y").is_ok()
        );
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in "n,(a=)?[a-z=2C]{0,8},n=[a-z=3D]{0,8},r=[ -~]{0,8}") {
            let _ = Challenge::begin(&users_once(), Mechanism::Sha256, &bytes, "y");
            let _ = Challenge::begin(&users_once(), Mechanism::Sha256, text.as_bytes(), "y");
            let _ = Challenge { credential: Credential { salt: vec![1], iterations: 1, stored_key: vec![0; 32], server_key: vec![0; 32] }, mechanism: Mechanism::Sha256, user: String::new(), nonce: "x".to_owned(), client_first: String::new(), server_first: String::new() }.end(&bytes);
        }
    }

    fn users_once() -> Users {
        let mut users = Users::default();
        users.set("ab", Mechanism::Sha256, b"salt", 4_096, &[1; 32]);
        users
    }
}
