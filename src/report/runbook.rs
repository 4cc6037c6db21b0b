//! The runbook of a migration: what to do before the day, on it, when something stops and after it, with this migration's own names.

use super::{
    document::{Document, code, plain},
    html, markdown,
};
use crate::exit::Exit;

mod order;
mod trouble;

/// What a runbook is made of: plain data.
#[derive(Debug, Clone, Default)]
pub struct Runbook {
    /// When it was made.
    pub at: String,
    /// The migration's name.
    pub migration: String,
    /// The first words of every command: the program, and what makes it mean this migration.
    pub command: String,
    /// Ids of both clusters; `None`: they were not reached, and no journal tells.
    pub clusters: [Option<String>; 2],
    /// Bootstrap servers of both, as in the file.
    pub bootstrap: [String; 2],
    /// What is written on the target comes back.
    pub two_way: bool,
    /// What only MSK Replicator needs, where that copies.
    pub msk: Option<ByMsk>,
    /// Applications that move, in waves: those of one wave do not depend on each other.
    pub waves: Vec<Vec<Application>>,
    /// The file describes no applications, so that each group in scope is one.
    pub by_group: bool,
    /// Topics in scope that no application writes; `None`: the source was not asked.
    pub unclaimed: Option<Vec<String>>,
    /// Groups in scope that belong to no application; `None`: the source was not asked.
    pub groups_of_none: Option<Vec<String>>,
    /// How long gates have to hold, in words.
    pub hold: String,
    /// What could not be looked at, and why, in sentences.
    pub not_looked_at: Vec<String>,
}

/// One application.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Where it stands, in words; `None`: no journal was read.
    pub stands: Option<String>,
    /// Topics that it reads, as in the file.
    pub reads: Vec<String>,
    /// Topics that it writes.
    pub writes: Vec<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// Topics that it writes and others of the file write, too.
    pub shared: Vec<String>,
    /// What stops it.
    pub stop: Option<String>,
    /// What starts it.
    pub start: Option<String>,
    /// The longest that a hook may take, in words.
    pub within: String,
}

/// What only MSK Replicator needs.
#[derive(Debug, Clone, Default)]
pub struct ByMsk {
    /// Commands that only a person can run, by what they are for.
    pub commands: Vec<(String, Vec<String>)>,
    /// Commands that show what cannot be seen from here, by what they show.
    pub checks: Vec<(String, Vec<String>)>,
}

impl Runbook {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        markdown::of(&self.document())
    }

    /// As one HTML file.
    pub fn html(&self) -> String {
        html::of(&self.document(), &format!("Runbook {}", self.migration))
    }

    /// A command of ours.
    fn ours(&self, rest: &str) -> String {
        format!("{} {rest}", self.command)
    }

    fn document(&self) -> Document {
        let mut page = Document::default();
        page.heading(1, format!("Runbook of {}", code(&self.migration)));
        self.what_it_is(&mut page);
        if !self.not_looked_at.is_empty() {
            page.heading(2, "Not looked at");
            page.list(self.not_looked_at.iter().map(|one| plain(one)).collect());
        }
        self.before(&mut page);
        order::all(self, &mut page);
        order::nobodys(self, &mut page);
        for application in self.waves.iter().flatten() {
            order::one(self, application, &mut page);
        }
        trouble::stops(self, &mut page);
        trouble::back(self, &mut page);
        self.after(&mut page);
        page
    }

    fn what_it_is(&self, page: &mut Document) {
        let cluster = |at: usize| {
            let id = self.clusters[at].as_deref();
            let id = id.map_or("id not known".to_owned(), code);
            format!("{id}, at {}", code(&self.bootstrap[at]))
        };
        let copier = match (&self.msk, self.two_way) {
            (Some(_), _) => "MSK Replicator, one each way",
            (None, true) => "the engine of kafka-migrate, both ways",
            (None, false) => {
                "the engine of kafka-migrate, one way: what is written on the target stays there"
            }
        };
        page.text(format!(
            "Made {} from the migration file, and from what could be seen then. Every command can be run again, whatever became of it.",
            self.at
        ));
        page.list(vec![
            format!("Source: {}", cluster(0)),
            format!("Target: {}", cluster(1)),
            format!("Copied by: {copier}"),
        ]);
    }

    fn before(&self, page: &mut Document) {
        page.heading(2, "Before the day");
        let mut steps = Vec::new();
        if self.msk.is_some() {
            steps.push(format!(
                "Run {} on a machine in one of the replicators' subnets, and bring the file here: only from there it can be seen whether the brokers are reached. It is believed for a day.",
                code(&self.ours("preflight --from-here --out vantage.json"))
            ));
            steps.push(format!(
                "{} until it ends with exit 0. Each line that does not pass says what to do; {} explains a code.",
                code(&self.ours("preflight --vantage vantage.json")),
                code("kafka-migrate explain G301")
            ));
            steps.push(format!(
                "{} makes the secrets and both replicators, and ends when they run: half an hour is usual.",
                code(&self.ours("replicate"))
            ));
        } else {
            steps.push(format!(
                "{} until it ends with exit 0. Each line that does not pass says what to do; {} explains a code.",
                code(&self.ours("preflight")),
                code("kafka-migrate explain G107")
            ));
            steps.push(format!(
                "{} where it can go on for days: on a machine near the target, under whatever restarts it. It copies until somebody stops it, and nothing moves while it does not run.",
                code(&self.ours("replicate"))
            ));
        }
        steps.push(format!(
            "{} shows how far it is, and what is in the way.",
            code(&self.ours("status"))
        ));
        steps.push(format!(
            "{} compares both sides record by record; {} keeps what it found.",
            code(&self.ours("verify")),
            code(&self.ours("report --out report.html --format html"))
        ));
        steps.push(format!(
            "{}: every gate has to be open, and to have been open for {}. Whoever can do without one says so with {}, which is written down.",
            code(&self.ours("ready --wait 30m")),
            self.hold,
            code("--waive CODE=REASON")
        ));
        steps.push("Try every hook by hand: called twice it must do no harm, and the stop hook may end only once nothing of the application runs.".to_owned());
        page.steps(steps);
        let Some(msk) = &self.msk else { return };
        for (what, commands) in &msk.commands {
            page.text(format!("Only you can do this: {}.", plain(what)));
            page.commands(commands);
        }
        page.text("What cannot be seen from a machine outside the replicators' subnets is unknown to the gates. These commands show it:");
        for (what, commands) in &msk.checks {
            page.text(format!("{}:", plain(what)));
            page.commands(commands);
        }
    }

    fn after(&self, page: &mut Document) {
        page.heading(2, "When all of them are there");
        page.steps(vec![
            format!(
                "{} once more, while everything still can go back.",
                code(&self.ours("verify"))
            ),
            format!(
                "{} says what happened: how long each was down, what was read again, what was waived.",
                code(&self.ours("report --format html --out report.html"))
            ),
            format!(
                "{}, then {} with the migration's name: it removes what the migration made, and refuses while an application still depends on the other side. Topics and groups stay on both sides. After it there is no way back.",
                code(&self.ours("cleanup --dry-run")),
                code(&self.ours(&format!("cleanup --confirm {}", self.migration)))
            ),
        ]);
    }
}

/// An exit code as it is written in tables.
fn exit(exit: Exit) -> String {
    format!("{} ({})", exit.code(), exit.name())
}

#[cfg(test)]
mod tests;
