//! What a runbook is made of: the migration file, and what of the clusters could be looked at.

use super::look::{self, Looked};
use crate::{
    cli::Global,
    clock,
    config::Settings,
    model::{application::Application, patterns::Patterns},
    phases::waves,
    report::runbook::{self, ByMsk, Runbook},
    ui::numbers,
};

/// The runbook.
pub fn of(settings: &Settings, looked: &Looked, global: &Global) -> Runbook {
    let applications = &looked.applications;
    let mut not = looked.not.clone();
    let topics = match &looked.topics {
        Some(topics) => topics.clone(),
        None => {
            not.push("which topics there are: the order of applications and what they share rest on the names in the file, and say nothing of globs".to_owned());
            written(applications)
        }
    };
    let standings = look::standings(looked);
    let one = |at: &usize| application(&applications[*at], applications, &topics, &standings);
    let waves = waves::waves(applications, &topics);
    let known = |names: Vec<String>| looked.topics.is_some().then_some(names);
    let bootstrap = [&settings.source, &settings.target].map(|side| side.bootstrap.join(","));
    Runbook {
        at: numbers::stamp(clock::unix_millis()),
        migration: settings.name.clone(),
        command: prefix(global),
        clusters: looked.clusters.clone(),
        bootstrap,
        two_way: settings.two_way,
        msk: settings.msk.as_ref().map(|msk| by_msk(msk, &settings.name)),
        waves: waves
            .iter()
            .map(|wave| wave.iter().map(one).collect())
            .collect(),
        by_group: settings.applications.is_empty(),
        unclaimed: known(waves::unclaimed(applications, &topics)),
        groups_of_none: looked.groups.as_ref().map(|groups| {
            let is_nobodys =
                |group: &&String| !applications.iter().any(|one| one.groups.matches(group));
            groups.iter().filter(is_nobodys).cloned().collect()
        }),
        hold: numbers::time(settings.ready.hold),
        not_looked_at: not,
    }
}

/// The words that come before every subcommand and make it mean this migration.
fn prefix(global: &Global) -> String {
    let command = global.complete("kafka-migrate status");
    command
        .strip_suffix(" status")
        .unwrap_or(&command)
        .to_owned()
}

/// Names of topics that stand in the file as they are.
fn written(applications: &[Application]) -> Vec<String> {
    let both = applications
        .iter()
        .flat_map(|one| [&one.reads, &one.writes]);
    let mut names: Vec<String> = both.flat_map(Patterns::literals).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn application(
    one: &Application,
    all: &[Application],
    topics: &[String],
    standings: &[crate::report::Standing],
) -> runbook::Application {
    let hook =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let stands = standings.iter().find(|standing| standing.name == one.name);
    runbook::Application {
        name: one.name.clone(),
        stands: stands
            .filter(|standing| standing.at.is_some())
            .map(|standing| standing.words.clone()),
        reads: one.reads.texts().to_vec(),
        writes: one.writes.texts().to_vec(),
        groups: one.groups.texts().to_vec(),
        shared: waves::shared(one, all, topics),
        stop: hook(&one.hooks.stop),
        start: hook(&one.hooks.start),
        within: numbers::time(one.hooks.within),
    }
}

fn by_msk(msk: &crate::model::msk::Msk, migration: &str) -> ByMsk {
    let commands = crate::msk::commands(msk, migration);
    let commands = [
        (
            "the role that the replicators assume, from the files that plan replicate --files writes",
            commands.role,
        ),
        (
            "their user on the external cluster, by its admin",
            commands.user,
        ),
        ("the rights of that user", commands.rights),
        ("the log group", commands.logs),
    ];
    let filled = commands.into_iter().filter(|(_, lines)| !lines.is_empty());
    ByMsk {
        commands: filled
            .map(|(what, lines)| (what.to_owned(), lines))
            .collect(),
        checks: crate::msk::checks(msk)
            .into_iter()
            .map(|(what, lines)| (what.to_owned(), lines))
            .collect(),
    }
}
