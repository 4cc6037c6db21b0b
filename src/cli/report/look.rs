//! What a report is made from: the journal, this machine's files, and the clusters as far as they answer; nothing of it has to be there.

use std::time::Duration;

use tokio::time::timeout;

use super::now;
use crate::{
    cli::{Global, journal},
    clock,
    cluster::{self, Source, Target},
    config::Settings,
    error::Failure,
    model::{application::Application, names::Side, patterns::Patterns},
    phases::{live, standing},
    report::{self, OverTime, Report, moves, numbers, verified::Verified},
    run::{
        journal::{Line, fold},
        state::{Record, State},
    },
    ui,
};

/// A cluster that says nothing for so long is not waited for.
const WITHIN: Duration = Duration::from_secs(20);

/// What was found out.
#[derive(Default)]
pub struct Looked {
    /// The longest journal that there is.
    pub lines: Vec<Line>,
    /// What it says.
    pub state: State,
    /// It could be read.
    pub has_journal: bool,
    /// What stands on the clusters.
    pub now: report::Now,
    /// Ids of both clusters.
    pub clusters: [Option<String>; 2],
    /// Topics in scope.
    pub topics: Option<Vec<String>>,
    /// Groups of the scope.
    pub groups: Option<Vec<String>>,
    /// The file's applications, or the groups that stand for them.
    pub applications: Vec<Application>,
    /// What could not be looked at, in sentences.
    pub not: Vec<String>,
}

/// Looks at everything. `offline`: at this machine's files alone.
pub async fn look(
    global: &Global,
    settings: &Settings,
    offline: bool,
    screen: &ui::Screen,
) -> Looked {
    let mut looked = Looked {
        applications: settings.applications.clone(),
        ..Looked::default()
    };
    let (source, target) = match offline {
        true => {
            let why = "the clusters: --offline was given, so they were not asked";
            looked.not.push(why.to_owned());
            (None, None)
        }
        false => {
            screen.progress("asks both clusters");
            connect(global, &mut looked).await
        }
    };
    let read = journal::lines(settings, source.as_ref(), target.as_ref());
    let (lines, troubles) = match timeout(WITHIN, read).await {
        Ok(read) => read,
        Err(_) => {
            let (lines, mut troubles) = journal::lines(settings, None, None).await;
            troubles.push("the clusters' copies of it did not answer in time".to_owned());
            (lines, troubles)
        }
    };
    // Where a cluster was not asked a journal may stand; without any line nothing is known of it.
    let all_asked = source.is_some() && target.is_some() && troubles.is_empty();
    looked.has_journal = all_asked || !lines.is_empty();
    if !looked.has_journal && troubles.is_empty() {
        let why = "the journal: there is none on this machine, and one may stand on a cluster that was not asked";
        looked.not.push(why.to_owned());
    }
    let of_journal = |why: String| format!("the journal: {why}");
    looked.not.extend(troubles.into_iter().map(of_journal));
    match fold(&lines) {
        Ok(state) => looked.state = state,
        Err(failure) => {
            looked.has_journal = false;
            looked.not.push(of_journal(words(&failure)));
        }
    }
    looked.lines = lines;
    if let Some(head) = &looked.state.head {
        let known = [&head.source, &head.target];
        for (id, known) in looked.clusters.iter_mut().zip(known) {
            let _ = id.get_or_insert_with(|| known.clone());
        }
    }
    if let Some(source) = &source {
        ask_source(settings, source, &mut looked).await;
    }
    if let (Some(source), Some(target)) = (&source, &target) {
        let asked = timeout(
            WITHIN,
            Box::pin(now::look(settings, source, target, &looked.state)),
        );
        match asked.await {
            Ok(Ok(now)) => looked.now = now,
            Ok(Err(failure)) => looked.not.push(format!("what copies: {}", words(&failure))),
            Err(_) => looked.not.push(late("what copies")),
        }
    } else if !offline {
        looked.not.push("what copies, how far it is, which partitions have stopped, and whether the way back is open: that takes both clusters".to_owned());
    }
    if standing::is_cleaned_up(&looked.state) {
        looked.now.way_back = Some(report::WayBack {
            open: false,
            why: "the migration was cleaned up".to_owned(),
        });
    }
    looked
}

/// A failure in a line.
fn words(failure: &Failure) -> String {
    let causes = failure.causes.iter().take(2);
    let causes: String = causes.map(|cause| format!("; {cause}")).collect();
    format!("{} ({}){causes}", failure.message, failure.code)
}

fn late(what: &str) -> String {
    let within = ui::numbers::time(WITHIN);
    format!("{what}: there was no answer within {within}")
}

/// Both clusters, each by itself, as far as they answer.
async fn connect(global: &Global, looked: &mut Looked) -> (Option<Source>, Option<Target>) {
    let settings = match timeout(WITHIN, global.settings(&[])).await {
        Ok(Ok(settings)) => settings,
        Ok(Err(failure)) => {
            let why = format!("the clusters: {}", words(&failure));
            looked.not.push(why);
            return (None, None);
        }
        Err(_) => {
            looked.not.push(late("the secrets that the file refers to"));
            return (None, None);
        }
    };
    let (source, target) = tokio::join!(
        timeout(WITHIN, Source::connect(&settings.source)),
        timeout(WITHIN, Target::connect(&settings.target)),
    );
    let mut told = |side: Side, answer: Result<String, Option<Failure>>| match answer {
        Ok(id) => looked.clusters[usize::from(side == Side::Target)] = Some(id),
        Err(Some(failure)) => looked.not.push(format!("the {side}: {}", words(&failure))),
        Err(None) => looked.not.push(late(&format!("the {side}"))),
    };
    let (source, target) = (apart(source), apart(target));
    told(
        Side::Source,
        source
            .as_ref()
            .map(|one| one.id().to_owned())
            .map_err(Clone::clone),
    );
    told(
        Side::Target,
        target
            .as_ref()
            .map(|one| one.id().to_owned())
            .map_err(Clone::clone),
    );
    (source.ok(), target.ok())
}

/// An answer, or a failure, or silence.
fn apart<T>(
    answer: Result<cluster::Result<T>, tokio::time::error::Elapsed>,
) -> Result<T, Option<Failure>> {
    match answer {
        Ok(Ok(cluster)) => Ok(cluster),
        Ok(Err(error)) => Err(Some(error.failure())),
        Err(_) => Err(None),
    }
}

/// Topics and groups in scope, as the source names them.
async fn ask_source(settings: &Settings, source: &Source, looked: &mut Looked) {
    match timeout(WITHIN, live::topics(source, &settings.scope)).await {
        Ok(Ok(topics)) => {
            looked.topics = Some(topics.iter().map(ToString::to_string).collect());
        }
        Ok(Err(failure)) => looked
            .not
            .push(format!("topics in scope: {}", words(&failure))),
        Err(_) => looked.not.push(late("topics in scope")),
    }
    match timeout(WITHIN, listed(source, &settings.groups)).await {
        Ok(Ok(groups)) => {
            let groups = groups.into_iter();
            let mut groups: Vec<String> = groups
                .filter(|group| !settings.exclude_groups.matches(group))
                .collect();
            groups.sort_unstable();
            looked.groups = Some(groups);
        }
        Ok(Err(failure)) => looked
            .not
            .push(format!("groups in scope: {}", words(&failure))),
        Err(_) => looked.not.push(late("groups in scope")),
    }
    let topics = looked.topics.as_deref().unwrap_or_default();
    if settings.applications.is_empty() {
        let groups = crate::cli::moves::groups_as_applications(settings, source, topics);
        match timeout(WITHIN, groups).await {
            Ok(Ok(applications)) => looked.applications = applications,
            Ok(Err(failure)) => looked
                .not
                .push(format!("applications: {}", words(&failure))),
            Err(_) => looked.not.push(late("applications")),
        }
    }
}

async fn listed(source: &Source, of: &Patterns) -> Result<Vec<String>, Failure> {
    let listed = source.listed_groups().await;
    let listed = listed.map_err(|error| error.failure())?;
    let names = listed.into_iter().map(|group| group.name);
    Ok(names.filter(|name| of.matches(name)).collect())
}

/// The report of all that.
pub fn report(settings: &Settings, mut looked: Looked) -> Report {
    let now_ms = clock::unix_millis();
    let begun_ms = looked.lines.first().map(|line| line.at_ms);
    let over_time = over_time(settings, begun_ms, now_ms, &mut looked.not);
    let verified = match Verified::read(&settings.state) {
        Ok(verified) => verified,
        Err(error) => {
            let why = format!("what `verify` found last: its file cannot be read ({error})");
            looked.not.push(why);
            None
        }
    };
    let commands = looked.lines.iter().filter_map(|line| match &line.record {
        Record::Runner(runner) => Some(report::Command {
            at_ms: line.at_ms,
            command: runner.command.clone(),
            host: runner.host.clone(),
            version: runner.version.clone(),
        }),
        _ => None,
    });
    let [source_cluster, target_cluster] = looked.clusters.clone();
    Report {
        v: report::VERSION,
        at: ui::numbers::stamp(now_ms),
        event: "report",
        migration: settings.name.clone(),
        journal: looked.has_journal,
        backend: match settings.msk {
            Some(_) => "msk",
            None => "embedded",
        },
        program: env!("CARGO_PKG_VERSION").to_owned(),
        two_way: settings.msk.is_some() || settings.two_way,
        source_cluster,
        target_cluster,
        topics: settings.topics.texts().to_vec(),
        groups: settings.groups.texts().to_vec(),
        applications: standings(&looked),
        commands: commands.collect(),
        waived: looked.state.waived.clone(),
        moves: moves::of(&looked.lines),
        over_time,
        verified,
        now: looked.now,
        not_looked_at: looked.not,
    }
}

/// Where those of the file stand, and those that the journal knows besides.
pub fn standings(looked: &Looked) -> Vec<report::Standing> {
    let of_file = looked.applications.iter().map(|one| one.name.clone());
    let mut names: Vec<String> = of_file.collect();
    for known in standing::known(&looked.state) {
        if !names.contains(&known) {
            names.push(known);
        }
    }
    let of = |name: String| {
        if !looked.has_journal {
            return report::Standing {
                name,
                at: None,
                moving_to: None,
                words: "not known: the journal could not be read".to_owned(),
            };
        }
        let standing = standing::of(&looked.state, &name);
        report::Standing {
            name,
            at: Some(standing.at.to_string()),
            moving_to: standing.moving.map(|moving| moving.to.to_string()),
            words: standing.words(),
        }
    };
    names.into_iter().map(of).collect()
}

fn over_time(
    settings: &Settings,
    begun_ms: Option<i64>,
    now_ms: i64,
    not: &mut Vec<String>,
) -> OverTime {
    if let Some(msk) = &settings.msk {
        let replicators = format!("{} and {}", msk.forward, msk.reverse);
        return OverTime {
            elsewhere: Some(format!(
                "MSK Replicator's numbers over time stand in CloudWatch, region {}, namespace AWS/Kafka: MessageLag (Sum), ReplicationLatency (Maximum, ms) and ReplicatorThroughput (Sum, bytes per second), each with the dimension ReplicatorName = {replicators}, and with Topic besides for one topic.",
                msk.region
            )),
            ..OverTime::default()
        };
    }
    match numbers::read(&settings.state) {
        Ok((samples, others)) => {
            let mut over_time = OverTime::of(samples, begun_ms, now_ms);
            if others > 0 {
                over_time.notes.push(format!(
                    "{} of {} could not be understood and were passed over.",
                    ui::numbers::of(others, "line"),
                    numbers::FILE
                ));
            }
            over_time
        }
        Err(error) => {
            not.push(format!(
                "numbers over time: {} cannot be read ({error})",
                numbers::FILE
            ));
            OverTime::default()
        }
    }
}
