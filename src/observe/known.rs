//! Something that was asked, and what came of it: the answer and its age, or why there is none.

use serde::Serialize;

/// Something that was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Known<T> {
    /// The answer.
    Seen {
        /// What it says.
        value: T,
        /// How old it was when the observation was put together.
        age_ms: u64,
    },
    /// No answer.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl<T> Known<T> {
    /// An answer of this moment.
    pub fn seen(value: T) -> Self {
        Self::Seen { value, age_ms: 0 }
    }

    /// No answer.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }

    /// The answer, however old, or why there is none.
    pub fn value(&self) -> Result<&T, &str> {
        match self {
            Self::Seen { value, .. } => Ok(value),
            Self::Unknown { reason } => Err(reason),
        }
    }

    /// The same answer, said to be this old.
    #[must_use]
    pub fn aged(self, age: std::time::Duration) -> Self {
        match self {
            Self::Seen { value, .. } => Self::Seen {
                value,
                age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            },
            unknown @ Self::Unknown { .. } => unknown,
        }
    }

    /// What it holds, changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Seen { value, age_ms } => Known::Seen {
                value: change(value),
                age_ms,
            },
            Self::Unknown { reason } => Known::Unknown { reason },
        }
    }
}

impl<T> From<Result<T, crate::cluster::Error>> for Known<T> {
    fn from(answer: Result<T, crate::cluster::Error>) -> Self {
        match answer {
            Ok(value) => Self::seen(value),
            Err(error) => Self::unknown(error.to_string()),
        }
    }
}
