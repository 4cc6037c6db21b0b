//! The part of a runbook about applications: in which order they move, what moves each, and what belongs to none.

use super::{Application, Runbook};
use crate::report::document::{Document, code, codes, plain};

/// The order of all of them.
pub fn all(of: &Runbook, page: &mut Document) {
    page.heading(2, "On the day: the order");
    if of.waves.is_empty() {
        page.text("No application is known: the file describes none, and no group in scope was seen that could stand for one. Whatever reads or writes the topics of the scope is one application, or part of one.");
        return;
    }
    page.text("Any order works. In this one every record goes one way only: who reads a topic moves before who writes it. Those of one wave do not depend on each other.");
    if of.by_group {
        page.text("The file describes no applications, so each group in scope is one, and whoever writes stays where it is.");
    }
    let rows = of.waves.iter().enumerate().flat_map(|(wave, all)| {
        all.iter().map(move |one| {
            vec![
                (wave + 1).to_string(),
                code(&one.name),
                one.stands
                    .as_deref()
                    .map_or("not looked at".to_owned(), plain),
                codes(&one.reads),
                codes(&one.writes),
                codes(&one.groups),
            ]
        })
    });
    page.table(
        vec!["wave", "application", "stands", "reads", "writes", "groups"],
        rows.collect(),
    );
    page.text("All of them in this order, one after the other:");
    page.commands(&[of.ours(&format!("cutover --all --confirm {}", of.migration))]);
    page.text("Or one by one, as below, with a look at each before the next.");
}

/// Topics and groups of nobody.
pub fn nobodys(of: &Runbook, page: &mut Document) {
    page.heading(3, "What belongs to no application");
    let mut lines = Vec::new();
    lines.push(match of.unclaimed.as_deref() {
        None => "Topics that no application writes: not looked at.".to_owned(),
        Some([]) => "Every topic in scope is written by an application.".to_owned(),
        Some(all) => format!(
            "No application writes {}: whoever does is not stopped and not moved by any command here. Move it by hand, or describe it in the file.",
            codes(all)
        ),
    });
    lines.push(match of.groups_of_none.as_deref() {
        None => "Groups that belong to no application: not looked at.".to_owned(),
        Some([]) => "Every group in scope belongs to an application.".to_owned(),
        Some(all) => format!(
            "Groups of no application: {}. Their positions stay those of the source; an application that nobody described reads with them.",
            codes(all)
        ),
    });
    page.list(lines);
}

/// One application.
pub fn one(of: &Runbook, application: &Application, page: &mut Document) {
    let name = &application.name;
    page.heading(3, format!("Move {}", code(name)));
    page.steps(vec![
        "Ask its gates.".to_owned(),
        "Look at the plan: what would be done, and how each step is undone.".to_owned(),
        match (&application.stop, &application.start) {
            (Some(_), Some(_)) => "Move it.".to_owned(),
            (None, Some(_)) => "Move it; the command waits until you have stopped it.".to_owned(),
            (Some(_), None) => {
                "Move it; the command says when you may start it on the target, and waits until it is seen there.".to_owned()
            }
            (None, None) => "Move it; the command waits until you have stopped it on the source, and until you have started it on the target.".to_owned(),
        },
        "See that it does its work. If it does not, take it back: that can be done until cleanup.".to_owned(),
    ]);
    let attests: String = application
        .shared
        .iter()
        .map(|topic| format!(" --attest-quiet {}", quoted(topic)))
        .collect();
    let app = quoted(name);
    let confirm = format!("--confirm {}", of.migration);
    let one_way = match of.two_way || of.msk.is_some() {
        true => "",
        false => " --no-way-back",
    };
    let leaves = match of.two_way || of.msk.is_some() {
        true => "",
        false => " --leave-target-data",
    };
    page.commands(&[
        of.ours(&format!("ready --app {app} --wait 30m")),
        of.ours(&format!("plan cutover --app {app}")),
        of.ours(&format!("cutover --app {app} {confirm}{one_way}{attests}")),
        "# and back, if it has to be".to_owned(),
        of.ours(&format!("rollback --app {app} {confirm}{leaves}{attests}")),
    ]);
    let mut lines = Vec::new();
    let hook = |hook: &Option<String>, what: &str| match hook {
        Some(path) => format!(
            "{what} by {}, {} at most; without an answer by then the step has failed.",
            code(path),
            application.within
        ),
        None => format!("{what} by a person: the file names no hook for it."),
    };
    lines.push(hook(&application.stop, "Stopped"));
    lines.push(hook(&application.start, "Started"));
    lines.push("Its clients notice that it is down from its stop to its start: the time of both, some seconds in which nothing of it may be seen, and a minute at most for what is on its way and for positions. Nobody else notices.".to_owned());
    if !application.shared.is_empty() {
        let instead = match of.msk.is_none() {
            true => format!(
                " Or take {} instead, where the file names its principals: then it is denied to write there.",
                code("--freeze")
            ),
            false => String::new(),
        };
        lines.push(format!(
            "It shares {} with other writers, so that nobody can see whether it has stopped writing there. Make sure of it, and say so: that is what {} means.{instead}",
            codes(&application.shared),
            code("--attest-quiet")
        ));
    }
    if !of.two_way && of.msk.is_none() {
        lines.push("There is no way back for what it writes on the target: going back, it starts where its groups stood when it moved.".to_owned());
    }
    page.list(lines);
}

/// For a shell.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", plain(text).replace('\'', "'\\''")),
    }
}
