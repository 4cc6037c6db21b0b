//! Every setting in force, in the order of the documentation, and what is worth a note about them.

use super::{
    fields::{self, FIELDS, Field, Standing},
    overlay::{Resolving, Setting},
    settings::{Listed, variable},
    value::{Kind, Reference, Value},
};
use crate::model::names::Side;

/// Variables that are read but are no keys of the file: two global flags, and what tests ask of the engine.
const OTHER_VARIABLES: [&str; 5] = [
    "KAFKA_MIGRATE_CONFIG",
    "KAFKA_MIGRATE_STATE",
    "KAFKA_MIGRATE_STEPS",
    "KAFKA_MIGRATE_CRASH_AT",
    "KAFKA_MIGRATE_SEED",
];

impl Resolving<'_> {
    pub(super) fn listing(&self) -> Vec<Listed> {
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

    pub(super) fn notes(&self) -> Vec<String> {
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
