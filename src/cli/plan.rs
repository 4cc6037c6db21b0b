//! Shows or saves the steps that a phase would take, from what is true now.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    Global, connect, journal, moves, refusal,
    replicate::{steps, told, wishes::Wishes},
};
use crate::{
    clock,
    config::Settings,
    engine,
    error::Failure,
    exit::Exit,
    model::names::Side,
    run::{
        plan::{Plan, Saved},
        step::{Undo, What},
    },
    ui::{Screen, numbers, tables},
};

/// Show the steps that a phase would take, from what is true now
///
/// It changes nothing. With --out the plan is saved as well, and the phase then takes it with --plan FILE: it does exactly
/// these steps, or refuses when anything that they rest on has changed.
#[derive(Debug, Args)]
pub struct PlanCommand {
    /// The phase
    #[arg(value_enum, value_name = "PHASE")]
    phase: Phase,
    #[command(flatten)]
    wishes: Wishes,
    /// The application that `cutover` or `rollback` moves
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// With --freeze of `cutover` or `rollback`
    #[arg(long, requires = "app")]
    freeze: bool,
    /// Save the plan here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the documents that MSK Replicator is made from into this directory, as the AWS command line reads them
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// Make what is missing on the target, and copy
    Replicate,
    /// Move an application to the target (--app)
    Cutover,
    /// Take an application back to the source (--app)
    Rollback,
}

impl PlanCommand {
    /// Makes the plan, and shows it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&self.wishes.flags()).await?;
        global.notes(&settings, screen);
        let to = match self.phase {
            Phase::Replicate => None,
            Phase::Cutover => Some(Side::Target),
            Phase::Rollback => Some(Side::Source),
        };
        #[cfg(feature = "aws")]
        if let (Some(msk), None) = (&settings.msk, to) {
            let replicators = super::replicate::replicators::Replicators {
                settings: &settings,
                msk,
                directions: crate::msk::Direction::BOTH.into(),
                until_caught_up: false,
            };
            let to = (self.out.as_deref(), self.files.as_deref());
            return replicators.show(to, global, screen).await;
        }
        if self.files.is_some() {
            return Err(refusal::of_backend(
                &["--files"],
                "our own engine is made from no documents",
                "it is for backend = \"msk\"",
            ));
        }
        let plan = match to {
            Some(to) => moves::planned(&settings, to, self.app()?, self.freeze).await?,
            None => {
                let asked = self.wishes.asked()?;
                let told = told(&settings, engine::Until::Stopped, asked);
                made(&settings, &told, &self.wishes).await?
            }
        };
        if let Some(out) = &self.out {
            save(&plan, out)?;
        }
        print(&plan, self.out.as_deref(), global, screen);
        Ok(Exit::Ok)
    }

    fn app(&self) -> Result<&str, Failure> {
        self.app.as_deref().ok_or_else(refusal::which_application)
    }
}

/// What programs are told: what a file of the plan holds, and what every document has.
#[derive(Serialize)]
struct Document {
    at: String,
    event: &'static str,
    #[serde(flatten)]
    saved: Saved,
}

/// What `replicate` would do, shown and no more.
pub async fn show(
    settings: &Settings,
    told: &engine::Settings,
    wishes: &Wishes,
    global: &Global,
    screen: &Screen,
) -> Result<Exit, Failure> {
    print(&made(settings, told, wishes).await?, None, global, screen);
    Ok(Exit::Ok)
}

async fn made(
    settings: &Settings,
    told: &engine::Settings,
    wishes: &Wishes,
) -> Result<Plan, Failure> {
    let (source, target) = connect::both(settings).await?;
    let seen = steps::see(told, &source, &target).await?;
    let state = journal::look(settings, &source, &target).await?;
    let plan = steps::plan(settings, told, wishes, &seen, state.summary());
    // What was begun and is not over is what would be gone on with.
    Ok(match state.open(&plan.phase, &plan.subject) {
        Some(open) => state.courses[open as usize].plan.clone(),
        None => plan,
    })
}

/// The settings in force, one a line, as a plan rests on them. Secrets stand in the listing as `***`.
pub fn settings_in_force(settings: &Settings) -> Vec<String> {
    let used = settings.listing.iter().filter(|one| one.used);
    used.map(|one| format!("{} = {}", one.path, one.value))
        .collect()
}

/// Reads a plan as it was saved.
pub fn read(path: &Path) -> Result<Plan, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            "K448",
            format!("the plan {} cannot be read", path.display()),
        )
        .because(&error)
        .hint("`kafka-migrate plan PHASE --out FILE` writes one")
    })?;
    Plan::read(&bytes)
}

/// Saves a plan.
pub fn save(plan: &Plan, path: &Path) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(&plan.saved()).expect("plans have string keys");
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

/// Something that was to be saved cannot be.
pub fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let what = format!("{} cannot be saved", path.display());
    Failure::new(Exit::Usage, "K449", what).because(error)
}

/// Shows a plan; `saved` is where it was saved.
pub fn print(plan: &Plan, saved: Option<&Path>, global: &Global, screen: &Screen) {
    if screen.is_json() {
        return screen.document(&Document {
            at: numbers::stamp(clock::unix_millis()),
            event: "plan",
            saved: plan.saved(),
        });
    }
    screen.text(&text(plan));
    let mut next = format!("kafka-migrate {}", plan.phase);
    if !plan.subject.is_empty() {
        next += &format!(" --app {}", super::quoted(Path::new(&plan.subject)));
    }
    if let Some(path) = saved {
        next += &format!(" --plan {}", super::quoted(path));
    }
    screen.text(&format!("next:    {}\n", global.complete(&next)));
}

/// The plan, for people.
pub fn text(plan: &Plan) -> String {
    let rows: Vec<[String; 3]> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let back = match (step.what, &step.undo) {
                (What::Engine, _) => "the engine does it".to_owned(),
                (What::Attestation, _) => "asked again on resume".to_owned(),
                (_, Undo::NotNeeded) => "no undo needed".to_owned(),
                (_, Undo::By(way)) => format!("undo: {way}"),
                (_, Undo::Impossible) => "cannot be undone".to_owned(),
            };
            let name = step.name.replace('-', " ");
            [format!("{}  {name}", at + 1), step.says.clone(), back]
        })
        .collect();
    let of = format!("{} of {} {}", plan.phase, plan.migration, plan.subject);
    let mut text = format!(
        "{}   plan {}, valid while nothing below changes\n\n",
        of.trim_end(),
        plan.fingerprint()
    );
    text += &tables::grid(&["step", "what it does", "the way back"], &rows);
    text += "\nit rests on\n";
    let facts: Vec<[String; 2]> = plan
        .rests_on
        .iter()
        .map(|(fact, value)| [fact.clone(), value.clone()])
        .collect();
    text += &tables::grid(&["fact", "as it was seen"], &facts);
    text += &format!("\nclients: {}\nback:    {}\n", plan.clients, plan.back);
    text
}
