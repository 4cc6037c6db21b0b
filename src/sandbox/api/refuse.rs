//! Answers with an error code that a fault demands, without any effect.

use kafka_protocol::{messages::*, protocol::Request};

/// A request that can be answered with nothing but an error code.
pub trait Refuse: Request {
    /// The answer.
    fn refuse(&self, version: i16, code: i16) -> Self::Response;
}

/// Answers with a code of their own.
macro_rules! top_level {
    ($($request:ident $answer:ident;)*) => {
        $(impl Refuse for $request {
            fn refuse(&self, _: i16, code: i16) -> $answer {
                $answer::default().with_error_code(code)
            }
        })*
    };
}

top_level! {
    ApiVersionsRequest ApiVersionsResponse;
    FetchRequest FetchResponse;
    InitProducerIdRequest InitProducerIdResponse;
    AddOffsetsToTxnRequest AddOffsetsToTxnResponse;
    EndTxnRequest EndTxnResponse;
    DescribeClusterRequest DescribeClusterResponse;
    ListTransactionsRequest ListTransactionsResponse;
    DescribeClientQuotasRequest DescribeClientQuotasResponse;
    DescribeQuorumRequest DescribeQuorumResponse;
    DescribeLogDirsRequest DescribeLogDirsResponse;
}

impl Refuse for FindCoordinatorRequest {
    fn refuse(&self, version: i16, code: i16) -> FindCoordinatorResponse {
        use find_coordinator_response::Coordinator;
        let keys = self.coordinator_keys.iter();
        let keys = keys.map(|key| {
            Coordinator::default()
                .with_key(key.clone())
                .with_error_code(code)
        });
        let answer = FindCoordinatorResponse::default();
        if version < 4 {
            answer.with_error_code(code)
        } else {
            answer.with_coordinators(keys.collect())
        }
    }
}

impl Refuse for MetadataRequest {
    fn refuse(&self, _: i16, code: i16) -> MetadataResponse {
        use metadata_response::MetadataResponseTopic;
        let topics = self.topics.iter().flatten().map(|topic| {
            MetadataResponseTopic::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_error_code(code)
        });
        MetadataResponse::default().with_topics(topics.collect())
    }
}

impl Refuse for ProduceRequest {
    fn refuse(&self, _: i16, code: i16) -> ProduceResponse {
        use produce_response::{PartitionProduceResponse, TopicProduceResponse};
        let topics = self.topic_data.iter().map(|topic| {
            let each = topic.partition_data.iter().map(|one| {
                PartitionProduceResponse::default()
                    .with_index(one.index)
                    .with_error_code(code)
                    .with_base_offset(-1)
            });
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_partition_responses(each.collect())
        });
        ProduceResponse::default().with_responses(topics.collect())
    }
}

impl Refuse for ListOffsetsRequest {
    fn refuse(&self, _: i16, code: i16) -> ListOffsetsResponse {
        use list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
        let topics = self.topics.iter().map(|topic| {
            let each = topic.partitions.iter().map(|one| {
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(one.partition_index)
                    .with_error_code(code)
            });
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(each.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }
}

impl Refuse for OffsetForLeaderEpochRequest {
    fn refuse(&self, _: i16, code: i16) -> OffsetForLeaderEpochResponse {
        use offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
        let topics = self.topics.iter().map(|topic| {
            let each = topic.partitions.iter().map(|one| {
                EpochEndOffset::default()
                    .with_partition(one.partition)
                    .with_error_code(code)
            });
            OffsetForLeaderTopicResult::default()
                .with_topic(topic.topic.clone())
                .with_partitions(each.collect())
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    }
}

impl Refuse for AddPartitionsToTxnRequest {
    fn refuse(&self, _: i16, code: i16) -> AddPartitionsToTxnResponse {
        use add_partitions_to_txn_response::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
        };
        let topics = self.v3_and_below_topics.iter().map(|topic| {
            let each = topic.partitions.iter().map(|one| {
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(*one)
                    .with_partition_error_code(code)
            });
            AddPartitionsToTxnTopicResult::default()
                .with_name(topic.name.clone())
                .with_results_by_partition(each.collect())
        });
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics.collect())
    }
}

impl Refuse for TxnOffsetCommitRequest {
    fn refuse(&self, _: i16, code: i16) -> TxnOffsetCommitResponse {
        use txn_offset_commit_response::{
            TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
        };
        let topics = self.topics.iter().map(|topic| {
            let each = topic.partitions.iter().map(|one| {
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(one.partition_index)
                    .with_error_code(code)
            });
            TxnOffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(each.collect())
        });
        TxnOffsetCommitResponse::default().with_topics(topics.collect())
    }
}

impl Refuse for CreateTopicsRequest {
    fn refuse(&self, _: i16, code: i16) -> CreateTopicsResponse {
        use create_topics_response::CreatableTopicResult;
        let topics = self.topics.iter().map(|topic| {
            CreatableTopicResult::default()
                .with_name(topic.name.clone())
                .with_error_code(code)
        });
        CreateTopicsResponse::default().with_topics(topics.collect())
    }
}

impl Refuse for DeleteTopicsRequest {
    fn refuse(&self, _: i16, code: i16) -> DeleteTopicsResponse {
        use delete_topics_response::DeletableTopicResult;
        let by_name = self.topic_names.iter().cloned().map(Some);
        let names = by_name.chain(self.topics.iter().map(|topic| topic.name.clone()));
        let each = names.map(|name| {
            DeletableTopicResult::default()
                .with_name(name)
                .with_error_code(code)
        });
        DeleteTopicsResponse::default().with_responses(each.collect())
    }
}

impl Refuse for CreatePartitionsRequest {
    fn refuse(&self, _: i16, code: i16) -> CreatePartitionsResponse {
        use create_partitions_response::CreatePartitionsTopicResult;
        let topics = self.topics.iter().map(|topic| {
            CreatePartitionsTopicResult::default()
                .with_name(topic.name.clone())
                .with_error_code(code)
        });
        CreatePartitionsResponse::default().with_results(topics.collect())
    }
}

impl Refuse for DeleteRecordsRequest {
    fn refuse(&self, _: i16, code: i16) -> DeleteRecordsResponse {
        use delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
        let topics = self.topics.iter().map(|topic| {
            let each = topic.partitions.iter().map(|one| {
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(one.partition_index)
                    .with_error_code(code)
            });
            DeleteRecordsTopicResult::default()
                .with_name(topic.name.clone())
                .with_partitions(each.collect())
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    }
}
