//! Verdicts of gates as text and as documents, for `preflight` and `ready`; and what both look at.

use serde::Serialize;

use super::replicate::engine_settings;
use crate::{
    config::Settings,
    engine,
    exit::Exit,
    gates::{Answer, Held, Verdict},
    model::{backend::Backend, patterns::Patterns},
    observe::{Asked, ClusterSeen, Observation, Subject},
    ui::{Theme, numbers, printable},
};

/// Lines of what a verdict is about that are shown to a person.
const LINES_SHOWN: usize = 5;
/// Where the evidence begins.
const NAME_WIDTH: usize = 32;
const INDENT: &str = "            ";

/// What the settings ask to be looked at; `only` is the place of one application among them.
pub fn subject(settings: &Settings, only: Option<usize>) -> Subject {
    // The groups of applications belong to the migration whether `scope.groups` names them or not.
    let mut groups = settings.groups.texts().to_vec();
    for application in &settings.applications {
        let texts = application.groups.texts().iter();
        let new: Vec<String> = texts
            .filter(|text| !groups.contains(text))
            .cloned()
            .collect();
        groups.extend(new);
    }
    Subject {
        engine: engine_settings(settings, engine::Until::Stopped),
        source: settings.source.clone(),
        target: settings.target.clone(),
        asked: Asked {
            backend: match settings.msk {
                Some(_) => Backend::Msk,
                None => Backend::Embedded,
            },
            two_way: settings.two_way,
            groups: Patterns::of(&groups).unwrap_or_default(),
            replication_factor: settings.replication_factor,
            bytes_per_second: settings.pace.fixed(),
            // Our own engine has no such limit.
            most_topics: None,
            application: None,
        },
        exclude_groups: settings.exclude_groups.clone(),
        applications: settings.applications.clone(),
        only,
    }
}

/// A verdict and how long its gate has been open, for programs.
#[derive(Serialize)]
pub struct Row<'a> {
    #[serde(flatten)]
    verdict: &'a Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
}

/// The rows of a document.
pub fn rows<'a>(verdicts: &'a [Verdict], held: impl Fn(&str) -> Option<Held>) -> Vec<Row<'a>> {
    let row = |verdict: &'a Verdict| Row {
        verdict,
        held: held(verdict.code),
    };
    verdicts.iter().map(row).collect()
}

/// The first line: which clusters.
pub fn header(seen: &Observation) -> String {
    let side = |cluster: &ClusterSeen| {
        let id = cluster.id.as_deref().unwrap_or("(not connected)");
        match cluster.brokers.value() {
            Ok(brokers) => format!("{id}, {}", numbers::of(brokers.len() as u64, "broker")),
            Err(_) => id.to_owned(),
        }
    };
    let application = match &seen.asked.application {
        Some(name) => format!("   application: {name}"),
        None => String::new(),
    };
    format!(
        "{}   {}  →  {}   backend: {}{application}\n\n",
        seen.migration,
        printable(&side(&seen.source)),
        printable(&side(&seen.target)),
        seen.asked.backend
    )
}

/// All verdicts, one below the other.
pub fn text(verdicts: &[Verdict], theme: Theme) -> String {
    verdicts
        .iter()
        .map(|verdict| block(verdict, theme))
        .collect()
}

/// One verdict: its line, what it is about, what to do.
fn block(verdict: &Verdict, theme: Theme) -> String {
    let mut text = line(verdict, theme) + "\n";
    if verdict.verdict == Answer::Pass {
        return text;
    }
    for one in verdict.because.iter().take(LINES_SHOWN) {
        text += &format!("{INDENT}{}\n", printable(one));
    }
    if verdict.because.len() > LINES_SHOWN {
        text += &format!(
            "{INDENT}and {} more (--json for all)\n",
            verdict.because.len() - LINES_SHOWN
        );
    }
    if let Some(reason) = &verdict.waived {
        text += &format!("{INDENT}waived: {}\n", printable(reason));
    } else if let Some(fix) = &verdict.fix {
        text += &format!("{INDENT}{} {}\n", theme.dim("fix:"), printable(fix));
    }
    for command in &verdict.commands {
        text += &format!("{INDENT}  {}\n", printable(command));
    }
    text
}

/// Verdict, name, evidence; and the code, where somebody may want the page.
pub fn line(verdict: &Verdict, theme: Theme) -> String {
    let word = format!("{:>8}", verdict.verdict.word());
    let word = match verdict.verdict {
        Answer::Pass => theme.good(&word),
        Answer::Warn => theme.warn(&word),
        Answer::Block | Answer::Unknown if !verdict.holds_up => theme.warn(&word),
        Answer::Block | Answer::Unknown => theme.bad(&word),
    };
    let line = format!(
        "{word}  {:<NAME_WIDTH$}  {}",
        verdict.name,
        printable(&verdict.evidence)
    );
    match verdict.verdict {
        Answer::Pass => line,
        _ => format!("{line}   {}", verdict.code),
    }
}

/// `31 gates: 27 pass, 2 warn, 1 block, 1 unknown.`
pub fn count(verdicts: &[Verdict]) -> String {
    let of = |answer| verdicts.iter().filter(|one| one.verdict == answer).count();
    let waived = verdicts.iter().filter(|one| one.waived.is_some()).count();
    let waived = match waived {
        0 => String::new(),
        count => format!(", {count} of them waived"),
    };
    format!(
        "{}: {} pass, {} warn, {} block, {} unknown{waived}.",
        numbers::of(verdicts.len() as u64, "gate"),
        of(Answer::Pass),
        of(Answer::Warn),
        of(Answer::Block),
        of(Answer::Unknown)
    )
}

/// The last lines: the sum, the exit code, and the page to read first.
pub fn footer(verdicts: &[Verdict], exit: Exit, next: &str) -> String {
    format!(
        "\n{}   exit {} ({})\nnext: {next}\n",
        count(verdicts),
        exit.code(),
        exit.name()
    )
}

/// The verdict to read about first: a no before a not known.
pub fn worst(verdicts: &[Verdict]) -> Option<&Verdict> {
    let held_up = || verdicts.iter().filter(|verdict| verdict.holds_up);
    held_up()
        .find(|verdict| verdict.verdict == Answer::Block)
        .or_else(|| held_up().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Color;

    fn verdict(code: &'static str, name: &'static str, verdict: Answer) -> Verdict {
        Verdict {
            code,
            name,
            verdict,
            evidence: "source 9/9".into(),
            because: Vec::new(),
            fix: None,
            commands: Vec::new(),
            waived: None,
            page: format!("docs/errors/{code}.md"),
            holds_up: matches!(verdict, Answer::Block | Answer::Unknown),
            takes_time: false,
        }
    }

    #[test]
    fn verdicts_read_well() {
        let mut all = vec![
            verdict("G101", "brokers-reachable", Answer::Pass),
            verdict("G112", "message-sizes-fit", Answer::Warn),
            verdict("G106", "can-read-source", Answer::Block),
            verdict("G207", "consumer-group-count-as-expected", Answer::Unknown),
        ];
        all[1].because = (1..=7).map(|number| format!("topic {number}")).collect();
        all[2].fix = Some("run\u{1b}[2J this".into());
        all[2].commands = vec!["kafka-acls --add".into()];
        all[3].waived = Some("seen to by hand".into());
        all[3].holds_up = false;
        let theme = Theme::choose(Color::Never);
        insta::assert_snapshot!(text(&all, theme) + &footer(&all, Exit::NotReady, "kafka-migrate explain G106"), @r"
            pass  brokers-reachable                 source 9/9
            warn  message-sizes-fit                 source 9/9   G112
                    topic 1
                    topic 2
                    topic 3
                    topic 4
                    topic 5
                    and 2 more (--json for all)
           block  can-read-source                   source 9/9   G106
                    fix: run\u{1b}[2J this
                      kafka-acls --add
         unknown  consumer-group-count-as-expected  source 9/9   G207
                    waived: seen to by hand

        4 gates: 1 pass, 1 warn, 1 block, 1 unknown, 1 of them waived.   exit 3 (not-ready)
        next: kafka-migrate explain G106
        ");
        assert_eq!(worst(&all).map(|one| one.code), Some("G106"));
    }

    #[test]
    fn a_document_says_of_each_gate_what_programs_need() {
        let all = [verdict("G204", "message-lag-low", Answer::Block)];
        let held = |_: &str| {
            Some(Held {
                for_ms: 5,
                observations: 2,
            })
        };
        let value = serde_json::to_value(rows(&all, held)).expect("it is JSON");
        for key in [
            "code", "name", "verdict", "evidence", "fix", "because", "commands", "page", "waived",
            "holds_up",
        ] {
            assert!(value[0].get(key).is_some(), "{key} is missing: {value}");
        }
        assert_eq!(
            (&value[0]["verdict"], &value[0]["held"]["for_ms"]),
            (&"block".into(), &5.into())
        );
        assert_eq!(value[0]["page"], "docs/errors/G204.md");
    }
}
