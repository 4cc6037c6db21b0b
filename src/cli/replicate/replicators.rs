//! `replicate` and `plan replicate` where MSK Replicator copies: what is asked for, the plan, and its steps to their end.

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::accompany::{Feed, accompany};
use crate::{
    aws::{Clients, Notice},
    cli::{Global, connect, journal, plan as plans, refusal},
    cluster::{Source, Target},
    config::Settings,
    engine::{Stop, StopSignal, Summary},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::msk::{Msk, Start},
    msk::{Commands, Direction, commands},
    phases::msk::{Deeds, Seen, Wanted, look, plan, sent},
    run::{
        executor::{Ended, Executor},
        lock::RunnerLock,
        plan::Plan,
        signals::Signals,
        state::{Record, State},
    },
    ui::Screen,
};

/// A command that was told to stop at once is cut off after this; the journal knows how far it was.
const CUT_OFF: std::time::Duration = std::time::Duration::from_secs(1);
/// Templates of the user's own lie here, beside the migration file.
const TEMPLATES: &str = "templates/msk";

/// One `replicate`.
pub struct Replicators<'a> {
    /// The settings in force.
    pub settings: &'a Settings,
    /// What they say of MSK.
    pub msk: &'a Msk,
    /// Which ways.
    pub directions: Vec<Direction>,
}

/// What was found out before a plan is made.
struct Known {
    seen: Seen,
    state: State,
    plan: Plan,
}

impl Replicators<'_> {
    /// Makes what is missing, and follows it until it runs.
    pub async fn run(
        self,
        given: Option<Plan>,
        global: &Global,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let mut signals = Signals::listen()?;
        let mut follow = screen.follow(&self.settings.name);
        let (events, feed) = Events::channel();
        let stop = StopSignal::default();
        let (started, _begun) = watch::channel(false);
        let feed = Feed {
            events: feed,
            complete: &|command| global.complete(command),
            started,
            told: &|_| (),
        };
        let work = Work {
            settings: self.settings.clone(),
            msk: self.msk.clone(),
            directions: self.directions,
            given,
            events,
            stop: stop.clone(),
        };
        let work =
            tokio::spawn(async move { Box::pin(work.run()).await.map(|()| Summary::default()) });
        let next = async || signals.next().await;
        let ending = accompany(work, feed, &stop, next, CUT_OFF, &mut follow).await;
        follow.close();
        match ending.result {
            Ok(_) if ending.signals > 1 => Ok(Exit::Interrupted),
            Ok(_) => {
                follow.say("next", &global.complete("kafka-migrate ready --wait 4h"));
                Ok(Exit::Ok)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Shows the plan, the documents that it sends and what only a person can do; `files`: writes them there, too.
    pub async fn show(
        self,
        (out, files): (Option<&Path>, Option<&Path>),
        global: &Global,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let clients = Box::pin(Clients::open(&self.msk.region, None)).await;
        let (source, target) = connect::both(self.settings).await?;
        let known = known(
            self.settings,
            self.msk,
            self.directions,
            &clients,
            (&source, &target),
        );
        let known = known.await?;
        if let Some(out) = out {
            plans::save(&known.plan, out)?;
        }
        let commands = commands(self.msk, &known.seen.place);
        if let Some(directory) = files {
            write(directory, &known.seen)?;
        }
        plans::print(&known.plan, out, global, screen);
        // Programs take the documents from `--files`.
        if !screen.is_json() {
            screen.text(&papers(&known.seen, &commands));
        }
        Ok(Exit::Ok)
    }
}

fn papers(seen: &Seen, commands: &Commands) -> String {
    use std::fmt::Write as _;
    let mut text =
        String::from("\nwhat only you can do, with these documents (--files DIR writes them)\n");
    for (what, lines) in [
        ("the role that the replicators assume", &commands.role),
        (
            "their user on the external cluster, by its admin",
            &commands.user,
        ),
        ("the rights of that user", &commands.rights),
        ("the log group", &commands.logs),
    ] {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n  {what}");
            for line in lines {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    for (name, value) in seen.documents.files() {
        let json = serde_json::to_string_pretty(&value).expect("documents have string keys");
        let _ = write!(text, "\n{name}\n{json}\n");
    }
    text
}

fn write(directory: &Path, seen: &Seen) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(|error| plans::unwritable(directory, &error))?;
    for (name, value) in seen.documents.files() {
        let path = directory.join(name);
        let json = serde_json::to_vec_pretty(&value).expect("documents have string keys");
        std::fs::write(&path, json).map_err(|error| plans::unwritable(&path, &error))?;
    }
    Ok(())
}

async fn open(msk: &Msk, events: &Events) -> Clients {
    let events = events.clone();
    let notice: Notice = std::sync::Arc::new(move |text: &str| {
        events.send(Event::Trouble {
            text: text.to_owned(),
        });
    });
    Box::pin(Clients::open(&msk.region, Some(notice))).await
}

/// What is asked for by the file, and what the journal says of it.
pub fn wanted(
    settings: &Settings,
    msk: &Msk,
    directions: Vec<Direction>,
    (source, target): (&str, &str),
    state: &State,
) -> Wanted {
    let templates: Option<PathBuf> = settings
        .file
        .parent()
        .map(|directory| directory.join(TEMPLATES))
        .filter(|directory| directory.is_dir());
    // The groups of applications belong to the migration whether `scope.groups` names them or not.
    let mut groups = settings.groups.texts().to_vec();
    for application in &settings.applications {
        for text in application.groups.texts() {
            if !groups.contains(text) {
                groups.push(text.clone());
            }
        }
    }
    Wanted {
        migration: settings.name.clone(),
        id: state
            .head
            .as_ref()
            .map_or(String::new(), |head| head.id.to_string()),
        sent: sent(state),
        source: source.to_owned(),
        target: target.to_owned(),
        topics: settings.topics.clone(),
        exclude_topics: settings.exclude_topics.clone(),
        groups: crate::model::patterns::Patterns::of(&groups).unwrap_or_default(),
        exclude_groups: settings.exclude_groups.clone(),
        from_earliest: msk.start == Start::Earliest,
        copy_configs: true,
        copy_acls: true,
        directions,
        templates,
    }
}

async fn known(
    settings: &Settings,
    msk: &Msk,
    directions: Vec<Direction>,
    clients: &Clients,
    (source, target): (&Source, &Target),
) -> Result<Known, Failure> {
    let state = journal::look(settings, source, target).await?;
    let ids = (source.id(), target.id());
    let wanted = wanted(settings, msk, directions, ids, &state);
    let seen = Box::pin(look(clients, msk, wanted)).await?;
    // Secrets stand in the listing as `***`.
    let listed: Vec<String> = settings
        .listing
        .iter()
        .filter(|one| one.used)
        .map(|one| format!("{} = {}", one.path, one.value))
        .collect();
    let plan = plan(msk, &seen, &listed, state.summary());
    let plan = match state.open(&plan.phase, &plan.subject) {
        Some(open) => state.courses[open as usize].plan.clone(),
        None => plan,
    };
    Ok(Known { seen, state, plan })
}

/// From the lock to the last step.
struct Work {
    settings: Settings,
    msk: Msk,
    directions: Vec<Direction>,
    given: Option<Plan>,
    events: Events,
    stop: StopSignal,
}

impl Work {
    async fn run(self) -> Result<(), Failure> {
        let runner = RunnerLock::take(&self.settings.state)?;
        let clients = open(&self.msk, &self.events).await;
        let (source, target) = connect::both(&self.settings).await?;
        let known = known(
            &self.settings,
            &self.msk,
            self.directions,
            &clients,
            (&source, &target),
        );
        let Known {
            mut seen,
            state,
            plan,
        } = known.await?;
        if let Some(given) = &self.given {
            // What was begun by this very plan is gone on with, whatever it has changed by now.
            let begun = state.open(&plan.phase, &plan.subject).is_some();
            if !begun || plan.fingerprint() != given.fingerprint() {
                given.still_holds(&plan)?;
            }
        }
        let opened = journal::open(&self.settings, &source, &target, &runner, "replicate");
        let (mut journal, notes) = opened.await?;
        for text in notes {
            self.events.send(Event::Trouble { text });
        }
        // The first run gives the journal its id, and with it the tags of all that is made.
        if let Some(head) = &journal.state().head {
            seen.wanted.id = head.id.to_string();
            seen.place.id.clone_from(&seen.wanted.id);
        }
        let beating = journal.store().beat();
        let listen = self.stop.listen();
        let waiting = self.stop.listen();
        let stop = Box::new(move || *waiting.borrow() != Stop::No);
        let deeds = Deeds::new(clients, self.msk, seen, self.events.clone(), stop);
        let mut executor = Executor {
            journal: &mut journal,
            effects: &deeds,
            events: &self.events,
            stop: &|| *listen.borrow() != Stop::No,
        };
        let ended = Box::pin(executor.run(&plan)).await?;
        journal.append(Record::Left).await?;
        drop((beating, journal, runner));
        match ended {
            Ended::Done => Ok(()),
            Ended::Undone(failure) | Ended::Attention(failure) => Err(failure),
            Ended::Stopped(before) => Err(refusal::stopped_before(&before)),
        }
    }
}
