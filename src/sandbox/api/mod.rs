//! Which APIs the simulation offers in which versions, and who answers them.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod alter_configs;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
mod refuse;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod sync_group;
pub mod txn_offset_commit;

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, *},
    protocol::{Encodable, HeaderVersion, Request},
};

use self::refuse::Refuse;
use super::{broker::Connection, cluster::Cluster, plan::Release, state::Call};

/// An answer without its correlation id.
#[derive(Debug)]
pub struct Outcome {
    /// Version of the answer's header.
    pub header_version: i16,
    /// The answer.
    pub body: Bytes,
}

/// An error that a fault demands.
#[derive(Debug, Clone, Copy)]
pub enum Error {
    /// None.
    None,
    /// Instead of any effect.
    Before(i16),
    /// Instead of the answer.
    After(i16),
}

/// `now` handlers are `fn(&mut State, &Call, Request) -> Response`; `login` ones also get the connection (after the state); `wait`
/// ones are `async fn(&Cluster, &Call, Request) -> Response`. The versions are those of 4.1, then of 3.9 (probe 21).
macro_rules! apis {
    ($($how:ident $key:ident $request:ident $module:ident $new:expr, $old:expr;)*) => {
        /// What this release offers: key, lowest and highest version.
        pub fn versions(release: Release) -> impl Iterator<Item = (i16, i16, i16)> {
            [$((ApiKey::$key as i16, if release >= Release::V4_1 { $new } else { $old }),)*]
                .into_iter()
                .map(|(key, (low, high))| (key, low, high))
        }

        /// Decodes a request, has it answered, encodes the answer. None where no answer is wanted; an error closes the connection.
        pub async fn dispatch(
            cluster: &Cluster,
            connection: &mut Connection,
            call: &Call,
            api: ApiKey,
            body: Bytes,
            error: Error,
        ) -> Result<Option<Outcome>, &'static str> {
            if api == ApiKey::ApiVersions && !offers(cluster, api, call.version) {
                return encode(&api_versions::unsupported(), 0).map(Some);
            }
            match api {
                $(ApiKey::$key => {
                    let request = decode::<$request>(body, call.version)?;
                    if is_unreadable(&request) {
                        return Err("access rules of unknown kinds");
                    }
                    let silent = silent(&request);
                    let answer = match error {
                        Error::None => apis!(@ $how $module cluster connection call request),
                        Error::Before(code) => request.refuse(call.version, code),
                        Error::After(code) => {
                            let refused = request.refuse(call.version, code);
                            apis!(@ $how $module cluster connection call request);
                            refused
                        }
                    };
                    if silent {
                        return Ok(None);
                    }
                    encode(&answer, call.version).map(Some)
                })*
                _ => Err("an API that is not simulated"),
            }
        }
    };
    (@ now $module:ident $cluster:ident $connection:ident $call:ident $request:ident) => {
        $cluster.with(|state| $module::handle(state, $call, $request))
    };
    (@ login $module:ident $cluster:ident $connection:ident $call:ident $request:ident) => {
        $cluster.with(|state| $module::handle(state, $connection, $call, $request))
    };
    (@ wait $module:ident $cluster:ident $connection:ident $call:ident $request:ident) => {
        $module::handle($cluster, $call, $request).await
    };
}

// The lowest version of Produce is never spoken: librdkafka wants to see it all the same (KAFKA-18659).
// Produce 12 adds partitions to transactions by itself, EndTxn 5 moves epochs (KIP-890), AddPartitionsToTxn 4 is for brokers: none is
// offered.
apis! {
    wait Produce ProduceRequest produce (0, 11), (0, 11);
    wait Fetch FetchRequest fetch (4, 17), (4, 17);
    now ListOffsets ListOffsetsRequest list_offsets (1, 9), (1, 9);
    now Metadata MetadataRequest metadata (0, 13), (0, 12);
    now FindCoordinator FindCoordinatorRequest find_coordinator (0, 6), (0, 6);
    wait JoinGroup JoinGroupRequest join_group (0, 9), (0, 9);
    wait SyncGroup SyncGroupRequest sync_group (0, 5), (0, 5);
    now Heartbeat HeartbeatRequest heartbeat (0, 4), (0, 4);
    now LeaveGroup LeaveGroupRequest leave_group (0, 5), (0, 5);
    now ListGroups ListGroupsRequest list_groups (0, 5), (0, 5);
    now DescribeGroups DescribeGroupsRequest describe_groups (0, 6), (0, 5);
    now DeleteGroups DeleteGroupsRequest delete_groups (0, 2), (0, 2);
    now OffsetCommit OffsetCommitRequest offset_commit (2, 9), (2, 9);
    now OffsetFetch OffsetFetchRequest offset_fetch (1, 9), (1, 9);
    now OffsetDelete OffsetDeleteRequest offset_delete (0, 0), (0, 0);
    now DescribeAcls DescribeAclsRequest describe_acls (1, 3), (1, 3);
    now CreateAcls CreateAclsRequest create_acls (1, 3), (1, 3);
    now DeleteAcls DeleteAclsRequest delete_acls (1, 3), (1, 3);
    now ConsumerGroupDescribe ConsumerGroupDescribeRequest consumer_group_describe (0, 1), (0, 0);
    login SaslHandshake SaslHandshakeRequest sasl_handshake (0, 1), (0, 1);
    login SaslAuthenticate SaslAuthenticateRequest sasl_authenticate (0, 2), (0, 2);
    now DescribeUserScramCredentials DescribeUserScramCredentialsRequest describe_user_scram_credentials (0, 0), (0, 0);
    now AlterUserScramCredentials AlterUserScramCredentialsRequest alter_user_scram_credentials (0, 0), (0, 0);
    login ApiVersions ApiVersionsRequest api_versions (0, 4), (0, 4);
    now CreateTopics CreateTopicsRequest create_topics (2, 7), (2, 7);
    now DeleteTopics DeleteTopicsRequest delete_topics (1, 6), (1, 6);
    now DeleteRecords DeleteRecordsRequest delete_records (0, 2), (0, 2);
    now InitProducerId InitProducerIdRequest init_producer_id (0, 5), (0, 5);
    now OffsetForLeaderEpoch OffsetForLeaderEpochRequest offset_for_leader_epoch (2, 4), (2, 4);
    now AddPartitionsToTxn AddPartitionsToTxnRequest add_partitions_to_txn (0, 3), (0, 3);
    now AddOffsetsToTxn AddOffsetsToTxnRequest add_offsets_to_txn (0, 4), (0, 4);
    now EndTxn EndTxnRequest end_txn (0, 4), (0, 4);
    now TxnOffsetCommit TxnOffsetCommitRequest txn_offset_commit (0, 4), (0, 4);
    now CreatePartitions CreatePartitionsRequest create_partitions (0, 3), (0, 3);
    now DescribeConfigs DescribeConfigsRequest describe_configs (1, 4), (1, 4);
    now AlterConfigs AlterConfigsRequest alter_configs (0, 2), (0, 2);
    now IncrementalAlterConfigs IncrementalAlterConfigsRequest incremental_alter_configs (0, 1), (0, 1);
    now DescribeLogDirs DescribeLogDirsRequest describe_log_dirs (1, 4), (1, 4);
    now DescribeClientQuotas DescribeClientQuotasRequest describe_client_quotas (0, 1), (0, 1);
    now DescribeQuorum DescribeQuorumRequest describe_quorum (0, 2), (0, 2);
    now DescribeCluster DescribeClusterRequest describe_cluster (0, 2), (0, 1);
    now DescribeProducers DescribeProducersRequest describe_producers (0, 0), (0, 0);
    now DescribeTransactions DescribeTransactionsRequest describe_transactions (0, 0), (0, 0);
    now ListTransactions ListTransactionsRequest list_transactions (0, 2), (0, 1);
}

/// Is this version of the API offered?
fn offers(cluster: &Cluster, api: ApiKey, version: i16) -> bool {
    let release = cluster.with(|state| state.release);
    versions(release).any(|(key, low, high)| key == api as i16 && (low..=high).contains(&version))
}

/// Produce with acks=0 is the only request that no answer is wanted for.
fn silent<R: std::any::Any>(request: &R) -> bool {
    let request: &dyn std::any::Any = request;
    request
        .downcast_ref::<ProduceRequest>()
        .is_some_and(|produce| produce.acks == 0)
}

/// Zeros stand for what is unknown: requests about access rules do not even get made of them (`CreateAclsRequest.validate` and its like).
fn is_unreadable<R: std::any::Any>(request: &R) -> bool {
    let request: &dyn std::any::Any = request;
    if let Some(create) = request.downcast_ref::<CreateAclsRequest>() {
        let mut each = create.creations.iter();
        return each.any(|one| {
            let pattern = one.resource_pattern_type;
            [
                one.resource_type,
                pattern,
                one.operation,
                one.permission_type,
            ]
            .contains(&0)
        });
    }
    if let Some(delete) = request.downcast_ref::<DeleteAclsRequest>() {
        let mut each = delete.filters.iter();
        return each.any(|one| {
            let (kind, pattern) = (one.resource_type_filter, one.pattern_type_filter);
            [kind, pattern, one.operation, one.permission_type].contains(&0)
        });
    }
    request
        .downcast_ref::<DescribeAclsRequest>()
        .is_some_and(|one| {
            let (kind, pattern) = (one.resource_type_filter, one.pattern_type_filter);
            [kind, pattern, one.operation, one.permission_type].contains(&0)
        })
}

fn decode<R: Request>(mut body: Bytes, version: i16) -> Result<R, &'static str> {
    R::decode(&mut body, version).map_err(|_| "a request that cannot be read")
}

fn encode<A: Encodable + HeaderVersion>(answer: &A, version: i16) -> Result<Outcome, &'static str> {
    let mut body = BytesMut::new();
    answer
        .encode(&mut body, version)
        .map_err(|_| "an answer that this version cannot express")?;
    Ok(Outcome {
        header_version: A::header_version(version),
        body: body.freeze(),
    })
}
