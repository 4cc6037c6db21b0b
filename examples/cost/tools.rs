//! Who copies: each tool's name, and the command that runs it on one topic.

use std::{path::Path, process::Command};

use super::{
    bench::Bench,
    mirror, profile,
    support::{self, kafka::Kafka, tool::Migration},
    workload::Workload,
};

/// Who copies, or does half of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Tool {
    /// Reads everything and throws it away.
    Fetch,
    /// Writes batches from memory.
    Produce,
    /// The bare byte copier.
    Bare,
    /// A copier on a client library.
    Library,
    /// This program.
    KafkaMigrate,
    /// This program, which also waits for what comes back.
    TwoWays,
    /// MirrorMaker 2 with its defaults.
    Mirror,
    /// MirrorMaker 2 with settings for throughput.
    MirrorTuned,
}

impl Tool {
    /// As it stands in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "bare fetch",
            Self::Produce => "bare produce",
            Self::Bare => "bare copier",
            Self::Library => "librdkafka copier",
            Self::KafkaMigrate => "kafka-migrate",
            Self::TwoWays => "kafka-migrate, both ways",
            Self::Mirror => "MirrorMaker 2",
            Self::MirrorTuned => "MirrorMaker 2, tuned",
        }
    }

    /// Whether it copies by itself until it is stopped, as the latency asks for.
    pub fn can_follow(self) -> bool {
        let others = [Self::Fetch, Self::Produce, Self::Bare, Self::Library];
        !others.contains(&self)
    }

    /// Whether it does not end when all is copied.
    pub fn is_endless(self) -> bool {
        matches!(self, Self::Mirror | Self::MirrorTuned)
    }
}

/// A command, and what has to live as long as it runs.
pub struct Run {
    /// What is to be started.
    pub command: Command,
    /// The migration file it reads.
    pub migration: Option<Migration>,
}

impl Bench {
    /// What copies one workload's topic once; a tool that cannot create the target's topic finds it there.
    pub fn once(&self, tool: Tool, workload: Workload, megabytes: u64, directory: &Path) -> Run {
        let ([source, target], topic) = (self.addresses(), workload.topic());
        if matches!(tool, Tool::Produce | Tool::Bare | Tool::Library) {
            self.target.create_topic(topic, workload.partitions(), &[]);
        }
        match tool {
            Tool::Fetch => ours(&["fetch", &source, topic]),
            Tool::Produce => ours(&["produce", &target, topic, &megabytes.to_string()]),
            Tool::Bare => ours(&["copy", &source, &target, topic]),
            Tool::Library => ours(&["library", &source, &target, topic, workload.codec()]),
            Tool::KafkaMigrate | Tool::TwoWays => {
                self.migrate(tool, topic, &["--until", "caught-up"])
            }
            Tool::Mirror | Tool::MirrorTuned => {
                self.mirror(tool, topic, workload.codec(), directory)
            }
        }
    }

    /// What copies a topic until it is stopped.
    pub fn following(&self, tool: Tool, topic: &str, directory: &Path) -> Run {
        assert!(tool.can_follow(), "{} ends by itself", tool.name());
        match tool {
            Tool::KafkaMigrate | Tool::TwoWays => self.migrate(tool, topic, &[]),
            _ => self.mirror(tool, topic, "none", directory),
        }
    }

    /// A migration of its own for every copy, with nothing set that need not be.
    fn migrate(&self, tool: Tool, topic: &str, arguments: &[&str]) -> Run {
        let name = support::unique(&format!("cost-{topic}"));
        let [source, target] = [&self.source, &self.target].map(Kafka::bootstrap);
        let two_way = tool == Tool::TwoWays;
        let text = format!(
            "version = 1\nname = {name:?}\n\n[source]\nbootstrap = {source:?}\n\n[target]\nbootstrap = {target:?}\n\n[scope]\ntopics = [{topic:?}]\n\n[replication]\ntwo_way = {two_way}\n"
        );
        let migration = Migration::from_text(&name, &text);
        let mut command = Command::new(profile().join("kafka-migrate"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KAFKA_MIGRATE_") {
                command.env_remove(name);
            }
        }
        command
            .arg("replicate")
            .args(arguments)
            .current_dir(migration.directory());
        Run {
            command,
            migration: Some(migration),
        }
    }

    fn mirror(&self, tool: Tool, topic: &str, codec: &str, directory: &Path) -> Run {
        let tuning = match tool {
            Tool::MirrorTuned => mirror::Tuning::Throughput,
            _ => mirror::Tuning::Default,
        };
        Run {
            command: mirror::command(&self.source, &self.target, topic, codec, tuning, directory),
            migration: None,
        }
    }
}

/// This program itself, to be measured as a process.
fn ours(arguments: &[&str]) -> Run {
    let program = std::env::current_exe().expect("the running binary has a path");
    let mut command = Command::new(program);
    command.args(arguments);
    Run {
        command,
        migration: None,
    }
}
