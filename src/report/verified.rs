//! What `verify` found last, kept in the state directory for reports: one small file, put in the place of the one before.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// The file's name in the state directory.
const FILE: &str = "verified.json";
/// No such file is larger.
const LARGEST: u64 = 1 << 20;

/// What came of comparing both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: i64,
    /// `same`, `behind` or `differs`.
    pub verdict: String,
    /// Source cluster id.
    pub source_cluster: String,
    /// Target cluster id.
    pub target_cluster: String,
    /// Partitions compared.
    pub partitions: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// From the source to the target.
    pub there: Found,
    /// What came back; `None` where nothing can have.
    pub back: Option<Found>,
}

/// Records of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The same on both sides, in the same order.
    pub matching: u64,
    /// Differences of any kind.
    pub differences: u64,
    /// At most so many records are not copied yet.
    pub not_yet_copied: u64,
}

impl Verified {
    /// Keeps it in the place of the one before.
    pub fn keep(&self, state_dir: &Path) -> io::Result<()> {
        fs::create_dir_all(state_dir)?;
        let path = state_dir.join(FILE);
        let aside = path.with_extension("json.new");
        fs::write(&aside, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&aside, &path)
    }

    /// What was kept; `None`: nothing.
    pub fn read(state_dir: &Path) -> io::Result<Option<Self>> {
        let path = state_dir.join(FILE);
        match fs::metadata(&path) {
            Ok(about) if about.len() > LARGEST => Err(io::Error::other("it is larger than any")),
            Ok(_) => Ok(Some(serde_json::from_slice(&fs::read(&path)?)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_kept_and_what_is_none_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Verified::read(directory.path()).unwrap(), None);
        let mut verified = Verified {
            at_ms: 7,
            verdict: "same".into(),
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            partitions: 3,
            took_ms: 9,
            there: Found::default(),
            back: None,
        };
        verified.keep(directory.path()).unwrap();
        verified.verdict = "behind".into();
        verified.keep(directory.path()).unwrap();
        assert_eq!(Verified::read(directory.path()).unwrap(), Some(verified));
        fs::write(directory.path().join(FILE), b"{\"at_ms\": 7").unwrap();
        assert!(Verified::read(directory.path()).is_err());
    }
}
