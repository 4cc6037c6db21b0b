//! The journal's file on this machine: appended and synced line by line; a torn last line is passed over, damage before it is refused.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::journal::{LONGEST, Line, Unreadable};
use crate::{error::Failure, exit::Exit};

/// Its name in the state directory.
const FILE: &str = "journal";
/// Lines that were never in effect are kept here.
const ASIDE: &str = "journal.aside";
/// No journal is read that is larger.
const LARGEST: u64 = 1 << 30;

/// The file, open for appending.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Local {
    /// Opens the file, which is made if it is not there, and reads what it holds.
    pub fn open(state_dir: &Path) -> Result<(Self, Vec<Line>), Failure> {
        let path = state_dir.join(FILE);
        let unusable = |error: io::Error| unusable(&path, &error);
        fs::create_dir_all(state_dir).map_err(unusable)?;
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(unusable)?;
        if is_new {
            // The file's name has to outlive a power cut too.
            File::open(state_dir)
                .and_then(|dir| dir.sync_all())
                .map_err(unusable)?;
        }
        let size = file.metadata().map_err(unusable)?.len();
        if size > LARGEST {
            return Err(damaged(&path, 0, "it is larger than any journal"));
        }
        let bytes = fs::read(&path).map_err(unusable)?;
        let (lines, length) = read(&path, &bytes)?;
        let mut local = Self { path, file, length };
        if length < size {
            local.cut(length)?;
        }
        Ok((local, lines))
    }

    /// What the file holds, without making it.
    pub fn look(state_dir: &Path) -> Result<Vec<Line>, Failure> {
        let path = state_dir.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(read(&path, &bytes)?.0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    /// Appends a line. It is on disk when this returns.
    pub fn append(&mut self, line: &Line) -> Result<(), Failure> {
        let mut bytes = line.text.clone().into_bytes();
        bytes.push(b'\n');
        let written = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            unusable(&self.path, &error).hint("nothing was done after it; is the disk full?")
        })?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes the last line away, which was never in effect; it is kept beside.
    pub fn set_aside(&mut self, line: &Line) -> Result<(), Failure> {
        let aside = self.path.with_file_name(ASIDE);
        let kept = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&aside)
            .and_then(|mut file| {
                file.write_all(format!("{}\n", line.text).as_bytes())?;
                file.sync_data()
            });
        kept.map_err(|error| unusable(&aside, &error))?;
        self.cut(self.length - line.text.len() as u64 - 1)
    }

    fn cut(&mut self, length: u64) -> Result<(), Failure> {
        let cut = self
            .file
            .set_len(length)
            .and_then(|()| self.file.sync_data());
        cut.map_err(|error| unusable(&self.path, &error))?;
        self.length = length;
        Ok(())
    }
}

/// The lines of a file, and how many of its bytes they are.
fn read(path: &Path, bytes: &[u8]) -> Result<(Vec<Line>, u64), Failure> {
    let mut lines: Vec<Line> = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let end = bytes[from..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| from + end) else {
            // Torn: the process or the machine ended while it was written. It was in no other place yet.
            break;
        };
        let line = Line::read(&bytes[from..end]);
        let is_last = end + 1 == bytes.len();
        let line = match line {
            Ok(line) => line,
            // A file system may have grown the file before its bytes were on disk.
            Err(Unreadable::Damaged) if is_last && end - from <= LONGEST => break,
            Err(Unreadable::Newer(version)) => {
                return Err(newer(&path.display().to_string(), version));
            }
            Err(error) => return Err(damaged(path, lines.len(), &error.to_string())),
        };
        if !line.follows(lines.last()) {
            return Err(damaged(
                path,
                lines.len(),
                "it does not follow the one before",
            ));
        }
        lines.push(line);
        from = end + 1;
    }
    Ok((lines, from as u64))
}

fn damaged(path: &Path, line: usize, why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "K430",
        format!("the journal {} is damaged at line {line}", path.display()),
    )
    .cause(why)
    .hint("move the file away and run the same command: the journal is rebuilt from the clusters' copies")
    .next("kafka-migrate status")
}

/// A journal that a newer program wrote.
pub(super) fn newer(place: &str, version: u64) -> Failure {
    Failure::new(
        Exit::Refused,
        "K431",
        format!("the journal {place} was written by a newer version (format {version})"),
    )
    .hint("run the version of kafka-migrate that wrote it, or a later one")
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Usage,
        "K439",
        format!("the journal {} cannot be used", path.display()),
    )
    .because(error)
    .hint("name a directory that can be written to with --state")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{
        state::{Head, Record},
        waiver::Waiver,
    };

    fn lines() -> Vec<Line> {
        let head = Head {
            migration: "orders".into(),
            id: uuid::Uuid::nil(),
            source: "Aaa".into(),
            target: "Bbb".into(),
        };
        let mut lines = vec![Line::after(None, Record::Begun(head))];
        for gate in ["G201", "G202", "G203"] {
            let record = Record::Waived(Waiver {
                gate: gate.into(),
                application: None,
                reason: "night shift".into(),
                by: "ann".into(),
                at_ms: 0,
            });
            lines.push(Line::after(lines.last(), record));
        }
        lines
    }

    fn written() -> (tempfile::TempDir, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let (mut local, found) = Local::open(&dir.path().join("state")).unwrap();
        assert!(found.is_empty());
        for line in lines() {
            local.append(&line).unwrap();
        }
        let bytes = fs::read(dir.path().join("state/journal")).unwrap();
        (dir, bytes)
    }

    #[test]
    fn a_file_cut_off_anywhere_is_its_whole_lines_and_is_gone_on_with() {
        let (dir, bytes) = written();
        let state = dir.path().join("state");
        for length in 0..=bytes.len() {
            fs::write(state.join("journal"), &bytes[..length]).unwrap();
            let (mut local, found) = Local::open(&state).unwrap();
            let whole = bytes[..length]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            assert_eq!(found.len(), whole);
            // The same again, so that what follows a torn line is on a line of its own.
            let line = Line::after(found.last(), Record::Left);
            local.append(&line).unwrap();
            let again = Local::look(&state).unwrap();
            assert_eq!(again.last(), Some(&line));
            assert_eq!(again[..whole], found[..]);
        }
    }

    #[test]
    fn damage_in_the_midst_is_refused_and_nothing_is_changed() {
        let (dir, bytes) = written();
        let state = dir.path().join("state");
        let last = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .unwrap();
        for at in (0..last).step_by(7) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            fs::write(state.join("journal"), &bad).unwrap();
            let failure = Local::open(&state).unwrap_err();
            assert_eq!(
                (failure.exit, failure.code),
                (Exit::Refused, "K430"),
                "at {at}"
            );
            assert_eq!(fs::read(state.join("journal")).unwrap(), bad);
        }
        // A line that is missing is damage too.
        let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        fs::write(state.join("journal"), &bytes[second..]).unwrap();
        assert_eq!(Local::open(&state).unwrap_err().code, "K430");
    }

    #[test]
    fn a_line_set_aside_is_kept_beside_the_journal() {
        let (dir, bytes) = written();
        let state = dir.path().join("state");
        let (mut local, found) = Local::open(&state).unwrap();
        local.set_aside(found.last().unwrap()).unwrap();
        let left = Local::look(&state).unwrap();
        assert_eq!(left, found[..3]);
        let aside = fs::read(state.join("journal.aside")).unwrap();
        assert!(bytes.ends_with(&aside));
    }
}
