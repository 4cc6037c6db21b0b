//! Free ports on loopback, below the range the system hands out by itself, not given twice on this machine.

use std::{
    fs::{File, OpenOptions},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use super::{Dice, wait};

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
    /// Takes a free port, at which nobody listens.
    pub fn take() -> Self {
        let (port, listener) = Self::listen();
        drop(listener);
        // See `listen` for who else may hold it.
        wait::until("nobody listens", Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", port.number)).is_err()
        });
        port
    }

    /// Takes a free port and listens on it.
    ///
    /// Closing the listener and opening another would fail now and then: a process that another test forks in
    /// between holds the first one open until it executes its program.
    pub fn listen() -> (Self, TcpListener) {
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
            if lock.try_lock().is_err() {
                continue;
            }
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", number)) {
                let port = Self {
                    number,
                    _lock: lock,
                };
                return (port, listener);
            }
        }
        panic!("no free port between {LOWEST} and {HIGHEST}");
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
