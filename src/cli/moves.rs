//! What `cutover` and `rollback` have in common: which applications, in which order, from where, and the plan of each done to its end.

use std::sync::{Arc, Mutex};

use self::look::{Clusters, Looked, other};
use super::{Global, ask, drive, plan};
use crate::{
    config::Settings,
    error::Failure,
    exit::Exit,
    model::{application::Application, names::Side},
    phases::{
        course::{self, Next},
        cutover,
        moving::Move,
        rollback,
        standing::phase_to,
        waves,
    },
    run::{
        confirm::{self, Question},
        hooks::Hook,
        plan::Plan,
    },
    ui::Screen,
};

mod asks;
mod flags;
mod freeze;
mod look;
mod who;
mod work;

pub use flags::{How, Which};
pub use look::groups_as_applications;

/// What kind of move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Step by step.
    Moves,
    /// A person did it already.
    AlreadyMoved,
    /// The target is gone.
    WithoutTarget,
    /// Nothing comes back, and what was written on the target stays there.
    LeavesData,
}

/// The gate of the way back.
const WAY_BACK: &str = "G212";

/// One `cutover` or `rollback`.
pub struct Moves<'a> {
    /// Where to.
    pub to: Side,
    /// Which applications.
    pub which: &'a Which,
    /// How.
    pub how: &'a How,
    /// What kind.
    pub kind: Kind,
    /// A person can do without a way back.
    pub no_way_back: bool,
}

impl Moves<'_> {
    /// Shows or does it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        self.can_move(&settings)?;
        let given = self.how.plan.as_deref().map(plan::read).transpose()?;
        self.check_names(&settings)?;
        if self.how.dry_run {
            let clusters = self.connect(&settings).await?;
            let looked = self.look(&settings, &clusters).await?;
            for plan in self.plans(&settings, &clusters, &looked).await? {
                plan::print(&plan, None, global, screen);
            }
            return Ok(Exit::Ok);
        }
        self.confirmed(global, &settings, screen)?;
        let moved = Arc::new(Mutex::new(Vec::new()));
        let name = settings.name.clone();
        let work = |events, stop| {
            let work = work::Work {
                moved: moved.clone(),
                to: self.to,
                which: self.which.clone(),
                how: self.how.clone(),
                kind: self.kind,
                no_way_back: self.no_way_back,
                settings,
                given,
                events,
                stop,
                command: global.given.line.clone(),
            };
            work.run()
        };
        let (ended, mut follow) = drive::foreground(&name, global, screen, work).await?;
        let moved = moved.lock().map(|mut all| std::mem::take(&mut *all));
        for one in moved.unwrap_or_default() {
            match screen.is_json() {
                true => follow.tell(&one),
                false => screen.text(&format!("{}\n", one.said)),
            }
        }
        ended
    }

    /// The plans that would be done, in order.
    async fn plans(
        &self,
        settings: &Settings,
        clusters: &Clusters,
        looked: &Looked,
    ) -> Result<Vec<Plan>, Failure> {
        let mut plans = Vec::new();
        for application in self.order(&looked.applications, &looked.topics)? {
            let next = course::next(&looked.state, &application.name, self.to);
            if next == Next::Nothing {
                continue;
            }
            let of = self
                .made_of(settings, clusters, looked, application)
                .await?;
            plans.push(course::plan_of(&looked.state, next, || self.new_plan(&of)));
        }
        Ok(plans)
    }

    fn new_plan(&self, of: &Move) -> Plan {
        match (self.kind, self.to) {
            (Kind::AlreadyMoved, _) => cutover::declared(of),
            (Kind::WithoutTarget, _) => rollback::without_target(of),
            (Kind::LeavesData, _) => rollback::leaving_data(of),
            (Kind::Moves, Side::Target) => cutover::plan(of),
            (Kind::Moves, Side::Source) => rollback::plan(of),
        }
    }

    /// Names of the file are known before anything is connected, and hooks can be run.
    fn check_names(&self, settings: &Settings) -> Result<(), Failure> {
        let known = &settings.applications;
        if known.is_empty() {
            return Ok(());
        }
        for name in &self.which.app {
            super::ready::place(settings, name)?;
        }
        let is_meant = |one: &&Application| self.which.all || self.which.app.contains(&one.name);
        for application in known.iter().filter(is_meant) {
            let hooks = &application.hooks;
            for path in [&hooks.stop, &hooks.start].into_iter().flatten() {
                let hook = Hook {
                    path: path.clone(),
                    within: hooks.within,
                };
                hook.check()?;
            }
        }
        Ok(())
    }

    /// Those that are meant, in the order in which they move.
    fn order<'b>(
        &self,
        applications: &'b [Application],
        topics: &[String],
    ) -> Result<Vec<&'b Application>, Failure> {
        if self.which.all {
            let waves = waves::waves(applications, topics);
            return Ok(waves
                .into_iter()
                .flatten()
                .map(|at| &applications[at])
                .collect());
        }
        let found = self.which.app.iter().map(|name| {
            let mut all = applications.iter();
            all.find(|one| one.name == *name).ok_or_else(|| {
                super::ready::no_application(&format!("there is no application or group {name:?}"))
                .hint("the file describes applications in [[application]]; where it has none, each group in scope is one")
            })
        });
        found.collect()
    }

    /// What a plan is made from.
    async fn made_of(
        &self,
        settings: &Settings,
        clusters: &Clusters,
        looked: &Looked,
        application: &Application,
    ) -> Result<Move, Failure> {
        let mut of = look::made_of(self.to, settings, clusters, looked, application).await?;
        of.frozen = freeze::frozen(settings, clusters, application, self.to).await?;
        if self.how.freeze {
            of.freeze = self
                .to_freeze(settings, clusters, looked, application)
                .await?;
        }
        if self.no_way_back && !of.waived.iter().any(|gate| gate == WAY_BACK) {
            of.waived.push(WAY_BACK.to_owned());
        }
        Ok(of)
    }

    /// Is what is asked for to be had in this migration?
    fn can_move(&self, settings: &Settings) -> Result<(), Failure> {
        if self.how.freeze {
            self.can_freeze(settings)?;
        }
        let comes_back = settings.msk.is_some() || settings.two_way;
        let leaves = self.kind == Kind::LeavesData;
        if self.to == Side::Source && self.kind == Kind::Moves && !comes_back {
            return Err(Failure::new(
                Exit::Refused,
                "K351",
                "nothing comes back in this migration: `replication.two_way` is off",
            )
            .hint("with --leave-target-data applications go back to where they stood when they moved, and what they wrote on the target stays there"));
        }
        match (self.no_way_back || leaves) && comes_back {
            true => Err(Failure::new(
                Exit::Usage,
                "K352",
                match leaves {
                    true => "what was written on the target comes back in this migration: nothing is to be left there",
                    false => "there is a way back in this migration, and it is not given up by a flag",
                },
            )
            .hint("leave the flag out")),
            false => Ok(()),
        }
    }

    fn confirmed(
        &self,
        global: &Global,
        settings: &Settings,
        screen: &Screen,
    ) -> Result<(), Failure> {
        let what = match self.which.all {
            true => "all applications".to_owned(),
            false => self.which.app.join(", "),
        };
        let warning = match self.kind {
            Kind::Moves => {
                let moves = format!(
                    "{what}: stopped on the {}, started on the {}",
                    other(self.to),
                    self.to
                );
                match self.no_way_back {
                    true => format!("{moves}; there is no way back for what is written there"),
                    false => moves,
                }
            }
            Kind::LeavesData => format!(
                "{what}: started on the source where they stood when they moved; what was written on the target stays there"
            ),
            Kind::AlreadyMoved => format!("{what}: from now on the {}'s", self.to),
            Kind::WithoutTarget => format!(
                "{what}: started on the source as of what came back last; what was written on the target since is not there, and nothing of it may run on the target any more"
            ),
        };
        let asker = phase_to(self.to);
        let question = Question {
            name: &settings.name,
            warning: &warning,
            asker,
            line: &global.given.line,
        };
        confirm::typed_name(&question, self.how.confirm.as_deref(), |question| {
            ask::name(question, screen)
        })
    }
}

/// The plan of one application, for `plan cutover` and `plan rollback`; `freeze`: as with that flag.
pub async fn planned(
    settings: &Settings,
    to: Side,
    name: &str,
    freeze: bool,
) -> Result<Plan, Failure> {
    let which = Which {
        app: vec![name.to_owned()],
        all: false,
    };
    let how = How {
        confirm: None,
        dry_run: true,
        plan: None,
        attest_quiet: Vec::new(),
        freeze,
        quiet_for: None,
        wait_for_me: None,
        drain_within: None,
        positions_within: None,
    };
    let moves = Moves {
        to,
        which: &which,
        how: &how,
        kind: Kind::Moves,
        no_way_back: false,
    };
    moves.can_move(settings)?;
    moves.check_names(settings)?;
    let clusters = moves.connect(settings).await?;
    let looked = moves.look(settings, &clusters).await?;
    let mut plans = moves.plans(settings, &clusters, &looked).await?;
    plans.pop().ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "K471",
            format!("{name} is on the {to} already"),
        )
        .next("kafka-migrate status")
    })
}
