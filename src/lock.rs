//! A lock in a directory, held while it lives, and the place in the world that holding it is.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{error::Failure, exit::Exit};

/// Bytes of a lock's file that are read: a process id has at most ten digits.
const LONGEST: usize = 32;

/// Held while it lives; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    place: String,
    _file: File,
}

impl Lock {
    /// Takes the lock that the engine holds while it runs. See [`Lock::take_named`].
    pub fn take(state_dir: &Path) -> Result<Self, Failure> {
        Self::take_named(state_dir, "lock")
    }

    /// Takes a lock by the name of its file in a state directory, which is made if it is not there. Held by another process, it is
    /// refused at once.
    pub fn take_named(state_dir: &Path, name: &str) -> Result<Self, Failure> {
        let path = state_dir.join(name);
        let unusable = |error: io::Error| unusable(&path, &error);
        loop {
            let file = open(state_dir, &path).map_err(unusable)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(held(&path, holder(&file))),
                Err(error) => return Err(unusable(error.into())),
            }
            let ours = file.metadata().map_err(unusable)?;
            // Removed between the two: a file that nobody finds keeps nobody out.
            match fs::metadata(&path) {
                Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {}
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unusable(error)),
            }
            let process = format!("{}\n", std::process::id());
            file.set_len(0)
                .and_then(|()| file.write_all_at(process.as_bytes(), 0))
                .map_err(unusable)?;
            let path = fs::canonicalize(&path).map_err(unusable)?;
            // A path may be another file by now, or in a container: the number is the file.
            let place = format!("{}#{}:{}", path.display(), ours.dev(), ours.ino());
            return Ok(Self { place, _file: file });
        }
    }
}

fn open(state_dir: &Path, path: &Path) -> io::Result<File> {
    fs::create_dir_all(state_dir)?;
    // Not emptied: it may be another's, who is named in it.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// The process that holds it, as it wrote there itself.
fn holder(file: &File) -> Option<u32> {
    let mut bytes = [0; LONGEST];
    let length = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    text.trim().parse().ok()
}

fn held(path: &Path, process: Option<u32>) -> Failure {
    let who = match process {
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    };
    Failure::new(
        Exit::Refused,
        "K401",
        format!("this migration already runs here, in {who}"),
    )
    .cause(format!("{} is locked by it", path.display()))
    .hint(format!(
        "watch it with `kafka-migrate status`, or stop {who} first"
    ))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Usage,
        "K405",
        format!("the lock {} cannot be made", path.display()),
    )
    .because(error)
    .hint("name a directory that can be written to with --state")
}

/// Where a process runs: what tells two holders of locks apart, on one machine and on several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The machine's name, for people.
    pub host: String,
    /// Identifies the machine and its last start; empty where that cannot be known.
    pub machine: String,
    /// The process.
    pub process: u32,
    /// Where its lock lies.
    pub lock: String,
}

impl Place {
    /// This process, as the holder of a lock.
    pub fn of(lock: &Lock) -> Self {
        let id = [
            read("/etc/machine-id"),
            read("/proc/sys/kernel/random/boot_id"),
        ];
        Self {
            host: host(),
            machine: id.into_iter().flatten().collect::<Vec<_>>().join("/"),
            process: std::process::id(),
            lock: lock.place.clone(),
        }
    }

    /// Were both kept apart by the same lock? Then one of them ended before the other could take it.
    pub fn is_same(&self, other: &Self) -> bool {
        !self.machine.is_empty() && self.machine == other.machine && self.lock == other.lock
    }
}

/// This machine's name.
pub fn host() -> String {
    read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".into())
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const FILE: &str = "lock";

    /// Takes what was let go: a child that another test starts holds it, too, until it has become another program.
    pub(crate) fn taken<T>(take: impl Fn() -> Result<T, Failure>) -> T {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match take() {
                Ok(lock) => return lock,
                Err(failure) if Instant::now() > until => panic!("{failure}"),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn a_lock_is_held_once_and_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/down");
        let lock = Lock::take(&state).unwrap();
        let refused = Lock::take(&state).unwrap_err();
        assert_eq!((refused.exit, refused.code), (Exit::Refused, "K401"));
        let process = format!("process {}", std::process::id());
        assert!(refused.message.contains(&process), "{refused}");
        assert!(!refused.hints.is_empty());
        // Another lock of the same directory is another lock.
        drop(Lock::take_named(&state, "runner").unwrap());
        let first = Place::of(&lock);
        drop(lock);
        let again = taken(|| Lock::take(&state));
        assert!(first.is_same(&Place::of(&again)));
    }

    #[test]
    fn another_file_or_machine_is_another_place() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let first = Place::of(&lock);
        assert!(!first.machine.is_empty() && !first.host.is_empty());
        assert_eq!(first.process, std::process::id());

        let other = tempfile::tempdir().unwrap();
        assert!(!first.is_same(&Place::of(&Lock::take(other.path()).unwrap())));
        // Its directory was removed while it ran: it still runs.
        fs::remove_file(dir.path().join(FILE)).unwrap();
        let anew = Place::of(&Lock::take(dir.path()).unwrap());
        assert!(!first.is_same(&anew));

        let elsewhere = Place {
            machine: "elsewhere".into(),
            ..first.clone()
        };
        assert!(!first.is_same(&elsewhere));
        let unknown = Place {
            machine: String::new(),
            ..first
        };
        assert!(!unknown.is_same(&unknown.clone()));
    }

    #[test]
    fn what_stands_in_the_file_is_only_believed_if_it_is_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let file = |text: &[u8]| {
            fs::write(&path, text).unwrap();
            holder(&File::open(&path).unwrap())
        };
        assert_eq!(file(b"4711\n"), Some(4711));
        for text in [&b""[..], b"soon\n", &[0xff; 40], &[b'7'; 40]] {
            assert_eq!(file(text), None);
        }
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = Lock::take(&file.path().join("state")).unwrap_err();
        assert_eq!((refused.exit, refused.code), (Exit::Usage, "K405"));
    }
}
