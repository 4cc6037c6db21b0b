//! `replicate` and `plan replicate` where MSK Replicator copies: what is asked for, the plan, and its steps to their end.

use std::path::{Path, PathBuf};

use crate::{
    aws::{Clients, Notice},
    cli::{Global, connect, drive, journal, plan as plans},
    cluster::{Source, Target},
    config::Settings,
    engine::StopSignal,
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::msk::{Msk, Start},
    msk::{Commands, Direction, commands},
    phases::msk::{Arrival, Deeds, PHASE, Seen, Wanted, look, plan, sent},
    run::{
        executor::Executor,
        lock::RunnerLock,
        plan::Plan,
        state::{Record, State},
    },
    ui::Screen,
};

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
    /// It ends when what was on the source at the start is on MSK, not as soon as they run.
    pub until_caught_up: bool,
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
        let (settings, msk) = (self.settings.clone(), self.msk.clone());
        let work = |events, stop| {
            let work = Work {
                settings,
                msk,
                directions: self.directions,
                until_caught_up: self.until_caught_up,
                given,
                events,
                stop,
            };
            work.run()
        };
        let name = &self.settings.name;
        let (ended, mut follow) = drive::foreground(name, global, screen, work).await?;
        let exit = ended?;
        if exit == Exit::Ok {
            if self.until_caught_up {
                follow.say(
                    "caught up",
                    "what was on the external cluster when this began is on MSK",
                );
            }
            follow.say("next", &global.complete("kafka-migrate ready --wait 4h"));
        }
        Ok(exit)
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
        let commands = commands(self.msk, &known.seen.place.migration);
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
    let listed = plans::settings_in_force(settings);
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
    until_caught_up: bool,
    given: Option<Plan>,
    events: Events,
    stop: StopSignal,
}

impl Work {
    async fn run(self) -> Result<(), Failure> {
        let runner = RunnerLock::take(&self.settings.state)?;
        let clients = open(&self.msk, &self.events).await;
        let (source, target) = connect::both(&self.settings).await?;
        // Before anything is made: the half hour that takes is not added to what has to arrive.
        let arrival = match self.until_caught_up {
            false => None,
            true => {
                let clusters = ((*source).clone(), (*target).clone());
                Some(Arrival::of_now(clusters.0, clusters.1, &self.settings.scope).await?)
            }
        };
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
        let clusters = (&source, Some(&target));
        let opened = drive::open_journal(&self.settings, clusters, &runner, PHASE, &self.events);
        let (mut journal, beating) = opened.await?;
        // The first run gives the journal its id, and with it the tags of all that is made.
        if let Some(head) = &journal.state().head {
            seen.wanted.id = head.id.to_string();
            seen.place.id.clone_from(&seen.wanted.id);
        }
        let stop = Box::new(drive::asked_to_stop(&self.stop));
        let deeds = Deeds::new(clients, self.msk, seen, self.events.clone(), stop);
        let mut executor = Executor {
            journal: &mut journal,
            effects: &deeds,
            events: &self.events,
            stop: &drive::asked_to_stop(&self.stop),
        };
        let ended = Box::pin(executor.run(&plan)).await?;
        journal.append(Record::Left).await?;
        drop((beating, journal, runner));
        drive::conclude(ended)?;
        match arrival {
            Some(mut arrival) => Box::pin(deeds.arrives(&mut arrival)).await,
            None => Ok(()),
        }
    }
}
