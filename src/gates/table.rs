//! The table: every gate with its code, its name, its question, what it guards, and the function that answers.

use super::{
    Asked, Gate,
    Guards::{self, Both, Cutover, Replicate},
    amazon, back, copied, everyone, fit, follows, groups, kept, pace, reach, replicator, rights,
    safe, scope, settings,
};
use crate::{
    model::{backend::Backend, limits::Limits},
    observe::Observation,
};

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
        of: None,
        two_way: false,
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

/// One that only our own engine needs.
const fn embedded(mut gate: Gate) -> Gate {
    gate.of = Some(Backend::Embedded);
    gate
}

/// One that only MSK Replicator needs.
const fn msk(mut gate: Gate) -> Gate {
    gate.of = Some(Backend::Msk);
    gate
}

/// One that is asked where records also come back through our own engine.
const fn two_way(mut gate: Gate) -> Gate {
    gate.two_way = true;
    embedded(gate)
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
    embedded(gate(
        "G107",
        "can-create-topics",
        Replicate,
        rights::can_create_topics,
        "Would the target make the topics that it lacks?",
    )),
    embedded(gate(
        "G108",
        "can-write-target",
        Replicate,
        rights::can_write_target,
        "May we write to every topic on the target, and read back what we wrote?",
    )),
    embedded(gate(
        "G109",
        "can-keep-the-ledger",
        Replicate,
        rights::can_keep_ledger,
        "May we make, write, read and trim the ledger?",
    )),
    embedded(gate(
        "G110",
        "can-use-transactional-ids",
        Replicate,
        rights::can_use_transactional_ids,
        "May we use the transactional ids by which older engines are shut out?",
    )),
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
    embedded(gate(
        "G118",
        "target-topics-are-ours",
        Replicate,
        fit::target_topics_are_ours,
        "Do the topics on the target hold nothing but what this migration wrote?",
    )),
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
    embedded(gate(
        "G122",
        "batches-stay-as-written",
        Replicate,
        kept::batches_stay,
        "Does the target keep batches byte for byte as they are written, on every broker?",
    )),
    telling(gate(
        "G123",
        "topic-count-fits",
        Replicate,
        fit::topic_count_fits,
        "Are there not more topics than the backend takes?",
    )),
    embedded(telling(gate(
        "G124",
        "copy-time-is-known",
        Replicate,
        pace::copy_time,
        "How much is there to copy, and how long does it take?",
    ))),
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
    embedded(gate(
        "G128",
        "can-commit-positions",
        Replicate,
        groups::can_commit,
        "May we commit positions of the groups in scope on the target?",
    )),
    two_way(gate(
        "G129",
        "records-can-come-back",
        Replicate,
        back::records_can_come_back,
        "May records be written back to the source, and does it keep batches byte for byte as they are written?",
    )),
    embedded(telling(gate(
        "G130",
        "settings-follow",
        Replicate,
        follows::settings_follow,
        "Do settings of topics on the target follow the source?",
    ))),
    embedded(telling(gate(
        "G131",
        "acls-follow",
        Replicate,
        follows::acls_follow,
        "Do access rules on the target follow the source, no wider than there?",
    ))),
    embedded(telling(gate(
        "G132",
        "scram-users-there",
        Replicate,
        follows::scram_users_there,
        "Has the target every login with SCRAM that the source has?",
    ))),
    embedded(telling(gate(
        "G133",
        "can-carry-acls",
        Replicate,
        follows::can_carry_acls,
        "May we see access rules on both sides, and make and remove them on the target?",
    ))),
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
    embedded(gate(
        "G211",
        "no-partition-stopped",
        Cutover,
        copied::no_partition_stopped,
        "Is every partition being copied?",
    )),
    embedded(gate(
        "G212",
        "way-back",
        Cutover,
        safe::way_back,
        "Can an application go back after it has moved?",
    )),
    gate(
        "G213",
        "one-writer",
        Cutover,
        safe::one_writer,
        "Is every compacted topic written on one side only?",
    ),
    embedded(gate(
        "G214",
        "backlog-copied",
        Cutover,
        copied::backlog_copied,
        "Is everything that the groups have not read yet within what is copied?",
    )),
    gate(
        "G215",
        "whole-application",
        Both,
        scope::whole_application,
        "Is everything that the groups and applications read in scope?",
    ),
    embedded(gate(
        "G217",
        "retention-not-overtaking",
        Cutover,
        copied::retention_not_overtaking,
        "Is the source not about to delete what is not copied yet?",
    )),
    embedded(gate(
        "G218",
        "tombstones-in-time",
        Cutover,
        copied::tombstones_in_time,
        "Are compacted topics copied before their tombstones are cleaned away?",
    )),
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
    msk(gate(
        "G301",
        "aws-login-works",
        Replicate,
        amazon::login_works,
        "Does AWS take our credentials, in the account of the cluster?",
    )),
    msk(gate(
        "G302",
        "msk-cluster-fits",
        Both,
        amazon::cluster_fits,
        "Can the cluster of MSK take part: type, version, brokers, IAM?",
    )),
    msk(gate(
        "G303",
        "requests-keep-the-rules",
        Replicate,
        amazon::requests_keep_rules,
        "Do the replicators that are asked for keep every rule of AWS?",
    )),
    msk(gate(
        "G304",
        "replicators-are-ours",
        Both,
        amazon::replicators_are_ours,
        "Are the names of the replicators free, or theirs already and as asked for?",
    )),
    msk(gate(
        "G305",
        "replicator-quota-suffices",
        Replicate,
        amazon::quota_suffices,
        "Does the account take so many replicators?",
    )),
    msk(gate(
        "G306",
        "topics-within-the-cut",
        Replicate,
        amazon::topics_within_cut,
        "Is every topic among the 750 that a replicator takes?",
    )),
    msk(gate(
        "G307",
        "history-within-time-limits",
        Replicate,
        amazon::history_within_limits,
        "Does MSK take records as old as those that are copied?",
    )),
    msk(gate(
        "G308",
        "replicator-can-log-in",
        Replicate,
        amazon::replicator_logs_in,
        "Does every broker of the external cluster take the replicators' login, behind certificates that they trust?",
    )),
    msk(gate(
        "G309",
        "replicator-has-its-rights",
        Replicate,
        amazon::replicator_has_rights,
        "May the replicators' user read, write and describe what it has to, on the external cluster?",
    )),
    msk(gate(
        "G310",
        "cluster-ids-agree",
        Replicate,
        amazon::ids_agree,
        "Is the replicators' listener one of the same cluster?",
    )),
    msk(gate(
        "G311",
        "secrets-can-be-kept",
        Replicate,
        amazon::secrets_can_be_kept,
        "Are the secrets free to be made, ours already, or yours and complete?",
    )),
    msk(gate(
        "G312",
        "log-group-is-there",
        Replicate,
        amazon::log_group_is_there,
        "Is the log group there?",
    )),
    msk(telling(gate(
        "G313",
        "partitions-carry-the-load",
        Replicate,
        amazon::partitions_carry_load,
        "Are there enough partitions for what is written?",
    ))),
    msk(telling(gate(
        "G314",
        "subnets-reach-the-brokers",
        Replicate,
        amazon::subnets_reach,
        "Can the brokers of both clusters be reached from the replicators' subnets?",
    ))),
    msk(telling(gate(
        "G315",
        "role-is-right",
        Replicate,
        amazon::role_is_right,
        "May the replicators assume the role, and does it allow enough?",
    ))),
    msk(telling(gate(
        "G316",
        "cost-is-known",
        Replicate,
        amazon::cost_is_known,
        "What will be billed?",
    ))),
    msk(gate(
        "G317",
        "both-replicators-run",
        Cutover,
        amazon::both_run,
        "Do both replicators run, so that an application can go there and back?",
    )),
    msk(gate(
        "G318",
        "witnesses-agree",
        Cutover,
        amazon::witnesses_agree,
        "Do CloudWatch and the clusters say the same of what is not copied yet?",
    )),
    msk(gate(
        "G319",
        "no-topic-left-behind",
        Cutover,
        amazon::nothing_waits,
        "Does every topic still arrive, each by the clusters' own word?",
    )),
    msk(gate(
        "G320",
        "no-refused-logins",
        Cutover,
        amazon::no_refused_logins,
        "AuthError: does every cluster take the replicators' login?",
    )),
];
