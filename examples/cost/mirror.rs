//! MirrorMaker 2 of Apache Kafka, run as a process of its own (dedicated mode): what it is set to.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use super::support::{self, kafka::Kafka, maven};

/// Topics it writes on the target beside the copies, and on the source, begin with this or are called heartbeats.
pub const OWN_TOPICS: &str = "mm2-";

/// How far from its defaults it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuning {
    /// Not at all, beyond what a copy of the same names and of the same codec needs.
    Default,
    /// For bytes: larger fetches, batches and buffers, four tasks, fewer offset syncs.
    Throughput,
}

/// The command that mirrors a topic until it is killed; its settings are written into `directory`.
pub fn command(
    source: &Kafka,
    target: &Kafka,
    topic: &str,
    codec: &str,
    tuning: Tuning,
    directory: &Path,
) -> Command {
    let file = directory.join("mirror.properties");
    let text = properties(source, target, topic, codec, tuning);
    fs::write(&file, text).expect("the scratch directory is writable");
    let version = source.version();
    let home = format!("mirror-{}", version.number());
    let jars = maven::fetch(&home, include_str!("mirror.xml"), version);
    let mut java = Command::new("java");
    // The heap and the collector of Apache Kafka's own scripts.
    java.args(["-Xms256m", "-Xmx2g", "-XX:+UseG1GC"])
        .args([
            "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
        ])
        .args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        ])
        .arg("-cp")
        .arg(jars.join("*"))
        .arg("org.apache.kafka.connect.mirror.MirrorMaker")
        .arg(&file);
    java
}

fn properties(source: &Kafka, target: &Kafka, topic: &str, codec: &str, tuning: Tuning) -> String {
    // Names of their own each time: the group of one that was killed is not waited for.
    let (from, to) = (support::unique("source"), support::unique("target"));
    let mut text = format!(
        "clusters = {from}, {to}\n\
         {from}.bootstrap.servers = {}\n\
         {to}.bootstrap.servers = {}\n\
         {from}->{to}.enabled = true\n\
         {from}->{to}.topics = {topic}\n\
         {to}->{from}.enabled = false\n\
         {to}->{from}.emit.heartbeats.enabled = false\n\
         replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n\
         sync.group.offsets.enabled = true\n\
         sync.topic.acls.enabled = false\n\
         {to}.producer.compression.type = {codec}\n",
        source.bootstrap().join(","),
        target.bootstrap().join(","),
    );
    for topic in [
        "",
        "checkpoints.topic.",
        "heartbeats.topic.",
        "offset-syncs.topic.",
        "config.storage.",
        "offset.storage.",
        "status.storage.",
    ] {
        writeln!(text, "{topic}replication.factor = 1").expect("writing to a string");
    }
    if tuning == Tuning::Throughput {
        write!(
            text,
            "tasks.max = 4\n\
             offset.lag.max = 1000\n\
             {from}.consumer.max.partition.fetch.bytes = 4194304\n\
             {from}.consumer.max.poll.records = 5000\n\
             {from}.consumer.receive.buffer.bytes = 1048576\n\
             {to}.producer.batch.size = 524288\n\
             {to}.producer.linger.ms = 20\n\
             {to}.producer.send.buffer.bytes = 1048576\n",
        )
        .expect("writing to a string");
    }
    text
}
