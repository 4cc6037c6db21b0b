//! The settings in force, each with its origin.

use clap::Args;
use serde::Serialize;

use super::Global;
use crate::{
    clock,
    config::{Listed, Origin},
    error::Failure,
    exit::Exit,
    ui::{Screen, numbers, tables},
};

/// Show the settings in force, each with its origin
#[derive(Debug, Args)]
pub struct Config {}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    settings: &'a [Listed],
    notes: &'a [String],
}

impl Config {
    /// Prints them; secrets show only where they are.
    pub fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings_here(&[])?;
        if screen.is_json() {
            screen.document(&Document {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: &settings.name,
                event: "config",
                settings: &settings.listing,
                notes: &settings.notes,
            });
            return Ok(Exit::Ok);
        }
        let file = settings.file.display().to_string();
        let row = |listed: &Listed| {
            [
                listed.path.clone(),
                listed.value.clone(),
                origin(&listed.origin, &file),
            ]
        };
        let rows: Vec<_> = settings
            .listing
            .iter()
            .filter(|listed| listed.used)
            .map(row)
            .collect();
        screen.text(&tables::grid(&["setting", "value", "from"], &rows));
        let unused: Vec<_> = settings
            .listing
            .iter()
            .filter(|listed| !listed.used)
            .map(row)
            .collect();
        if !unused.is_empty() {
            screen.text("\nnot used yet by this version:\n");
            screen.text(&tables::grid(&["setting", "value", "from"], &unused));
        }
        for note in &settings.notes {
            screen.note(note);
        }
        Ok(Exit::Ok)
    }
}

fn origin(origin: &Origin, file: &str) -> String {
    match origin {
        Origin::Flag { flag } => flag.clone(),
        Origin::Environment { variable } => variable.clone(),
        Origin::File { line, .. } => format!("{file}:{line}"),
        Origin::Default => "default".to_owned(),
    }
}
