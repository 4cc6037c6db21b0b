//! A migration file that is yet to be written: what was given of it, checked as a file is, and its text put where nothing stands.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

pub use super::written::{Proposal, Section};
use super::{
    amazon::Amazon,
    credentials,
    fault::{self, Fault},
    overlay::Resolving,
    resolve::resolve_text,
    settings::{Flag, Origin, Settings},
    value::{Kind, Reference, Value},
    written,
};
use crate::{error::Failure, exit::Exit, model::names::Side};

/// Where settings come from that no file holds.
const SHOWN: &str = "the command line";

/// What is known of a file before it is written.
#[derive(Debug)]
pub struct Draft {
    /// As they would be with what was given, and everything in scope.
    pub settings: Settings,
    path: PathBuf,
    given: BTreeMap<String, Value>,
    environment: BTreeMap<String, String>,
    amazon: Amazon,
}

/// Takes flags and variables for a file at `path`. Everything wrong with them comes back as one failure, and so does a file that stands
/// there already. `keys` are the flags that the command has, by key; `tls` the sides for which the system's authorities are trusted.
pub fn begin(
    path: &Path,
    name: &str,
    tls: &[Side],
    flags: &[Flag],
    keys: &'static [(&'static str, &'static str)],
    environment: BTreeMap<String, String>,
    amazon: Amazon,
) -> Result<Draft, Failure> {
    let mut text = format!("version = 1\nname = {name:?}\n[scope]\ntopics = [\"*\"]\n");
    for side in tls {
        text += &format!("[{side}.tls]\n");
    }
    let mut resolving = Resolving::of(SHOWN, path, &text, &environment, &amazon);
    resolving.flags = keys;
    resolving.document.faults.extend(in_the_way(path));
    resolving.overlay(flags);
    let settings = resolving.settings(path, None);
    let given = resolving
        .settings
        .iter()
        .filter(|(_, setting)| setting.origin != Origin::Default)
        .map(|(path_of, setting)| {
            let is_written = matches!(setting.origin, Origin::File { .. });
            let value = match is_written {
                true => setting.value.clone(),
                false => beside(path, path_of, &setting.value),
            };
            (path_of.clone(), value)
        })
        .collect();
    match settings {
        Some(settings) => Ok(Draft {
            settings,
            path: path.to_path_buf(),
            given,
            environment,
            amazon,
        }),
        None => {
            let only_in_the_way = resolving
                .document
                .faults
                .iter()
                .all(|fault| fault.code == fault::EXISTS);
            let failure = fault::failure(SHOWN, resolving.document.faults).unwrap_or_else(|| {
                Failure::new(
                    Exit::Bug,
                    "K000",
                    "the settings are incomplete although nothing is wrong with them",
                )
            });
            Err(failure.next(match only_in_the_way {
                true => "kafka-migrate config",
                false => "kafka-migrate init --help",
            }))
        }
    }
}

/// What keeps a file from being written there.
fn in_the_way(path: &Path) -> Option<Fault> {
    let fault = |code, message: &str, hint: &str| Fault {
        order: 0,
        place: path.display().to_string(),
        code,
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    };
    if path.symlink_metadata().is_ok() {
        return Some(fault(
            fault::EXISTS,
            "stands there already, and is never overwritten",
            "name another file with --config FILE, or move this one away",
        ));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Some(fault(
            fault::UNWRITABLE,
            "cannot be written: its directory is not there",
            "make the directory first",
        ));
    }
    None
}

/// Files in flags and variables are looked for where the command runs, files in the file beside it: what was given means the same written.
fn beside(file: &Path, key: &str, value: &Value) -> Value {
    let here = file
        .parent()
        .is_none_or(|folder| folder.as_os_str().is_empty());
    let moved = |path: &Path| match here {
        true => path.to_path_buf(),
        false => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
    };
    let is_path = super::fields::find(key).is_some_and(|field| matches!(field.kind, Kind::Path));
    let is_path = is_path || (key == "msk.source_ca" && *value != Value::Text("public".into()));
    match value {
        Value::Text(text) if is_path => {
            Value::Text(moved(Path::new(text)).to_string_lossy().into_owned())
        }
        Value::Secret(Reference::File(path)) => Value::Secret(Reference::File(moved(path))),
        value => value.clone(),
    }
}

impl Draft {
    /// Its text.
    pub fn text(&self, proposal: &Proposal) -> String {
        written::text(&self.given, proposal)
    }

    /// Writes the text, where nothing stands: what appeared there meanwhile stays. A text that we would not read ourselves is not written.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        let (around, amazon) = (&self.environment, &self.amazon);
        resolve_text(&self.path, text, &[], None, around, amazon).map_err(|failure| {
            let bug = Failure::new(
                Exit::Bug,
                "K000",
                "the file that was made up would not be understood; it was not written",
            );
            failure
                .causes
                .iter()
                .fold(bug.cause(failure.message.clone()), |bug, cause| {
                    bug.cause(cause.clone())
                })
        })?;
        let refused = |error: &std::io::Error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists
                && let Some(fault) = in_the_way(&self.path)
                && let Some(failure) = fault::failure(SHOWN, vec![fault])
            {
                return failure.next("kafka-migrate config");
            }
            let shown = self.path.display();
            Failure::new(
                Exit::Usage,
                fault::UNWRITABLE,
                format!("{shown} cannot be written: {}", credentials::words(error)),
            )
            .hint("name another file with --config FILE")
            .next("kafka-migrate init --help")
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.path)
            .map_err(|error| refused(&error))?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all());
        written.map_err(|error| {
            // Half a file is none, and it is ours.
            std::fs::remove_file(&self.path).ok();
            refused(&error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Given;

    fn flags(list: &[(&'static str, &'static str, &str)]) -> Vec<Flag> {
        let flag = |(flag, path, value): &(&'static str, &'static str, &str)| Flag {
            flag,
            path,
            value: Given::Text((*value).to_owned()),
        };
        list.iter().map(flag).collect()
    }

    const BOTH: [(&str, &str, &str); 2] = [
        ("--source", "source.bootstrap", "kafka1:9092,kafka3:9092"),
        ("--target", "target.bootstrap", "kafka2:9092"),
    ];

    #[test]
    fn what_is_written_is_read_with_the_settings_that_were_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.toml");
        std::fs::write(folder.path().join("pw"), "hunter2").unwrap();
        let mut given = flags(&BOTH);
        given.extend(flags(&[
            (
                "--source-mechanism",
                "source.auth.mechanism",
                "scram-sha-512",
            ),
            ("--source-username", "source.auth.username", "migrator"),
        ]));
        given.push(Flag {
            flag: "--source-password-file",
            path: "source.auth.password",
            value: Given::SecretFile(folder.path().join("pw")),
        });
        let environment = BTreeMap::from([
            ("KAFKA_MIGRATE_READY_HOLD".to_owned(), "90s".to_owned()),
            ("KAFKA_MIGRATE_SCOPE_TOPICS".to_owned(), "a-*,b".to_owned()),
        ]);
        let draft = begin(
            &path,
            "orders",
            &[Side::Target],
            &given,
            &[],
            environment,
            Amazon::default(),
        )
        .unwrap();
        draft.write(&draft.text(&Proposal::default())).unwrap();
        let read =
            crate::config::resolve(&path, &[], None, &BTreeMap::new(), &Amazon::default()).unwrap();
        assert_eq!(
            (&*read.name, &read.source.bootstrap),
            ("orders", &draft.settings.source.bootstrap)
        );
        assert_eq!(read.source.bootstrap, ["kafka1:9092", "kafka3:9092"]);
        assert!(read.source.tls.is_none() && read.target.tls.is_some());
        assert_eq!(read.ready.hold.as_secs(), 90);
        assert!(read.scope.has_topic("a-1", false) && !read.scope.has_topic("c", false));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hunter2"), "{text}");

        let none = BTreeMap::new;
        let again =
            begin(&path, "orders", &[], &given, &[], none(), Amazon::default()).unwrap_err();
        assert_eq!(
            (again.code, again.next.as_deref()),
            ("K018", Some("kafka-migrate config"))
        );
        // And if it came there after it was looked for.
        assert_eq!(draft.write("").unwrap_err().code, "K000");
        assert_eq!(draft.write(&text).unwrap_err().code, "K018");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("there.toml");
        std::fs::write(&path, "").unwrap();
        let given = flags(&[
            ("--name", "name", "No Name"),
            ("--source", "source.bootstrap", "kafka1"),
            ("--source-mechanism", "source.auth.mechanism", "kerberos"),
        ]);
        let keys = &[("target.bootstrap", "--target")];
        let none = (BTreeMap::new(), Amazon::default());
        let failure = begin(&path, "x", &[], &given, keys, none.0, none.1).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let all = failure.causes.join("\n");
        for says in [
            "stands there already",
            "--name: name: \"No Name\" is no name",
            "--source: source.bootstrap: expected \"host:port\"",
            "--source-mechanism: source.auth.mechanism: ",
            "`target.bootstrap` is missing; give --target",
        ] {
            assert!(all.contains(says), "{says}\n{all}");
        }
        assert_eq!(failure.causes.len(), 5, "{all}");
    }
}
