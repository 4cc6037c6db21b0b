//! The gates of one application, asked before it moves: as `ready` asks them, and for as long as they have to hold.

use std::time::Duration;

use crate::{
    cli::sight,
    clock::BootInstant,
    config::Settings,
    engine::{Stop, StopSignal},
    error::Failure,
    exit::Exit,
    gates::{self, Guards, Hold, Standing},
    observe::{Depth, Eyes, Subject},
    phases::live::Gates,
    ui::numbers,
};

/// Between two looks at the gates.
const PAUSE: Duration = Duration::from_secs(1);
/// The gate of how far groups are behind.
const OFFSET_LAG: &str = "G206";

/// Asks the gates of one application.
pub struct Asks {
    /// What is looked at.
    pub subject: Subject,
    /// The settings in force; the limits of the gates are among them.
    pub settings: Settings,
    /// What a person lets pass.
    pub waivers: Vec<gates::Waiver>,
    /// Asked whether to stop.
    pub stop: StopSignal,
}

impl Gates for Asks {
    async fn ask(&self, application: &str, hold: bool) -> Result<String, Failure> {
        let mut eyes = Eyes::new(self.subject.clone());
        let hold_for = match hold {
            true => self.settings.ready.hold,
            false => Duration::ZERO,
        };
        // Stopped by an earlier run, its groups fall behind for no other reason.
        let stopped = (!hold).then(|| gates::Waiver {
            code: OFFSET_LAG.to_owned(),
            reason: "an earlier run has stopped it, so its groups read nothing".to_owned(),
        });
        let waivers: Vec<gates::Waiver> = self.waivers.iter().cloned().chain(stopped).collect();
        // Without a while to hold, three looks have to be far enough apart to tell time by.
        let shortest = match hold {
            true => Duration::from_millis(200),
            false => PAUSE,
        };
        let mut hold = Hold::new(hold_for);
        let begun = BootInstant::now();
        let listen = self.stop.listen();
        let mut remembered = sight::Remembered::default();
        loop {
            let mut seen = Box::pin(eyes.look(Depth::Ready)).await;
            Box::pin(sight::add(
                &self.settings,
                &mut remembered,
                &mut seen,
                Depth::Ready,
            ))
            .await;
            let limits = &self.settings.ready;
            let found = gates::ask(Guards::Cutover, &seen, limits, &waivers);
            match hold.note(begun.elapsed(), &found) {
                Standing::Open => {
                    let held = numbers::time(hold_for);
                    let count = numbers::of(found.len() as u64, "gate");
                    return Ok(format!("{count} open, held {held}"));
                }
                Standing::Closed => return Err(closed(application, &found)),
                Standing::Holding => {}
            }
            if *listen.borrow() != Stop::No {
                return Err(crate::cli::refusal::stopped_before(
                    "the gates were not watched long enough",
                ));
            }
            // CloudWatch has a new number once a minute, and takes money for each question.
            let longest = match self.settings.msk {
                Some(_) => PAUSE * 15,
                None => PAUSE,
            };
            tokio::time::sleep(longest.min(hold_for / 4).max(shortest)).await;
        }
    }
}

fn closed(application: &str, found: &[gates::Verdict]) -> Failure {
    let closed: Vec<&gates::Verdict> = found.iter().filter(|one| one.holds_up).collect();
    let failure = Failure::new(
        Exit::NotReady,
        "K480",
        format!(
            "{} closed for {application}",
            numbers::of(closed.len() as u64, "gate")
        ),
    );
    let lines = closed.iter().take(5);
    lines
        .fold(failure, |failure, one| {
            failure.cause(format!("{} {}: {}", one.code, one.name, one.evidence))
        })
        .hint("whoever can do without one of them says so with `ready --waive`")
        .next(format!("kafka-migrate ready --app {application}"))
}
