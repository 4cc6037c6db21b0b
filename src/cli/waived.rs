//! Gates that a person answers for: read from the journal, added to it, withdrawn, and shown.

use serde::Serialize;

use super::{connect, journal, replicate};
use crate::{
    config::Settings,
    error::Failure,
    lock,
    run::{lock::RunnerLock, state::Record, waiver::Waiver},
    ui::{numbers, printable, tables},
};

/// Who says something, for the record.
pub fn by() -> String {
    format!("{} on {}", replicate::user(), lock::host())
}

/// What stands in the journal.
pub async fn known(settings: &Settings) -> Result<Vec<Waiver>, Failure> {
    let (source, target) = connect::both(settings).await?;
    let state = journal::look(settings, &source, &target).await?;
    Ok(state.waived)
}

/// Writes it down where a deleted directory does not lose it. Nothing counts that is not written down.
pub async fn record(
    settings: &Settings,
    command: &str,
    records: Vec<Record>,
) -> Result<(), Failure> {
    let (source, target) = connect::both(settings).await?;
    let lock = RunnerLock::take(&settings.state)?;
    let opened = journal::open(settings, &source, &target, &lock, command);
    let (mut journal, _) = Box::pin(opened).await?;
    for record in records {
        journal.append(record).await?;
    }
    journal.append(Record::Left).await
}

/// One of them, for programs.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    code: String,
    application: Option<String>,
    reason: String,
    by: String,
    at: String,
    /// Whether it lets anything through at the moment; only the gates tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    lets_through: Option<bool>,
}

/// All of them, for programs.
pub fn rows(all: &[Waiver], lets_through: impl Fn(&str) -> Option<bool>) -> Vec<Row> {
    let row = |one: &Waiver| Row {
        code: one.gate.clone(),
        application: one.application.clone(),
        reason: one.reason.clone(),
        by: one.by.clone(),
        at: numbers::stamp(one.at_ms),
        lets_through: lets_through(&one.gate),
    };
    all.iter().map(row).collect()
}

/// All of them, for people.
pub fn table(all: &[Waiver]) -> String {
    let row = |one: &Waiver| {
        [
            one.gate.clone(),
            one.application.clone().unwrap_or_else(|| "all".to_owned()),
            numbers::stamp(one.at_ms),
            printable(&one.by),
            printable(&one.reason),
        ]
    };
    let rows: Vec<[String; 5]> = all.iter().map(row).collect();
    tables::grid(&["waived", "for", "since", "who", "why"], &rows)
}
