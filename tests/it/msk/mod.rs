//! The MSK backend on the fake AWS and real brokers: an external cluster with TLS and SCRAM, and one that plays the part of MSK.

mod arrival;
mod killed;
mod preflight;
mod ready;
mod refused;
mod replicate;
mod trouble;

use std::sync::{LazyLock, OnceLock};

use crate::support::{
    aws::{ACCOUNT, Aws, REGION, clusters::Cluster},
    kafka::{Kafka, MIGRATOR},
    shared_pair,
    tool::{Call, Finished, Migration},
    unique,
};

/// The log group of every migration here.
const LOGS: &str = "/msk/replicator/orders";
/// Names, forward and reverse, are those of the migration with these ends.
const ENDS: [&str; 2] = ["-forward", "-reverse"];

/// The wire's numbers of resources, patterns and operations (KIP-140).
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const CLUSTER: i8 = 4;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const WRITE: i8 = 4;
const CREATE: i8 = 5;
const ALTER: i8 = 7;
const DESCRIBE: i8 = 8;
const CLUSTER_ACTION: i8 = 9;
const DESCRIBE_CONFIGS: i8 = 10;
const ALTER_CONFIGS: i8 = 11;
const IDEMPOTENT_WRITE: i8 = 12;

/// The external cluster: TLS, SCRAM and ACLs.
fn external() -> &'static Kafka {
    static EXTERNAL: LazyLock<Kafka> = LazyLock::new(|| {
        let kafka = Kafka::spec("msk-external").secure().start();
        let principal = format!("User:{}", MIGRATOR.0);
        for (kind, name, operations) in [
            (
                TOPIC,
                "*",
                &[
                    READ,
                    WRITE,
                    CREATE,
                    DESCRIBE,
                    DESCRIBE_CONFIGS,
                    ALTER,
                    ALTER_CONFIGS,
                ][..],
            ),
            (
                CLUSTER,
                "kafka-cluster",
                &[
                    CREATE,
                    CLUSTER_ACTION,
                    DESCRIBE,
                    DESCRIBE_CONFIGS,
                    IDEMPOTENT_WRITE,
                    ALTER,
                ],
            ),
            (GROUP, "*", &[READ, DESCRIBE]),
        ] {
            for operation in operations {
                let taken = kafka
                    .wire()
                    .allow(&principal, (kind, name, LITERAL), *operation);
                taken
                    .expect("the broker answers")
                    .expect("the ACL is taken");
            }
        }
        kafka
    });
    &EXTERNAL
}

/// A migration between the two, and the AWS that it talks to.
struct Scene {
    aws: Aws,
    migration: Migration,
    topic: String,
    names: [String; 2],
}

impl Scene {
    /// With a topic of its own and everything that a person makes.
    fn new(stem: &str) -> Self {
        let name = unique(stem);
        let topic = format!("{name}-topic");
        external().create_topic(&topic, 2, &[]);
        let aws = Aws::start();
        let arn = aws.add_cluster(Cluster::express("my-cluster"));
        aws.add_log_group(LOGS);
        let text = format!(
            "version = 1\nname = {name:?}\nbackend = \"msk\"\n\n\
             [source]\nbootstrap = {:?}\n[source.auth]\nmechanism = \"scram-sha-512\"\nusername = {:?}\n\
             password = {{ file = \"source.password\" }}\n[source.tls]\nca = {:?}\n\n\
             [target]\nbootstrap = {:?}\n\n\
             [scope]\ntopics = [{topic:?}]\ngroups = [\"{name}-group\"]\n\n[ready]\nhold = \"1s\"\n\n\
             [msk]\nregion = {REGION:?}\ncluster_arn = {arn:?}\nsubnets = [\"subnet-01\", \"subnet-02\"]\n\
             security_groups = [\"sg-01\"]\nrole_arn = \"arn:aws:iam::{ACCOUNT}:role/MSKReplicatorRole\"\nask = \"50ms\"\n\
             logs = {{ cloudwatch = {LOGS:?} }}\n",
            external().secure_bootstrap(),
            MIGRATOR.0,
            external().ca(),
            shared_pair().1.bootstrap(),
        );
        Self {
            aws,
            migration: Migration::from_text(&name, &text),
            topic,
            names: ENDS.map(|end| format!("{name}{end}")),
        }
    }

    fn command(&self, arguments: &[&str]) -> Call {
        let mut call = self.migration.command(arguments);
        self.aws.give_to(&mut call.0);
        call.env("AWS_MAX_ATTEMPTS", "2")
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).finish()
    }

    /// Names and states of the replicators.
    fn replicators(&self) -> Vec<(String, &'static str)> {
        let all = self.aws.replicators().into_iter();
        let mut all: Vec<_> = all.map(|(name, _, state)| (name, state)).collect();
        all.sort();
        all
    }

    /// Both run, and nothing else is there.
    #[track_caller]
    fn assert_both_run(&self) {
        let wanted = self.names.clone().map(|name| (name, "RUNNING"));
        assert_eq!(self.replicators(), wanted);
    }

    /// The name of the secret.
    fn secret(&self) -> String {
        format!("kafka-migrate/{}/login", self.migration.name)
    }
}

/// Keeps the runtime of what only an SDK can ask.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("threads can be started"))
}

/// The verdict of a gate, as `--json` has it.
#[track_caller]
fn verdict(finished: &Finished, code: &str) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(&finished.stdout).expect("it is JSON");
    let rows = document["verdicts"].as_array().expect("a list").clone();
    let row = rows.into_iter().find(|row| row["code"] == code);
    row.unwrap_or_else(|| panic!("{code} was not asked: {finished}"))
}
