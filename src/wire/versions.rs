//! Which version of an API both sides speak, and how large an answer may be.

use std::collections::HashMap;

use kafka_protocol::{
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ConsumerGroupDescribeRequest,
        ConsumerGroupDescribeResponse, CreateAclsRequest, CreateAclsResponse,
        CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
        CreateTopicsResponse, DeleteAclsRequest, DeleteAclsResponse, DeleteRecordsRequest,
        DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeAclsRequest,
        DescribeAclsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
        DescribeClusterRequest, DescribeClusterResponse, DescribeConfigsRequest,
        DescribeConfigsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
        DescribeProducersRequest, DescribeProducersResponse, DescribeQuorumRequest,
        DescribeQuorumResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
        DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, EndTxnRequest,
        EndTxnResponse, FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest,
        HeartbeatResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
        InitProducerIdRequest, InitProducerIdResponse, ListGroupsRequest, ListGroupsResponse,
        ListOffsetsRequest, ListOffsetsResponse, ListTransactionsRequest, ListTransactionsResponse,
        MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetCommitResponse,
        OffsetFetchRequest, OffsetFetchResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
        SaslHandshakeRequest, SaslHandshakeResponse,
    },
    protocol::{Decodable, Encodable, HeaderVersion},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// One API: its number and name, the versions we speak, and the largest answer we take.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    /// Kafka's API key.
    pub key: i16,
    /// Kafka's name for it.
    pub name: &'static str,
    /// Lowest and highest version we speak.
    pub speak: (i16, i16),
    /// Largest answer in bytes; decoded answers take several times that.
    pub limit: usize,
}

/// Produce: never 12 or later, where a transactional request adds its partitions by itself (KIP-890).
pub const PRODUCE: Api = Api {
    key: 0,
    name: "Produce",
    speak: (9, 11),
    limit: 8 * MIB,
};
/// Fetch: topics by name up to 12, by id from 13 (KIP-516). The limit is set per request.
pub const FETCH: Api = Api {
    key: 1,
    name: "Fetch",
    speak: (12, 16),
    limit: 100 * MIB,
};
/// ApiVersions, asked before anything is known.
pub const API_VERSIONS: Api = Api {
    key: 18,
    name: "ApiVersions",
    speak: (0, 3),
    limit: 256 * KIB,
};

/// A request whose answer type is known.
pub trait Ask: Encodable + HeaderVersion {
    /// The API it belongs to.
    const API: Api;
    /// The answer's type.
    type Answer: Decodable + HeaderVersion;
}

macro_rules! asks {
    ($($key:literal $name:literal $request:ident $answer:ident $low:literal..=$high:literal $limit:expr;)*) => {
        $(impl Ask for $request {
            const API: Api = Api { key: $key, name: $name, speak: ($low, $high), limit: $limit };
            type Answer = $answer;
        })*
    };
}

// Versions: from what 2.8 offers to the highest whose meaning is the same for us on 4.1.
asks! {
    2 "ListOffsets" ListOffsetsRequest ListOffsetsResponse 4..=7 32 * MIB;
    3 "Metadata" MetadataRequest MetadataResponse 9..=12 32 * MIB;
    // 9 speaks of members, which we never are.
    8 "OffsetCommit" OffsetCommitRequest OffsetCommitResponse 6..=8 4 * MIB;
    // One group a request up to 7, many from 8 on.
    9 "OffsetFetch" OffsetFetchRequest OffsetFetchResponse 5..=8 32 * MIB;
    // One key a request up to 3, many from 4 on.
    10 "FindCoordinator" FindCoordinatorRequest FindCoordinatorResponse 3..=4 4 * MIB;
    12 "Heartbeat" HeartbeatRequest HeartbeatResponse 3..=4 64 * KIB;
    15 "DescribeGroups" DescribeGroupsRequest DescribeGroupsResponse 3..=5 32 * MIB;
    16 "ListGroups" ListGroupsRequest ListGroupsResponse 2..=5 32 * MIB;
    17 "SaslHandshake" SaslHandshakeRequest SaslHandshakeResponse 1..=1 64 * KIB;
    19 "CreateTopics" CreateTopicsRequest CreateTopicsResponse 5..=7 32 * MIB;
    // By name; 6 takes ids as well.
    20 "DeleteTopics" DeleteTopicsRequest DeleteTopicsResponse 4..=5 MIB;
    21 "DeleteRecords" DeleteRecordsRequest DeleteRecordsResponse 2..=2 MIB;
    22 "InitProducerId" InitProducerIdRequest InitProducerIdResponse 4..=4 64 * KIB;
    // 4 and later are for brokers: an ordinary user is refused (KIP-890).
    24 "AddPartitionsToTxn" AddPartitionsToTxnRequest AddPartitionsToTxnResponse 3..=3 4 * MIB;
    // 5 moves the epoch at each end (KIP-890); 3 behaves the same from 2.8 to 4.1.
    26 "EndTxn" EndTxnRequest EndTxnResponse 3..=3 64 * KIB;
    29 "DescribeAcls" DescribeAclsRequest DescribeAclsResponse 1..=3 32 * MIB;
    30 "CreateAcls" CreateAclsRequest CreateAclsResponse 1..=3 4 * MIB;
    31 "DeleteAcls" DeleteAclsRequest DeleteAclsResponse 1..=3 32 * MIB;
    32 "DescribeConfigs" DescribeConfigsRequest DescribeConfigsResponse 1..=4 32 * MIB;
    36 "SaslAuthenticate" SaslAuthenticateRequest SaslAuthenticateResponse 1..=2 64 * KIB;
    37 "CreatePartitions" CreatePartitionsRequest CreatePartitionsResponse 2..=3 MIB;
    44 "IncrementalAlterConfigs" IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse 0..=1 32 * MIB;
    48 "DescribeClientQuotas" DescribeClientQuotasRequest DescribeClientQuotasResponse 0..=1 32 * MIB;
    50 "DescribeUserScramCredentials" DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse 0..=0 32 * MIB;
    55 "DescribeQuorum" DescribeQuorumRequest DescribeQuorumResponse 1..=2 MIB;
    60 "DescribeCluster" DescribeClusterRequest DescribeClusterResponse 0..=0 4 * MIB;
    61 "DescribeProducers" DescribeProducersRequest DescribeProducersResponse 0..=0 32 * MIB;
    65 "DescribeTransactions" DescribeTransactionsRequest DescribeTransactionsResponse 0..=0 32 * MIB;
    66 "ListTransactions" ListTransactionsRequest ListTransactionsResponse 0..=0 32 * MIB;
    69 "ConsumerGroupDescribe" ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse 0..=1 32 * MIB;
}

/// What one broker offers.
#[derive(Debug, Clone, Default)]
pub struct Versions(HashMap<i16, (i16, i16)>);

impl FromIterator<(i16, (i16, i16))> for Versions {
    fn from_iter<I: IntoIterator<Item = (i16, (i16, i16))>>(offered: I) -> Self {
        Self(offered.into_iter().collect())
    }
}

impl Versions {
    /// What the broker offers of this API, lowest and highest.
    pub fn offered(&self, api: Api) -> Option<(i16, i16)> {
        self.0.get(&api.key).copied()
    }

    /// The highest version both sides speak.
    pub fn pick(&self, api: Api) -> Option<i16> {
        let (low, high) = self.offered(api)?;
        let version = high.min(api.speak.1);
        (version >= low.max(api.speak.0)).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_taken() {
        let versions: Versions = [(0, (0, 13)), (1, (4, 12)), (26, (4, 5)), (3, (0, 8))]
            .into_iter()
            .collect();
        assert_eq!(versions.pick(PRODUCE), Some(11));
        assert_eq!(versions.pick(FETCH), Some(12));
        assert_eq!(versions.pick(EndTxnRequest::API), None);
        assert_eq!(versions.pick(MetadataRequest::API), None);
        assert_eq!(versions.pick(DescribeProducersRequest::API), None);
    }
}
