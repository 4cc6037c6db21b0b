//! From the text of a migration file, what flags and environment say, and what both refer to, to settings; or all that is wrong at once.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    amazon::Amazon,
    credentials, fault,
    overlay::Resolving,
    settings::{Flag, Listed, Origin, Settings},
    value::Value,
};
use crate::{
    error::Failure,
    exit::Exit,
    model::{names::Side, pace::Pace},
};

/// How often settings and access rules are held against the source, where the file does not say.
const SYNC_EVERY: Duration = Duration::from_secs(30);

/// Reads the migration file and everything it refers to on this machine. All faults come back as one failure. Secrets that lie in Secrets
/// Manager, and are not in `amazon`, are named in [`Settings::wanted`].
pub fn resolve(
    path: &Path,
    flags: &[Flag],
    state: Option<&Path>,
    environment: &BTreeMap<String, String>,
    amazon: &Amazon,
) -> Result<Settings, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            fault::NO_FILE,
            format!("{shown} cannot be read: {}", credentials::words(&error)),
        )
        .hint("write one with `kafka-migrate init`, or name yours with --config FILE")
        .next("kafka-migrate --config FILE config")
    })?;
    let text = String::from_utf8(text).map_err(|_| {
        Failure::new(
            Exit::Usage,
            fault::SYNTAX,
            format!("{shown} is not UTF-8 text"),
        )
        .hint("save it as plain text in UTF-8")
    })?;
    resolve_text(path, &text, flags, state, environment, amazon)
}

/// The same for the text of a file that is, or is to be, at `path`.
pub(super) fn resolve_text(
    path: &Path,
    text: &str,
    flags: &[Flag],
    state: Option<&Path>,
    environment: &BTreeMap<String, String>,
    amazon: &Amazon,
) -> Result<Settings, Failure> {
    let shown = path.display().to_string();
    let mut resolving = Resolving::of(&shown, path, text, environment, amazon);
    if resolving
        .document
        .faults
        .iter()
        .all(|found| found.code != fault::SYNTAX)
    {
        resolving.overlay(flags);
        if let Some(settings) = resolving.settings(path, state) {
            return Ok(settings);
        }
    }
    Err(
        fault::failure(&shown, resolving.document.faults).unwrap_or_else(|| {
            Failure::new(
                Exit::Bug,
                "K000",
                "the settings are incomplete although nothing is wrong with them",
            )
        }),
    )
}

impl Resolving<'_> {
    pub(super) fn settings(&mut self, path: &Path, state: Option<&Path>) -> Option<Settings> {
        let source = self.connection(Side::Source);
        let target = self.connection(Side::Target);
        let scope = self.scope();
        let applications = self.applications();
        let existing = scope.as_ref().and_then(|scope| self.existing(scope));
        let msk = self.msk(source.as_ref());
        if !self.document.faults.is_empty() {
            return None;
        }
        let (keep, merge) = existing?;
        let name = self.text("name")?;
        let (state_path, state_origin) = match (state, self.environment.get("KAFKA_MIGRATE_STATE"))
        {
            (Some(given), Some(variable)) if Path::new(variable) == given => (
                given.to_path_buf(),
                Origin::Environment {
                    variable: "KAFKA_MIGRATE_STATE".into(),
                },
            ),
            (Some(given), _) => (
                given.to_path_buf(),
                Origin::Flag {
                    flag: "--state".into(),
                },
            ),
            (None, _) => (
                self.base.join(".kafka-migrate").join(&name),
                Origin::Default,
            ),
        };
        let mut listing = self.listing();
        listing.push(Listed {
            path: "state".into(),
            value: state_path.display().to_string(),
            origin: state_origin,
            used: true,
        });
        Some(Settings {
            source: source?,
            target: target?,
            scope: scope?,
            keep,
            merge,
            shards: u32::try_from(self.number("replication.shards")?).ok()?,
            pace: self.pace(),
            memory: usize::try_from(self.bytes("replication.memory")?).ok()?,
            replication_factor: self
                .number("replication.replication_factor")
                .and_then(|factor| i16::try_from(factor).ok()),
            two_way: matches!(self.value("replication.two_way"), Some(Value::Flag(true))),
            topics: self.patterns("scope.topics")?,
            exclude_topics: self.patterns("scope.exclude_topics")?,
            groups: self.patterns("scope.groups")?,
            exclude_groups: self.patterns("scope.exclude_groups")?,
            carries_groups: !matches!(
                self.value("replication.sync.groups"),
                Some(Value::Flag(false))
            ),
            groups_every: self.duration("replication.sync.groups"),
            settings_every: self.sync_every("replication.sync.configs"),
            acls_every: self.sync_every("replication.sync.acls"),
            ready: self.limits()?,
            applications,
            msk,
            wanted: std::mem::take(&mut self.wanted),
            state: state_path,
            file: path.to_path_buf(),
            notes: self.notes(),
            listing,
            name,
        })
    }

    /// How often something is held against the source; `None` where it is switched off.
    fn sync_every(&self, path: &str) -> Option<Duration> {
        match self.value(path) {
            Some(Value::Flag(false)) => None,
            Some(Value::Duration(every)) => Some(*every),
            _ => Some(SYNC_EVERY),
        }
    }

    fn pace(&self) -> Pace {
        match self.bytes("replication.rate") {
            Some(limit) => Pace::Fixed(limit),
            None if self.text("replication.rate").as_deref() == Some("auto") => Pace::Auto,
            None => Pace::Unlimited,
        }
    }
}
