//! Flags over environment over file over defaults, remembering where each value came from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{
    amazon::Amazon,
    credentials::{self, Refused},
    fault::{self, Fault},
    fields::{self, FIELDS, Fallback, Field, Standing},
    file::{self, Document},
    value::{Kind, Reference, Value},
};
use crate::{
    error::Failure,
    exit::Exit,
    model::{
        application::Application,
        connection::{Auth, Connection, ScramHash, Tls},
        limits::Limits,
        msk::Msk,
        names::Side,
        pace::Pace,
        patterns::Patterns,
        scope::Scope,
        secret::{Secret, Stored},
    },
};

/// How often settings and access rules are held against the source, where the file does not say.
const SYNC_EVERY: Duration = Duration::from_secs(30);

/// Everything a command needs to know, secrets wrapped, references followed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The migration's name.
    pub name: String,
    /// The migration file.
    pub file: PathBuf,
    /// How to reach the source.
    pub source: Connection,
    /// How to reach the target.
    pub target: Connection,
    /// Which topics.
    pub scope: Scope,
    /// Topics whose records on the target stay there, and are copied behind.
    pub keep: GlobSet,
    /// Topics whose records on the target stay there, are copied behind, and are copied back, too.
    pub merge: GlobSet,
    /// Ledger partitions.
    pub shards: u32,
    /// Bytes per second.
    pub pace: Pace,
    /// Bytes of records held in memory at once.
    pub memory: usize,
    /// Of topics we create; `None` is the broker's default.
    pub replication_factor: Option<i16>,
    /// Whether what is written on the target is copied back.
    pub two_way: bool,
    /// Topics to take, as they are written.
    pub topics: Patterns,
    /// Topics to leave out all the same, as they are written.
    pub exclude_topics: Patterns,
    /// Groups to carry.
    pub groups: Patterns,
    /// Groups to leave out all the same.
    pub exclude_groups: Patterns,
    /// Whether our own engine carries positions of groups.
    pub carries_groups: bool,
    /// How long it rests in between; `None` leaves it to how long it takes.
    pub groups_every: Option<Duration>,
    /// How often settings of topics are brought over; `None`: they are not.
    pub settings_every: Option<Duration>,
    /// How often access rules are; `None`: they are not.
    pub acls_every: Option<Duration>,
    /// Limits of the gates.
    pub ready: Limits,
    /// Applications that move as one.
    pub applications: Vec<Application>,
    /// What MSK Replicator has to know, where it copies; otherwise our own engine does.
    pub msk: Option<Msk>,
    /// Secrets that still have to be fetched: until then they are empty.
    pub wanted: Vec<Stored>,
    /// Where local state lives.
    pub state: PathBuf,
    /// The settings in force, in the order of the format.
    pub listing: Vec<Listed>,
    /// What is worth saying although nothing is wrong.
    pub notes: Vec<String>,
}

/// One setting in force.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// Its key.
    pub path: String,
    /// Its value as text; a secret is `***` and where it is.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether this version uses it.
    pub used: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// A flag of this command.
    Flag {
        /// Its name.
        flag: String,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The migration file.
    File {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Nobody said.
    Default,
}

/// A value given by a flag.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag as typed.
    pub flag: &'static str,
    /// The key it overrides.
    pub path: &'static str,
    /// What was given.
    pub value: Given,
}

/// What a flag was given. A secret itself never is: only where it is.
#[derive(Debug, Clone)]
pub enum Given {
    /// A value as text.
    Text(String),
    /// The file that holds a secret.
    SecretFile(PathBuf),
    /// The variable that holds a secret.
    SecretVariable(String),
}

impl Given {
    fn read(&self, kind: Kind) -> Result<Value, super::value::Refusal> {
        match self {
            Self::Text(text) => kind.read(&kind.parse(text)),
            Self::SecretFile(path) => Ok(Value::Secret(Reference::File(path.clone()))),
            Self::SecretVariable(name) => Ok(Value::Secret(Reference::Environment(name.clone()))),
        }
    }
}

/// The variable that overrides a key: `KAFKA_MIGRATE_`, then the path in capitals with `_` for `.`.
pub fn variable(path: &str) -> String {
    format!("KAFKA_MIGRATE_{}", path.to_uppercase().replace('.', "_"))
}

/// Variables that are read but are no keys of the file: two global flags, and what tests ask of the engine.
const OTHER_VARIABLES: [&str; 5] = [
    "KAFKA_MIGRATE_CONFIG",
    "KAFKA_MIGRATE_STATE",
    "KAFKA_MIGRATE_STEPS",
    "KAFKA_MIGRATE_CRASH_AT",
    "KAFKA_MIGRATE_SEED",
];

/// Characters that make a glob of a name.
const GLOB: [char; 5] = ['*', '?', '[', '{', '\\'];

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

pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
    field: &'static Field,
    order: usize,
}

pub(super) struct Resolving<'a> {
    shown: String,
    base: PathBuf,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) amazon: &'a Amazon,
    wanted: Vec<Stored>,
    pub(super) document: Document,
    pub(super) settings: BTreeMap<String, Setting>,
    /// Keys that this command takes as flags, for what is said of one that is missing.
    pub(super) flags: &'static [(&'static str, &'static str)],
}

impl<'a> Resolving<'a> {
    /// The text of a file, called `shown` in messages; what it names is looked for beside `path`.
    pub(super) fn of(
        shown: &str,
        path: &Path,
        text: &str,
        environment: &'a BTreeMap<String, String>,
        amazon: &'a Amazon,
    ) -> Self {
        Self {
            shown: shown.to_owned(),
            base: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            environment,
            amazon,
            wanted: Vec::new(),
            document: file::parse(shown, text),
            settings: BTreeMap::new(),
            flags: &[],
        }
    }
}

impl Resolving<'_> {
    /// Lays flags over environment over file over defaults.
    pub(super) fn overlay(&mut self, flags: &[Flag]) {
        for (path, entry) in std::mem::take(&mut self.document.entries) {
            let origin = Origin::File {
                line: entry.line,
                column: entry.column,
            };
            self.settings.insert(
                path,
                Setting {
                    value: entry.value,
                    origin,
                    field: entry.field,
                    order: entry.order,
                },
            );
        }
        for field in FIELDS.iter().filter(|field| {
            !field.path.contains('[')
                && !matches!(field.kind, Kind::Table | Kind::Tables | Kind::Labels)
        }) {
            let name = variable(field.path);
            if let Some(text) = self.environment.get(&name) {
                // The variable of a secret holds the secret; the setting keeps only where it is.
                let value = match field.kind {
                    Kind::Secret => Ok(Value::Secret(Reference::Environment(name.clone()))),
                    kind => kind.read(&kind.parse(text)),
                };
                self.put(
                    field,
                    value,
                    Origin::Environment {
                        variable: name.clone(),
                    },
                    &name,
                );
            }
            if let Some(flag) = flags.iter().find(|flag| flag.path == field.path) {
                let value = flag.value.read(field.kind);
                self.put(
                    field,
                    value,
                    Origin::Flag {
                        flag: flag.flag.to_owned(),
                    },
                    flag.flag,
                );
            }
            if self.settings.contains_key(field.path) || self.document.refused.contains(field.path)
            {
                continue;
            }
            match field.fallback {
                Fallback::Value(text) => {
                    let value = field.kind.read(&field.kind.parse(text));
                    self.put(field, value, Origin::Default, "default");
                }
                Fallback::Required => {
                    let flag = self.flags.iter().find(|(path, _)| *path == field.path);
                    let hint = match flag {
                        Some((_, flag)) => format!("give {flag} ({}), or set {name}", field.doc),
                        None => format!("write it ({}), or set {name}", field.doc),
                    };
                    self.fault(
                        usize::MAX,
                        self.shown.clone(),
                        fault::MISSING,
                        format!("`{}` is missing", field.path),
                        Some(hint),
                    );
                }
                Fallback::Absent => {}
            }
        }
        self.msk_defaults();
        if !self.is_msk() {
            self.only_with_msk();
        }
    }

    /// Refuses what MSK Replicator can do, and our own engine cannot yet.
    fn only_with_msk(&mut self) {
        for field in FIELDS {
            let (Standing::Embedded(allowed), Some(value)) =
                (field.standing, self.value(field.path))
            else {
                continue;
            };
            if let Some((message, hint)) = file::not_among(allowed, field, value) {
                let (order, place) = self.place_of(field.path);
                self.fault(order, place, fault::UNAVAILABLE, message, hint);
            }
        }
    }

    /// Lays a value down where nobody wrote one.
    pub(super) fn by_default(&mut self, path: &str, value: Value) {
        let Some(field) = fields::find(path).filter(|_| !self.is_written(path)) else {
            return;
        };
        if !self.document.refused.contains(path) {
            let setting = Setting {
                value,
                origin: Origin::Default,
                field,
                order: usize::MAX,
            };
            self.settings.insert(path.to_owned(), setting);
        }
    }

    /// Whether somebody wrote this key, in whatever place.
    pub(super) fn is_written(&self, path: &str) -> bool {
        let setting = self.settings.get(path);
        self.document.refused.contains(path)
            || setting.is_some_and(|setting| setting.origin != Origin::Default)
    }

    fn put(
        &mut self,
        field: &'static Field,
        value: Result<Value, super::value::Refusal>,
        origin: Origin,
        place: &str,
    ) {
        let refused = match value {
            Ok(value) => match file::unavailable(field, &value) {
                None => {
                    self.document.refused.remove(field.path);
                    self.settings.insert(
                        field.path.to_owned(),
                        Setting {
                            value,
                            origin,
                            field,
                            order: usize::MAX,
                        },
                    );
                    return;
                }
                Some((message, hint)) => (fault::UNAVAILABLE, message, hint),
            },
            Err(why) => file::refusal(field, why),
        };
        self.document.refused.insert(field.path.to_owned());
        self.fault(
            usize::MAX,
            place.to_owned(),
            refused.0,
            refused.1,
            refused.2,
        );
    }

    fn fault(
        &mut self,
        order: usize,
        place: String,
        code: &'static str,
        message: String,
        hint: Option<String>,
    ) {
        self.document.faults.push(Fault {
            order,
            place,
            code,
            message,
            hint,
        });
    }

    /// A fault of a setting that is there, placed where it was written.
    pub(super) fn fault_of(
        &mut self,
        path: &str,
        code: &'static str,
        message: String,
        hint: Option<String>,
    ) {
        let (order, place) = self.place_of(path);
        self.fault(order, place, code, format!("{path}: {message}"), hint);
    }

    /// Where a setting was written, for the order of faults and for a person.
    fn place_of(&self, path: &str) -> (usize, String) {
        match self
            .settings
            .get(path)
            .map(|setting| (setting.order, &setting.origin))
        {
            Some((order, Origin::File { line, column })) => {
                (order, format!("{}:{line}:{column}", self.shown))
            }
            Some((order, Origin::Environment { variable })) => (order, variable.clone()),
            Some((order, Origin::Flag { flag })) => (order, flag.clone()),
            _ => (usize::MAX, self.shown.clone()),
        }
    }

    /// Every path that has a value.
    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.settings.keys()
    }

    pub(super) fn value(&self, path: &str) -> Option<&Value> {
        self.settings.get(path).map(|setting| &setting.value)
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.value(path)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn texts(&self, path: &str) -> Option<Vec<String>> {
        match self.value(path)? {
            Value::Texts(texts) => Some(texts.clone()),
            _ => None,
        }
    }

    pub(super) fn number(&self, path: &str) -> Option<i64> {
        match self.value(path)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn duration(&self, path: &str) -> Option<Duration> {
        match self.value(path)? {
            Value::Duration(duration) => Some(*duration),
            _ => None,
        }
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

    fn bytes(&self, path: &str) -> Option<u64> {
        match self.value(path)? {
            Value::Bytes(bytes, _) => Some(*bytes),
            _ => None,
        }
    }

    /// Files in the migration file start beside it; files in a variable start where the command runs.
    pub(super) fn start_of(&self, path: &str) -> PathBuf {
        match self.settings.get(path).map(|setting| &setting.origin) {
            Some(Origin::File { .. }) => self.base.clone(),
            _ => PathBuf::new(),
        }
    }

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

    fn connection(&mut self, side: Side) -> Option<Connection> {
        let tls = self.tls(side);
        let auth = self.auth(side);
        Some(Connection {
            side,
            bootstrap: self.texts(&format!("{side}.bootstrap"))?,
            auth: auth?,
            tls: tls?,
            connect_timeout: self.duration(&format!("{side}.connect_timeout"))?,
            request_timeout: self.duration(&format!("{side}.request_timeout"))?,
        })
    }

    /// The outer `None` is a fault, the inner one plain text.
    #[expect(
        clippy::option_option,
        reason = "a fault and `no TLS` are different answers"
    )]
    fn tls(&mut self, side: Side) -> Option<Option<Tls>> {
        let ca = format!("{side}.tls.ca");
        if self.document.refused.contains(&ca) {
            return None;
        }
        let Some(file) = self.text(&ca) else {
            // MSK lets nobody log in with IAM but over TLS, and no token of ours goes out without.
            let is_iam = self.text(&format!("{side}.auth.mechanism")).as_deref() == Some("msk-iam");
            let is_on = is_iam || self.value(&format!("{side}.tls")).is_some();
            return Some(is_on.then(Tls::default));
        };
        let file = self.start_of(&ca).join(file);
        match credentials::certificates(&file) {
            Ok(pem) => Some(Some(Tls {
                ca_pem: Some(pem),
                ca_path: Some(file),
            })),
            Err(refused) => {
                self.unreadable(&ca, refused);
                None
            }
        }
    }

    fn auth(&mut self, side: Side) -> Option<Auth> {
        let at = |key: &str| format!("{side}.auth.{key}");
        let mechanism = self.text(&at("mechanism"))?;
        if mechanism == "none" {
            for key in ["username", "password"] {
                if self.value(&at(key)).is_some() {
                    let hint = format!(
                        "set {} to scram-sha-512, scram-sha-256 or plain",
                        at("mechanism")
                    );
                    self.fault_of(
                        &at(key),
                        fault::BAD_VALUE,
                        "is set, but the mechanism is none".into(),
                        Some(hint),
                    );
                }
            }
            return Some(Auth::None);
        }
        if mechanism == "msk-iam" {
            return self.msk_iam(side);
        }
        for key in ["username", "password"] {
            if self.value(&at(key)).is_none() && !self.document.refused.contains(&at(key)) {
                let message = format!("{mechanism} needs `{}`", at(key));
                self.fault_of(
                    &at("mechanism"),
                    fault::MISSING,
                    message,
                    Some(format!("or set {}", variable(&at(key)))),
                );
            }
        }
        let password = self.secret(&at("password"));
        let (username, password) = (self.text(&at("username"))?, password?);
        Some(match mechanism.as_str() {
            "scram-sha-256" => Auth::Scram {
                hash: ScramHash::Sha256,
                username,
                password,
            },
            "scram-sha-512" => Auth::Scram {
                hash: ScramHash::Sha512,
                username,
                password,
            },
            _ => Auth::Plain { username, password },
        })
    }

    pub(super) fn secret(&mut self, path: &str) -> Option<Secret> {
        let Value::Secret(reference) = self.value(path)?.clone() else {
            return None;
        };
        let environment = |name: &str| self.environment.get(name).cloned();
        let start = self.start_of(path);
        match credentials::fetch(&reference, &start, &environment, self.amazon) {
            Ok(Some(secret)) => Some(secret),
            Ok(None) => {
                if let Reference::SecretsManager(stored) = reference
                    && !self.wanted.contains(&stored)
                {
                    self.wanted.push(stored);
                }
                Some(Secret::new(""))
            }
            Err(refused) => {
                self.unreadable(path, refused);
                None
            }
        }
    }

    pub(super) fn unreadable(&mut self, path: &str, refused: Refused) {
        let code = if refused.unavailable {
            fault::UNAVAILABLE
        } else {
            fault::UNREADABLE
        };
        self.fault_of(path, code, refused.message, Some(refused.hint));
    }

    fn scope(&mut self) -> Option<Scope> {
        let topics = self.texts("scope.topics")?;
        if topics.is_empty() {
            self.fault_of(
                "scope.topics",
                fault::BAD_VALUE,
                "names no topic".into(),
                Some("\"*\" takes them all".into()),
            );
            return None;
        }
        let literal_topics: Vec<String> = topics
            .iter()
            .filter(|topic| !topic.contains(GLOB))
            .cloned()
            .collect();
        for literal in &literal_topics {
            if !is_topic_name(literal) {
                self.fault_of(
                    "scope.topics",
                    fault::BAD_VALUE,
                    format!("{literal:?} cannot be a topic's name"),
                    Some("letters, digits, `.`, `_` and `-`, at most 249".into()),
                );
            }
        }
        let scope = Scope {
            topics: globs(&topics)?,
            exclude_topics: globs(&self.texts("scope.exclude_topics").unwrap_or_default())?,
            literal_topics,
        };
        // Otherwise they would be looked for on the source and called missing.
        for literal in &scope.literal_topics {
            if scope.exclude_topics.is_match(literal) {
                let hint = "take it out of one of the two".to_owned();
                self.fault_of(
                    "scope.topics",
                    fault::BAD_VALUE,
                    format!("{literal:?} is named here, and excluded by scope.exclude_topics"),
                    Some(hint),
                );
            } else if is_topic_name(literal) && !scope.has_topic(literal, false) {
                let hint = "it belongs to the brokers or to another tool: leave it out".to_owned();
                self.fault_of(
                    "scope.topics",
                    fault::BAD_VALUE,
                    format!("{literal:?} is never copied"),
                    Some(hint),
                );
            }
        }
        Some(scope)
    }

    /// What `[[topic]]` says of topics by name or glob; a name that is nobody's is a mistake.
    fn existing(&mut self, scope: &Scope) -> Option<(GlobSet, GlobSet)> {
        let two_way = matches!(self.value("replication.two_way"), Some(Value::Flag(true)));
        let matches: Vec<(String, String)> = self
            .settings
            .iter()
            .filter(|(_, setting)| setting.field.path == "topic[].match")
            .map(|(path, setting)| (path.clone(), setting.value.to_string()))
            .collect();
        let (mut kept, mut merged) = (Vec::new(), Vec::new());
        for (path, text) in matches {
            let is_glob = text.contains(GLOB);
            let wrong = match GlobBuilder::new(&text).build() {
                Err(error) => Some(format!("{text:?} is no glob: {}", error.kind())),
                Ok(_) if !is_glob && !scope.has_topic(&text, false) => {
                    Some(format!("{text:?} is no topic of scope.topics"))
                }
                Ok(_) => None,
            };
            if let Some(wrong) = wrong {
                let hint = "name a topic that is copied, or a glob".to_owned();
                self.fault_of(&path, fault::BAD_VALUE, wrong, Some(hint));
                continue;
            }
            let existing = path.replace(".match", ".existing");
            match self.text(&existing).as_deref() {
                Some("keep") => kept.push(text),
                Some("merge") if !two_way => self.fault_of(
                    &existing,
                    fault::BAD_VALUE,
                    "\"merge\" copies back what the target holds, and nothing is copied back".to_owned(),
                    Some("set replication.two_way = true; or \"keep\" leaves the target's records where they are, and copies behind them".to_owned()),
                ),
                Some("merge") => merged.push(text),
                _ => {}
            }
        }
        Some((globs(&kept)?, globs(&merged)?))
    }

    fn listing(&self) -> Vec<Listed> {
        let rank = |field: &Field| FIELDS.iter().position(|known| known.path == field.path);
        let mut rows: Vec<(&String, &Setting)> = self.settings.iter().collect();
        rows.sort_by_key(|(path, setting)| (list_rank(path, setting.field, rank), (*path).clone()));
        rows.into_iter()
            .filter(|(path, setting)| {
                !matches!(setting.field.kind, Kind::Table | Kind::Tables)
                    || path.as_str() == "source.tls"
                    || path.as_str() == "target.tls"
            })
            .map(|(path, setting)| Listed {
                path: path.clone(),
                value: setting.value.to_string(),
                origin: setting.origin.clone(),
                used: setting.field.standing != Standing::Later
                    && (self.is_msk() || !path.starts_with("msk.")),
            })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for side in [Side::Source, Side::Target] {
            let on = self.value(&format!("{side}.tls")).is_some()
                || self.value(&format!("{side}.tls.ca")).is_some();
            if !on && self.text(&format!("{side}.auth.mechanism")).as_deref() == Some("plain") {
                notes.push(format!(
                    "the {side}'s password travels unencrypted: PLAIN without [{side}.tls]"
                ));
            }
        }
        let referred: Vec<&String> = self
            .settings
            .values()
            .filter_map(|setting| match &setting.value {
                Value::Secret(Reference::Environment(name)) => Some(name),
                _ => None,
            })
            .collect();
        for name in self
            .environment
            .keys()
            .filter(|name| name.starts_with("KAFKA_MIGRATE_"))
        {
            let known = FIELDS.iter().any(|field| variable(field.path) == **name);
            if !known && !referred.contains(&name) && !OTHER_VARIABLES.contains(&name.as_str()) {
                let nearest = FIELDS
                    .iter()
                    .map(|field| variable(field.path))
                    .min_by_key(|known| strsim::damerau_levenshtein(known, name));
                notes.push(format!(
                    "the variable {name} is not read; the nearest is {}",
                    nearest.unwrap_or_default()
                ));
            }
        }
        notes
    }
}

/// Keeps the elements of one list of tables together: by table, then by element, then by key.
fn list_rank(
    path: &str,
    field: &Field,
    rank: impl Fn(&Field) -> Option<usize>,
) -> (Option<usize>, usize, Option<usize>) {
    let Some((list, rest)) = path.split_once('[') else {
        return (rank(field), 0, None);
    };
    let element = rest
        .split(']')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    (fields::find(list).and_then(&rank), element, rank(field))
}

/// Kafka's rule (`org.apache.kafka.common.internals.Topic`): letters, digits, `.`, `_`, `-`, at most 249.
fn is_topic_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= 249
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn globs(patterns: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).build().ok()?);
    }
    set.build().ok()
}
