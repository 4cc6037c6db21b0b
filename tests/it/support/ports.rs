//! Free ports on loopback, below the range the system hands out by itself, not given twice on this machine.

use std::{
    fs::{File, OpenOptions},
    net::TcpListener,
};

use super::Dice;

/// Lowest port given.
const LOWEST: u64 = 10_000;
/// Linux hands out ports from 32768 on by itself: a broker that is down would lose its port to any client.
const HIGHEST: u64 = 32_000;

/// A port that stays ours until this is dropped, bound or not.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // Locked by us; the system releases it when the process dies.
    _lock: File,
}

impl Port {
    /// Takes a free port.
    pub fn take() -> Self {
        let locks = std::env::temp_dir().join("kafka-migrate-test-ports");
        std::fs::create_dir_all(&locks).expect("the temporary directory is writable");
        let mut dice = Dice::new(super::seed());
        for _ in 0..1000 {
            let number =
                u16::try_from(dice.between(LOWEST, HIGHEST)).expect("the range is below 65536");
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(locks.join(number.to_string()));
            let Ok(lock) = lock else { continue };
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self {
                    number,
                    _lock: lock,
                };
            }
        }
        panic!("no free port between {LOWEST} and {HIGHEST}");
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
