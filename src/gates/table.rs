//! The table: every gate with its code, its name, its question, what it guards, and the function that answers.

use super::{
    Asked, Gate,
    Guards::{self, Both, Cutover, Replicate},
    copied, everyone, fit, groups, kept, pace, reach, replicator, rights, safe, scope, settings,
};
use crate::{model::limits::Limits, observe::Observation};

const fn gate(
    code: &'static str,
    name: &'static str,
    guards: Guards,
    ask: fn(&Observation, &Limits) -> Asked,
    question: &'static str,
) -> Gate {
    Gate {
        code,
        name,
        question,
        guards,
        unknown_counts: true,
        takes_time: false,
        ask,
    }
}

/// One that tells something and guards only by a plain no.
const fn telling(mut gate: Gate) -> Gate {
    gate.unknown_counts = false;
    gate
}

const fn slow(mut gate: Gate) -> Gate {
    gate.takes_time = true;
    gate
}

/// Every gate, in the order in which it is asked and shown.
pub const GATES: &[Gate] = &[
    gate(
        "G101",
        "brokers-reachable",
        Both,
        reach::brokers_reachable,
        "Can every advertised broker of both clusters be reached and logged in to?",
    ),
    gate(
        "G102",
        "clusters-differ",
        Both,
        reach::clusters_differ,
        "Are source and target two clusters?",
    ),
    gate(
        "G103",
        "versions-suffice",
        Replicate,
        reach::versions_suffice,
        "Do all brokers speak what we cannot do without?",
    ),
    telling(gate(
        "G104",
        "clocks-agree",
        Both,
        reach::clocks_agree,
        "Do the clocks of both clusters agree?",
    )),
    gate(
        "G105",
        "credentials-outlive-the-window",
        Both,
        reach::credentials_outlive,
        "Will certificates and logins outlive the migration?",
    ),
    gate(
        "G106",
        "can-read-source",
        Replicate,
        rights::can_read_source,
        "May we read every topic in scope and its settings?",
    ),
    gate(
        "G107",
        "can-create-topics",
        Replicate,
        rights::can_create_topics,
        "Would the target make the topics that it lacks?",
    ),
    gate(
        "G108",
        "can-write-target",
        Replicate,
        rights::can_write_target,
        "May we write to every topic on the target, and read back what we wrote?",
    ),
    gate(
        "G109",
        "can-keep-the-ledger",
        Replicate,
        rights::can_keep_ledger,
        "May we make, write, read and trim the ledger?",
    ),
    gate(
        "G110",
        "can-use-transactional-ids",
        Replicate,
        rights::can_use_transactional_ids,
        "May we use the transactional ids by which older engines are shut out?",
    ),
    gate(
        "G111",
        "can-see-groups",
        Both,
        groups::can_see_groups,
        "Does the source show us every group in scope?",
    ),
    gate(
        "G112",
        "message-sizes-fit",
        Replicate,
        fit::message_sizes_fit,
        "Does the target take batches as large as the source holds?",
    ),
    gate(
        "G113",
        "timestamps-fit",
        Replicate,
        fit::timestamps_fit,
        "Does the target take records as old and as young as the source holds, with their own time?",
    ),
    telling(gate(
        "G114",
        "quotas-fit",
        Replicate,
        pace::quotas_fit,
        "Do the quotas of this login let a copy catch up?",
    )),
    gate(
        "G115",
        "cleanup-policies-fit",
        Replicate,
        fit::cleanup_policies_fit,
        "Does the target keep what the source keeps?",
    ),
    gate(
        "G116",
        "replication-fits",
        Replicate,
        fit::replication_fits,
        "Are there brokers enough on the target for the replicas?",
    ),
    gate(
        "G117",
        "same-partitions",
        Both,
        fit::same_partitions,
        "Has every topic as many partitions on both sides?",
    ),
    gate(
        "G118",
        "target-topics-are-ours",
        Replicate,
        fit::target_topics_are_ours,
        "Do the topics on the target hold nothing but what this migration wrote?",
    ),
    gate(
        "G119",
        "no-other-migration",
        Replicate,
        scope::no_other_migration,
        "Does no other migration write the same topics?",
    ),
    gate(
        "G120",
        "topics-exist",
        Both,
        scope::topics_exist,
        "Is every topic that the file names on the source?",
    ),
    gate(
        "G121",
        "applications-recognised",
        Both,
        scope::applications_recognised,
        "Is there anything that needs more than topics and positions: Streams, Connect?",
    ),
    gate(
        "G122",
        "batches-stay-as-written",
        Replicate,
        kept::batches_stay,
        "Does the target keep batches byte for byte as they are written, on every broker?",
    ),
    telling(gate(
        "G123",
        "topic-count-fits",
        Replicate,
        fit::topic_count_fits,
        "Are there not more topics than the backend takes?",
    )),
    telling(gate(
        "G124",
        "copy-time-is-known",
        Replicate,
        pace::copy_time,
        "How much is there to copy, and how long does it take?",
    )),
    telling(gate(
        "G125",
        "clients-connect",
        Replicate,
        reach::clients_connect,
        "Does a client like those of applications get through to every broker with the same login?",
    )),
    telling(gate(
        "G126",
        "same-without-acls",
        Replicate,
        everyone::same_without_acls,
        "May everyone do as much on both sides where no ACL speaks?",
    )),
    gate(
        "G127",
        "settings-taken",
        Replicate,
        settings::settings_taken,
        "Does the target take the source's settings, and let us hold its retention open?",
    ),
    gate(
        "G128",
        "can-commit-positions",
        Replicate,
        groups::can_commit,
        "May we commit positions of the groups in scope on the target?",
    ),
    gate(
        "G201",
        "replicator-failure-zero",
        Cutover,
        replicator::no_failure,
        "ReplicatorFailure: does the replicator run as it should?",
    ),
    gate(
        "G202",
        "offset-sync-failure-zero",
        Cutover,
        replicator::no_sync_failure,
        "ConsumerGroupOffsetSyncFailure: are positions carried without failures?",
    ),
    gate(
        "G203",
        "cluster-pings-succeed",
        Cutover,
        replicator::pings_succeed,
        "KafkaClusterPingSuccessCount: do both clusters answer?",
    ),
    slow(gate(
        "G204",
        "message-lag-low",
        Cutover,
        replicator::message_lag_low,
        "MessageLag: does the target hold what the source holds, and not fall behind?",
    )),
    slow(gate(
        "G205",
        "replication-latency-low",
        Cutover,
        replicator::latency_low,
        "ReplicationLatency: does a record arrive soon?",
    )),
    slow(gate(
        "G206",
        "sum-offset-lag-low",
        Cutover,
        replicator::offset_lag_low,
        "SumOffsetLag: have the groups read what there is, on both clusters?",
    )),
    gate(
        "G207",
        "consumer-group-count-as-expected",
        Cutover,
        replicator::groups_as_expected,
        "ConsumerGroupCount: is every group that should be on the target there?",
    ),
    gate(
        "G211",
        "no-partition-stopped",
        Cutover,
        copied::no_partition_stopped,
        "Is every partition being copied?",
    ),
    gate(
        "G212",
        "way-back",
        Cutover,
        safe::way_back,
        "Can an application go back after it has moved?",
    ),
    gate(
        "G213",
        "one-writer",
        Cutover,
        safe::one_writer,
        "Is every compacted topic written on one side only?",
    ),
    gate(
        "G214",
        "backlog-copied",
        Cutover,
        copied::backlog_copied,
        "Is everything that the groups have not read yet within what is copied?",
    ),
    gate(
        "G215",
        "whole-application",
        Both,
        scope::whole_application,
        "Is everything that the groups and applications read in scope?",
    ),
    gate(
        "G217",
        "retention-not-overtaking",
        Cutover,
        copied::retention_not_overtaking,
        "Is the source not about to delete what is not copied yet?",
    ),
    gate(
        "G218",
        "tombstones-in-time",
        Cutover,
        copied::tombstones_in_time,
        "Are compacted topics copied before their tombstones are cleaned away?",
    ),
    gate(
        "G219",
        "replicas-in-sync",
        Cutover,
        copied::replicas_in_sync,
        "Are all replicas of the topics in sync, on both sides?",
    ),
    gate(
        "G220",
        "limits-fit-both-ways",
        Cutover,
        safe::limits_fit_both_ways,
        "Does each side take what applications may write on the other?",
    ),
];
