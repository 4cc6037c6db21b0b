//! Applications that move with our own engine, as the commands move them: over, back, and all of them, under load.

mod asked;
mod broker;
mod clean;
mod downtime;
mod engine_gone;
mod frozen;
mod killed;
mod simulated;
mod story;
mod stranded;
mod ways;

use std::fs;

use crate::{
    phases::three::Three,
    support::{
        kafka::Kafka,
        tool::{Access, Finished, Migration, PATIENCE, Tool},
        unique,
    },
};

/// What makes a move short where nobody has to be waited for.
const QUICK: [&str; 2] = ["--quiet-for", "500ms"];

/// The three applications, and their migration.
struct Scene<'a> {
    /// Ended before their directory, which is the migration's.
    three: Three,
    migration: Migration,
    source: &'a Kafka,
    target: &'a Kafka,
}

impl<'a> Scene<'a> {
    fn new(stem: &str, two_way: bool, source: &'a Kafka, target: &'a Kafka) -> Self {
        let name = unique(stem);
        let migration = Migration::new(&name, Access::Plain(source), Access::Plain(target), &[]);
        let three = Three::start(migration.directory(), &name, source, target, 50);
        let text = fs::read_to_string(migration.file()).expect("it was written");
        let scope = format!(
            "topics = {:?}\ngroups = {:?}\n\n[ready]\nhold = \"1s\"",
            three.topics, three.groups
        );
        let text = text.replacen("topics = []", &scope, 1).replacen(
            "[replication]\n",
            &format!("[replication]\ntwo_way = {two_way}\n"),
            1,
        );
        fs::write(migration.file(), text + &three.described()).expect("it is written");
        Self {
            three,
            migration,
            source,
            target,
        }
    }

    /// The engine, at work.
    fn engine(&self) -> Tool {
        self.migration.command(&["replicate"]).start()
    }

    /// A move, confirmed and quick.
    fn moves(&self, arguments: &[&str]) -> Finished {
        let confirm = ["--confirm", &self.migration.name];
        self.migration.run(&[arguments, &confirm, &QUICK].concat())
    }

    /// Stops an engine as a person does.
    #[track_caller]
    fn stop(engine: Tool) {
        engine.interrupt();
        engine.wait(PATIENCE).assert_exit(130);
    }
}
