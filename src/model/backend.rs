//! Who copies.

use std::fmt;

use serde::Serialize;

/// Who copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Our own engine.
    #[default]
    Embedded,
    /// MSK Replicator.
    Msk,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Msk => "msk",
        })
    }
}
