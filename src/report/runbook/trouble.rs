//! The part of a runbook that is about trouble: what each exit code asks for, how one goes back, and what to do when a cluster is dead.

use super::{Runbook, exit};
use crate::{
    exit::Exit,
    report::document::{Document, code},
};

/// What to do when a command stops.
pub fn stops(of: &Runbook, page: &mut Document) {
    page.heading(2, "When a command stops");
    page.text("The last line that it prints is the command that goes on. The same command always goes on from where the journal says it is, on another machine too: the journal stands on both clusters.");
    let rows = [
        (
            Exit::Stopped,
            "Stopped between two steps, or a step failed and everything before it was undone. What is said to be down is down.",
            "Put right what is named, then run the same command. Or go back.".to_owned(),
        ),
        (
            Exit::Attention,
            "It stopped where a person has to decide; nothing more was changed. Past its start an application may run on the target already.",
            format!(
                "Read what is named, look at {}. The same command looks again and goes on; {} takes the application back.",
                code(&of.ours("status")),
                code("rollback --app")
            ),
        ),
        (
            Exit::Refused,
            "Another command is at work, the plan is stale, or the file says something else than the engine was started with. Nothing was touched.",
            "Let the other one end, make a new plan, or start the engine anew.".to_owned(),
        ),
        (
            Exit::Target,
            "The target refused, or was not reached.",
            "Where it comes back, run the same command. Where it is gone for good, see below.".to_owned(),
        ),
        (
            Exit::Source,
            "The source refused, or was not reached.",
            "Run the same command once it is back. Applications that are on the target go on there.".to_owned(),
        ),
        (
            Exit::NotReady,
            "A gate is closed, or nothing answered. Nothing was stopped.",
            format!(
                "{} says which gate, and what opens it.",
                code(&of.ours("ready"))
            ),
        ),
        (
            Exit::Interrupted,
            "Somebody stopped it with a signal.",
            "Run the same command.".to_owned(),
        ),
    ];
    let rows = rows.map(|(code, means, does)| vec![exit(code), means.to_owned(), does]);
    page.table(vec!["exit", "what it means", "what to do"], rows.into());
    page.text(match of.msk {
        Some(_) => "A replicator that fails says why in its state and its log; status shows both, with what to do.",
        None => "If the engine ends, start replicate again, anywhere: it goes on where it was. Nothing moves while it does not run; applications that have moved go on.",
    });
}

/// How one goes back.
pub fn back(of: &Runbook, page: &mut Document) {
    page.heading(2, "Going back");
    let confirm = format!("--confirm {}", of.migration);
    match (of.two_way, &of.msk) {
        (false, None) => page.text("What is written on the target does not come back in this migration. An application that goes back starts where its groups stood when it moved:"),
        _ => page.text("At any time until cleanup, also half-way through a cutover. Before anything was started on the target what was done is undone; after it, everything that it wrote there comes back first:"),
    }
    let leaves = match of.two_way || of.msk.is_some() {
        true => "",
        false => " --leave-target-data",
    };
    page.commands(&[of.ours(&format!("rollback --all {confirm}{leaves}"))]);
    page.heading(3, "The target is dead");
    page.text("Only where it is gone for good. Make sure that nothing of the applications runs there any more. They start on the source as of what came back last, and what had not come back is named:");
    page.commands(&[
        of.ours(&format!("rollback --all --without-target {confirm}")),
        of.ours(&format!("cleanup --abandon-target {confirm}")),
    ]);
    page.text(format!(
        "{} works with both clusters dead, from the files of this machine.",
        code(&of.ours("report"))
    ));
}
