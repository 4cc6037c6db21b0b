//! Flags over environment over file over defaults, remembering where each value came from, and faults where it was written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    amazon::Amazon,
    fault::{self, Fault},
    fields::{self, FIELDS, Fallback, Field, Standing},
    file::{self, Document},
    settings::{Flag, Origin, variable},
    value::{Kind, Reference, Refusal, Value},
};
use crate::model::secret::Stored;

pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
    pub(super) field: &'static Field,
    order: usize,
}

pub(super) struct Resolving<'a> {
    shown: String,
    pub(super) base: PathBuf,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) amazon: &'a Amazon,
    pub(super) wanted: Vec<Stored>,
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
        value: Result<Value, Refusal>,
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

    pub(super) fn bytes(&self, path: &str) -> Option<u64> {
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
}
