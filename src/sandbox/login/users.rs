//! Who may log in: passwords for PLAIN, salted keys for SCRAM.

use std::{collections::BTreeMap, fmt};

use super::scram;

/// What `Users::add` salts with, as often as Kafka's own tools do at least.
const ITERATIONS: u32 = 4_096;

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// PLAIN.
    Plain,
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl Mechanism {
    /// All that are offered.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Sha256, Self::Sha512];

    /// As SaslHandshake names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Of its name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
    }

    /// Of Kafka's number for SCRAM mechanisms (`ScramMechanism.type`).
    pub fn of_scram_type(number: i8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Kafka's number for SCRAM mechanisms; zero for PLAIN, which has none.
    pub fn scram_type(self) -> i8 {
        match self {
            Self::Plain => 0,
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

/// What a server keeps instead of a password (RFC 5802).
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Random bytes.
    pub salt: Vec<u8>,
    /// How often it was hashed.
    pub iterations: u32,
    /// Hash of the client's key.
    pub stored_key: Vec<u8>,
    /// The server's key.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// All users of a cluster.
#[derive(Default)]
pub struct Users {
    passwords: BTreeMap<String, String>,
    scram: BTreeMap<(String, Mechanism), Credential>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.passwords.keys())
            .entries(self.scram.keys())
            .finish()
    }
}

impl Users {
    /// Somebody who may log in by all mechanisms.
    pub fn add(&mut self, name: &str, password: &str, salt: &[u8]) {
        self.passwords.insert(name.to_owned(), password.to_owned());
        for mechanism in [Mechanism::Sha256, Mechanism::Sha512] {
            let salted = scram::salted(mechanism, password, salt, ITERATIONS);
            self.set(name, mechanism, salt, ITERATIONS, &salted);
        }
    }

    /// Sets what somebody may log in with by SCRAM, from the salted password that AlterUserScramCredentials brings (KIP-554).
    pub fn set(
        &mut self,
        name: &str,
        mechanism: Mechanism,
        salt: &[u8],
        iterations: u32,
        salted: &[u8],
    ) {
        let credential = Credential {
            salt: salt.to_vec(),
            iterations,
            stored_key: scram::stored_key(mechanism, salted),
            server_key: scram::server_key(mechanism, salted),
        };
        self.scram.insert((name.to_owned(), mechanism), credential);
    }

    /// Takes it away; false if there was none.
    pub fn remove(&mut self, name: &str, mechanism: Mechanism) -> bool {
        self.scram.remove(&(name.to_owned(), mechanism)).is_some()
    }

    /// Is this the password for PLAIN?
    pub fn knows(&self, name: &str, password: &str) -> bool {
        self.passwords
            .get(name)
            .is_some_and(|known| known == password)
    }

    /// What somebody may log in with by SCRAM.
    pub fn credential(&self, name: &str, mechanism: Mechanism) -> Option<&Credential> {
        self.scram.get(&(name.to_owned(), mechanism))
    }

    /// Mechanism and iterations of everyone with credentials for SCRAM, by name.
    pub fn described(&self) -> BTreeMap<&str, Vec<(Mechanism, u32)>> {
        let mut all: BTreeMap<&str, Vec<(Mechanism, u32)>> = BTreeMap::new();
        for ((name, mechanism), credential) in &self.scram {
            all.entry(name)
                .or_default()
                .push((*mechanism, credential.iterations));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_holds_no_secret() {
        let mut users = Users::default();
        users.add("alice", "hush-hush", b"salt");
        let printed = format!(
            "{users:?} {:?}",
            users.credential("alice", Mechanism::Sha256)
        );
        assert!(
            printed.contains("alice") && !printed.contains("hush") && !printed.contains("key"),
            "{printed}"
        );
    }

    #[test]
    fn credentials_are_by_mechanism() {
        let mut users = Users::default();
        users.add("alice", "secret", b"salt");
        assert!(users.remove("alice", Mechanism::Sha256));
        assert!(!users.remove("alice", Mechanism::Sha256));
        assert!(users.credential("alice", Mechanism::Sha256).is_none());
        assert_eq!(
            users.described()["alice"],
            [(Mechanism::Sha512, ITERATIONS)]
        );
        assert!(users.knows("alice", "secret"), "PLAIN has its own");
        assert_eq!(Mechanism::of("scram-sha-256"), None);
        for mechanism in [Mechanism::Sha256, Mechanism::Sha512] {
            assert_eq!(
                Mechanism::of_scram_type(mechanism.scram_type()),
                Some(mechanism)
            );
        }
    }
}
