//! Moves that are done, apart from what shows them: lock, journal, and one plan after the other.

use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::{
    How, Kind, Moves, WAY_BACK, Which,
    asks::Asks,
    look::{Clusters, Looked, other},
    who,
};
use crate::{
    cli::{drive, refusal, verdicts, waived},
    cluster::Cluster,
    config::Settings,
    engine::StopSignal,
    error::Failure,
    events::{Event, Events},
    gates,
    model::names::Side,
    model::{application::Application, connection::Connection, secret::Secret},
    phases::{
        carrier::Carrier as _,
        copier::Copier,
        course::{self, Next},
        deeds::{self, Deeds, Said},
        live::Live,
        moving::WITH_ALONE,
        standing::{self, phase_to},
        waves,
    },
    run::{
        executor::{Ended, Executor},
        hooks::Kept,
        journal::{Journal, Store},
        lock::RunnerLock,
        placed,
        plan::Plan,
        state::{Course, End, Record},
    },
};

/// An application that is where it was to be.
#[derive(Serialize)]
pub struct Moved {
    /// What it is, for programs.
    pub event: &'static str,
    /// Its name.
    pub application: String,
    /// Where it is.
    pub side: String,
    /// The same in a sentence.
    pub said: String,
}

/// A move that is done, apart from what shows it.
pub struct Work {
    /// Those that are where they were to be.
    pub moved: Arc<Mutex<Vec<Moved>>>,
    /// Where to.
    pub to: Side,
    /// Which applications.
    pub which: Which,
    /// How.
    pub how: How,
    /// What kind.
    pub kind: Kind,
    /// A person can do without a way back.
    pub no_way_back: bool,
    /// The settings in force.
    pub settings: Settings,
    /// The plan that was given.
    pub given: Option<Plan>,
    /// Where to say what happens.
    pub events: Events,
    /// How it is asked to stop.
    pub stop: StopSignal,
    /// The command, as it was given.
    pub command: String,
}

impl Work {
    /// Does it, one application after the other.
    pub async fn run(self) -> Result<(), Failure> {
        let lock = RunnerLock::take(&self.settings.state)?;
        let moves = Moves {
            to: self.to,
            which: &self.which,
            how: &self.how,
            kind: self.kind,
            no_way_back: self.no_way_back,
        };
        let clusters = moves.connect(&self.settings).await?;
        let looked = moves.look(&self.settings, &clusters).await?;
        let order = moves.order(&looked.applications, &looked.topics)?;
        let order: Vec<Application> = order.into_iter().cloned().collect();
        let phase = phase_to(self.to);
        if let Some(given) = &self.given {
            self.still_holds(given, &moves, &clusters, &looked, &order)
                .await?;
        }
        let (source, target) = (&clusters.source, clusters.target.as_ref());
        let both = (source, target);
        let opened = drive::open_journal(&self.settings, both, &lock, phase, &self.events);
        let (mut journal, beating) = opened.await?;
        let mut outcome = Ok(());
        for application in &order {
            // What was done a moment ago counts.
            let now = Looked {
                state: journal.state().clone(),
                applications: looked.applications.clone(),
                topics: looked.topics.clone(),
                ids: looked.ids.clone(),
            };
            outcome = Box::pin(self.one(&moves, &clusters, &now, &mut journal, application)).await;
            if outcome.is_err() {
                break;
            }
        }
        journal.append(Record::Left).await?;
        drop(beating);
        let unclaimed = waves::unclaimed(&looked.applications, &looked.topics);
        if outcome.is_ok() && self.which.all && !unclaimed.is_empty() {
            let text = format!(
                "whoever writes {} is in no application of the file, and has not moved",
                unclaimed.join(", ")
            );
            self.events.send(Event::Trouble { text });
        }
        outcome
    }

    async fn still_holds(
        &self,
        given: &Plan,
        moves: &Moves<'_>,
        clusters: &Clusters,
        looked: &Looked,
        order: &[Application],
    ) -> Result<(), Failure> {
        let [application] = order else {
            return Err(refusal::which_application());
        };
        let of = moves
            .made_of(&self.settings, clusters, looked, application)
            .await?;
        let next = course::next(&looked.state, &application.name, self.to);
        if let Next::GoOn(number) = next {
            // What was begun by this very plan is gone on with, whatever it has changed by now.
            let begun = &looked.state.courses[number as usize].plan;
            if begun.fingerprint() == given.fingerprint() {
                return Ok(());
            }
        }
        given.still_holds(&moves.new_plan(&of))
    }

    async fn one<S: Store>(
        &self,
        moves: &Moves<'_>,
        clusters: &Clusters,
        looked: &Looked,
        journal: &mut Journal<S>,
        application: &Application,
    ) -> Result<(), Failure> {
        let name = &application.name;
        let next = self.without(looked, course::next(&looked.state, name, self.to));
        if next == Next::Nothing {
            let told = self.told_late(clusters, application).await?;
            self.say(name, format!("{name} is on the {} already{told}", self.to));
            return Ok(());
        }
        let of = moves
            .made_of(&self.settings, clusters, looked, application)
            .await?;
        let plan = course::plan_of(&looked.state, next, || moves.new_plan(&of));
        // An undo does the steps of the plan that went the other way.
        let to = standing::goal(&plan.phase).unwrap_or(self.to);
        let world = self.world(clusters, looked, application, &plan);
        let said = Said {
            quiet: self.how.attest_quiet.clone(),
            by: waived::by(),
        };
        let course = match next {
            Next::GoOn(number) | Next::Undo(number) => looked.state.courses.get(number as usize),
            Next::Nothing | Next::Begin | Next::Replace(_) => None,
        };
        let begun = deeds::begun(course);
        let deeds = Deeds {
            world: &world,
            events: &self.events,
            application,
            to,
            plan: &plan,
            waits: self.how.waits(self.settings.msk.is_none()),
            said: &said,
            begun,
            placed: Mutex::default(),
            command: &self.command,
        };
        let mut executor = Executor {
            journal,
            effects: &deeds,
            events: &self.events,
            stop: &drive::asked_to_stop(&self.stop),
        };
        let ended = course::run(&mut executor, next, &plan).await?;
        if matches!(ended, Ended::Done) {
            self.count(journal, &world.carrier, &plan, to).await?;
        }
        self.conclude(name, next, ended)
    }

    /// Counts what its groups are given a second time, now that it is at work. That it cannot be counted is no failure.
    async fn count<S: Store>(
        &self,
        journal: &mut Journal<S>,
        carrier: &Copier,
        plan: &Plan,
        to: Side,
    ) -> Result<(), Failure> {
        let courses = &journal.state().courses;
        let is_it = |course: &Course| {
            (&course.plan.phase, &course.plan.subject) == (&plan.phase, &plan.subject)
                && course.end == Some(End::Done)
        };
        let Some(plan) = courses.iter().rposition(is_it) else {
            return Ok(());
        };
        let placed = courses[plan].placed.clone();
        let plan = u32::try_from(plan).unwrap_or(u32::MAX);
        let counted = carrier.given_twice(other(to), &placed).await;
        for counted in placed::in_lines(counted) {
            journal.append(Record::Counted { plan, counted }).await?;
        }
        Ok(())
    }

    /// A move without the target leaves the ledger that lies there as it was. Once the target is back the same move says there what holds: until
    /// then nobody writes positions to it. Answers with words for a person.
    async fn told_late(
        &self,
        clusters: &Clusters,
        application: &Application,
    ) -> Result<String, Failure> {
        let Copier::Ledger(ledgers) = who::copier(&self.settings, clusters, application) else {
            return Ok(String::new());
        };
        // Whose positions are not carried has none to be told.
        let follows = ledgers.follows(self.to).await.unwrap_or(true);
        match follows || clusters.target.is_none() {
            true => Ok(String::new()),
            false => {
                let said = ledgers.declare(&application.name, self.to).await?;
                Ok(format!("; {said}"))
            }
        }
    }

    /// A plan that asks the target is of no use once that is gone.
    fn without(&self, looked: &Looked, next: Next) -> Next {
        let Next::GoOn(number) = next else {
            return next;
        };
        let course = looked.state.courses.get(number as usize);
        let alone = course.is_some_and(|course| {
            let mut steps = course.plan.steps.iter();
            steps.any(|step| step.with.contains_key(WITH_ALONE))
        });
        match self.kind == Kind::WithoutTarget && !alone {
            true => Next::Replace(number),
            false => next,
        }
    }

    fn conclude(&self, name: &str, next: Next, ended: Ended) -> Result<(), Failure> {
        match (ended, next) {
            (Ended::Done, _) => {
                self.say(name, format!("{name} is on the {}", self.to));
                Ok(())
            }
            (Ended::Undone(_), Next::Undo(_)) => {
                self.say(name, format!(
                    "{name} is on the {}: nothing of it had been started on the other side",
                    self.to
                ));
                Ok(())
            }
            (Ended::Undone(failure), _) => Err(failure.cause(format!(
                "nothing was switched: {name} runs on the {} as before, unless you stopped it yourself",
                other(self.to)
            ))),
            (ended @ Ended::Stopped(_), _) => drive::conclude(ended)
                .map_err(|failure| failure.hint("the way back is open, too")),
            (ended @ Ended::Attention(_), _) => drive::conclude(ended),
        }
    }

    fn say(&self, name: &str, said: String) {
        if let Ok(mut moved) = self.moved.lock() {
            moved.push(Moved {
                event: "moved",
                application: name.to_owned(),
                side: self.to.to_string(),
                said,
            });
        }
    }

    /// What a person answers for by a flag.
    fn no_way_back(&self) -> Option<gates::Waiver> {
        self.no_way_back.then(|| gates::Waiver {
            code: WAY_BACK.to_owned(),
            reason: format!("--no-way-back, says {}", waived::by()),
        })
    }

    fn world(
        &self,
        clusters: &Clusters,
        looked: &Looked,
        application: &Application,
        plan: &Plan,
    ) -> Live<Copier, Asks> {
        let settings = &self.settings;
        let source: Cluster = (*clusters.source).clone();
        let target: Option<Cluster> = clusters.target.as_ref().map(|target| (**target).clone());
        let only = looked
            .applications
            .iter()
            .position(|one| one.name == application.name);
        let mut subject = verdicts::subject(settings, None);
        subject.applications.clone_from(&looked.applications);
        subject.only = only;
        let words = looked.state.waived.iter();
        let mut words: Vec<_> = words
            .filter(|word| word.counts_for(Some(&application.name)))
            .collect();
        words.sort_by_key(|word| word.application.is_none());
        let waivers = words.into_iter().map(|word| gates::Waiver {
            code: word.gate.clone(),
            reason: word.reason.clone(),
        });
        Live {
            migration: settings.name.clone(),
            phase: plan.phase.clone(),
            bootstrap: [&settings.source, &settings.target].map(|side| side.bootstrap.join(",")),
            scope: settings.scope.clone(),
            application: application.clone(),
            kept: kept([&settings.source, &settings.target]),
            carrier: who::copier(settings, clusters, application),
            gates: Asks {
                subject,
                settings: settings.clone(),
                waivers: waivers.chain(self.no_way_back()).collect(),
                stop: self.stop.clone(),
            },
            source,
            target,
        }
    }
}

/// What must not reach a hook: passwords of both sides.
fn kept(sides: [&Connection; 2]) -> Kept {
    let mut secrets = Vec::new();
    for side in sides {
        side.login(&mut |name, value| {
            if name == "sasl.password" {
                secrets.push(Secret::new(value));
            }
        });
    }
    Kept {
        variables: Vec::new(),
        secrets,
    }
}
