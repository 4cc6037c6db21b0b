//! What the report shows, in order: what the migration is, what stands now, each move, what was read again, numbers over time, the comparison.

mod moves;

use super::{
    Report, WayBack,
    bars::took_words,
    document::{Document, code, codes, plain},
    verified::Found,
};
use crate::model::numbers;

/// Said of what could not be asked.
const NOT_LOOKED_AT: &str = "not looked at";

/// The whole of it.
pub fn of(report: &Report) -> Document {
    let mut page = Document::default();
    page.heading(1, format!("Migration {}", code(&report.migration)));
    page.text(format!(
        "Made {} by kafka-migrate {}. Times are UTC, by the clocks of the machines that did what is told.",
        report.at,
        plain(&report.program)
    ));
    what_it_is(report, &mut page);
    what_stands_now(report, &mut page);
    if !report.not_looked_at.is_empty() {
        page.heading(2, "Not looked at");
        page.list(report.not_looked_at.iter().map(|one| plain(one)).collect());
    }
    page.heading(2, "Moves");
    match (report.journal, report.moves.is_empty()) {
        (false, _) => page.text("Not known: there was no journal to read."),
        (true, true) => page.text("No application has begun to move, by the journal."),
        (true, false) => {}
    }
    for one in &report.moves {
        moves::one(one, &mut page);
    }
    moves::read_again(&report.moves, &mut page);
    over_time(report, &mut page);
    verified(report, &mut page);
    commands(report, &mut page);
    page
}

fn what_it_is(report: &Report, page: &mut Document) {
    let cluster = |id: &Option<String>| id.as_deref().map_or("not known yet".to_owned(), code);
    let counts = match (report.now.topics, report.now.partitions) {
        (Some(topics), Some(partitions)) => format!(
            "{} with {}",
            numbers::of(topics, "topic"),
            numbers::of(partitions, "partition")
        ),
        _ => "how many was not looked at".to_owned(),
    };
    let copier = match report.backend {
        "msk" => "MSK Replicator, one each way",
        _ => "the engine of kafka-migrate itself",
    };
    let ways = match report.two_way {
        true => "both ways",
        false => "from the source to the target only",
    };
    let patterns = |all: &[String]| match all.is_empty() {
        true => "none".to_owned(),
        false => codes(all),
    };
    page.heading(2, "What it is");
    page.table(
        vec!["", ""],
        [
            ("source cluster", cluster(&report.source_cluster)),
            ("target cluster", cluster(&report.target_cluster)),
            ("copied by", format!("{copier}, {ways}")),
            ("topics", format!("{}: {counts}", patterns(&report.topics))),
            ("groups", patterns(&report.groups)),
            (
                "applications",
                numbers::exact(report.applications.len() as u64),
            ),
        ]
        .map(|(name, value)| vec![name.to_owned(), value])
        .into(),
    );
}

fn what_stands_now(report: &Report, page: &mut Document) {
    let now = &report.now;
    page.heading(2, "What stands now");
    let lag = match now.message_lag {
        Some(lag) => format!(
            "The target does not hold {} of the source yet.",
            numbers::of(lag, "offset")
        ),
        None => "How far the copy is: not looked at.".to_owned(),
    };
    let way_back = match &now.way_back {
        Some(WayBack { open: true, why }) => format!("The way back is open: {}.", plain(why)),
        Some(WayBack { open: false, why }) => format!("The way back is not open: {}.", plain(why)),
        None => "Whether the way back is open: not looked at.".to_owned(),
    };
    let stopped = match now.stopped.as_deref() {
        None => "Whether partitions have stopped: not looked at.",
        Some([]) => "No partition has stopped.",
        Some(_) => "Partitions have stopped, and wait for a person:",
    };
    let copier = now
        .copier
        .as_deref()
        .map_or(NOT_LOOKED_AT.to_owned(), plain);
    page.list(vec![
        format!("Who copies: {copier}."),
        lag,
        way_back,
        stopped.to_owned(),
    ]);
    let rows = now.stopped.iter().flatten().map(|one| {
        vec![
            one.direction.to_owned(),
            code(&format!("{}-{}", one.topic, one.partition)),
            one.code.clone(),
            plain(&one.reason),
        ]
    });
    page.table(
        vec!["direction", "partition", "code", "why"],
        rows.collect(),
    );
    let rows = report.applications.iter();
    let rows = rows.map(|one| vec![code(&one.name), plain(&one.words)]);
    page.table(vec!["application", "stands"], rows.collect());
    page.text(match (report.journal, report.waived.is_empty()) {
        (false, _) => "Gates that a person answers for: not known, there was no journal to read.",
        (true, true) => "No gate is waived.",
        (true, false) => "Gates that a person answers for:",
    });
    let rows = report.waived.iter().map(|one| {
        vec![
            one.gate.clone(),
            one.application.as_deref().map_or("all".to_owned(), code),
            numbers::stamp(one.at_ms),
            plain(&one.by),
            plain(&one.reason),
        ]
    });
    page.table(vec!["gate", "for", "since", "who", "why"], rows.collect());
}

fn over_time(report: &Report, page: &mut Document) {
    let over_time = &report.over_time;
    page.heading(2, "Lag, latency and throughput");
    if let Some(elsewhere) = &over_time.elsewhere {
        page.text(plain(elsewhere));
    }
    let plots = over_time.plots();
    if plots.is_empty() && over_time.elsewhere.is_none() {
        page.text("No numbers over time are kept in this state directory: an engine that runs with it keeps one sample each ten seconds.");
    }
    if !plots.is_empty() {
        page.text("Kept by the engine on this machine while it ran. Nothing is drawn for what nobody saw.");
        for plot in plots {
            page.blocks.push(super::document::Block::Plot(plot));
        }
    }
    let gaps = over_time.gaps.iter().map(|gap| {
        let length = u64::try_from(gap.until_ms - gap.from_ms).unwrap_or(0);
        vec![
            numbers::stamp(gap.from_ms),
            numbers::stamp(gap.until_ms),
            numbers::time(std::time::Duration::from_millis(length)),
        ]
    });
    let gaps: Vec<Vec<String>> = gaps.collect();
    if !gaps.is_empty() {
        page.text("No numbers, because no engine ran with this state directory:");
        page.table(vec!["from", "until", "for"], gaps);
    }
    page.list(over_time.notes.iter().map(|note| plain(note)).collect());
}

fn verified(report: &Report, page: &mut Document) {
    page.heading(2, "Compared record by record");
    let Some(verified) = &report.verified else {
        page.text(format!(
            "Not verified, as far as this state directory tells: {} compares both sides.",
            code("kafka-migrate verify")
        ));
        return;
    };
    let verdict = match verified.verdict.as_str() {
        "same" => "the same on both sides",
        "behind" => "what is there is right, and not everything is there yet",
        "differs" => "the two sides differ",
        other => other,
    };
    page.text(format!(
        "{}: {}. {} in {}.",
        numbers::stamp(verified.at_ms),
        plain(verdict),
        numbers::of(verified.partitions, "partition"),
        took_words(verified.took_ms)
    ));
    let row = |name: &str, found: &Found| {
        vec![
            name.to_owned(),
            numbers::exact(found.matching),
            numbers::exact(found.differences),
            numbers::exact(found.not_yet_copied),
        ]
    };
    let back = verified
        .back
        .iter()
        .map(|back| row("target to source", back));
    let rows = [row("source to target", &verified.there)]
        .into_iter()
        .chain(back);
    page.table(
        vec![
            "direction",
            "the same",
            "differences",
            "not yet copied, at most",
        ],
        rows.collect(),
    );
}

fn commands(report: &Report, page: &mut Document) {
    if report.commands.is_empty() {
        return;
    }
    page.heading(2, "Commands that wrote the journal");
    let rows = report.commands.iter().map(|one| {
        vec![
            numbers::stamp(one.at_ms),
            code(&one.command),
            plain(&one.host),
            plain(&one.version),
        ]
    });
    page.table(vec!["when", "command", "on", "version"], rows.collect());
}
