//! Which error codes retry, which refresh leaders, which leave the outcome unknown, which end the partition.

use kafka_protocol::error::ResponseError;

/// What a broker's error code means for a produce request of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProduceVerdict {
    /// Appended now, or before under the same sequence.
    Appended,
    /// Not appended; send the same again, after asking who leads if `refresh`.
    Retry {
        /// Ask who leads first.
        refresh: bool,
    },
    /// May or may not be appended.
    Unknown,
    /// The sequence or the epoch is not what we believe (45, 47, and the transactional refusals never
    /// expected on the data path): the identity has to be looked at.
    Identity,
    /// This batch will never be accepted, or this partition is closed to us: the partition stops.
    Refused,
}

/// Reads a code in a produce answer.
///
/// Sources: `ReplicaManager.appendToLocalLog`, `LogValidator`, `ProducerAppendInfo`, `KafkaApis.handleProduceRequest`.
pub fn produce_verdict(code: i16) -> ProduceVerdict {
    use ProduceVerdict::{Appended, Identity, Refused, Retry, Unknown};
    match code {
        0 => Appended,
        // Checked before the append, and only the leader can say otherwise: UNKNOWN_TOPIC_OR_PARTITION right after a topic was
        // created or while a broker catches up with metadata, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER,
        // REPLICA_NOT_AVAILABLE, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, LISTENER_NOT_FOUND, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID.
        3 | 5 | 6 | 9 | 72 | 74 | 75 | 100 | 103 => Retry { refresh: true },
        // Checked before the append and cured by waiting: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR,
        // NOT_ENOUGH_REPLICAS, CONCURRENT_TRANSACTIONS (transaction checks come before the append), THROTTLING_QUOTA_EXCEEDED.
        14 | 15 | 16 | 19 | 51 | 89 => Retry { refresh: false },
        // The batch is in the leader's log, or may be: REQUEST_TIMED_OUT (replication was not awaited),
        // NOT_ENOUGH_REPLICAS_AFTER_APPEND, NETWORK_EXCEPTION, KAFKA_STORAGE_ERROR (the disk failed in the middle),
        // DUPLICATE_SEQUENCE_NUMBER (appended before, but the answer does not say where; brokers of today answer success instead).
        7 | 13 | 20 | 46 | 56 => Unknown,
        // OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED, UNKNOWN_PRODUCER_ID: somebody else wrote, or
        // the log is not the one we know. INVALID_TXN_STATE, INVALID_PRODUCER_ID_MAPPING, TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        // TRANSACTION_COORDINATOR_FENCED, TRANSACTIONAL_ID_NOT_FOUND, TRANSACTION_ABORTABLE: answers to a transactional batch, which we never send.
        45 | 47 | 48 | 49 | 52 | 53 | 59 | 90 | 105 | 120 => Identity,
        // UNKNOWN_SERVER_ERROR: on produce it is a batch the broker cannot rebuild (compressed batches with holes); nothing was
        // appended, and sending it again for ever helps nobody. CORRUPT_MESSAGE: the batch is damaged, on the
        // source or on its way. MESSAGE_TOO_LARGE, INVALID_TOPIC, RECORD_LIST_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED,
        // INVALID_TIMESTAMP, UNSUPPORTED_VERSION, UNSUPPORTED_FOR_MESSAGE_FORMAT, INVALID_REQUIRED_ACKS, INVALID_REQUEST, POLICY_VIOLATION,
        // UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD.
        -1 | 2 | 10 | 17 | 18 | 21 | 29 | 31 | 32 | 35 | 42 | 43 | 44 | 76 | 87 => Refused,
        // No produce answer carries any other code. Whatever a newer broker means by it, stopping loses nothing.
        _ => Refused,
    }
}

/// What a broker's error code means for a question, or for a command that may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadVerdict {
    /// Answered.
    Fine,
    /// Ask again after a pause, and first who leads (or coordinates) if `refresh`.
    Retry {
        /// Ask who leads, or who coordinates, first.
        refresh: bool,
    },
    /// The offset is not in the log: retention passed it, or the log was truncated.
    OutOfRange,
    /// Asking again gives the same answer.
    Fatal,
}

/// Reads a code in the answer to a metadata, offset, fetch, admin or transaction request.
pub fn read_verdict(code: i16) -> ReadVerdict {
    use ReadVerdict::{Fatal, Fine, OutOfRange, Retry};
    match code {
        0 => Fine,
        1 => OutOfRange,
        // Somebody else can answer, or this broker will once its metadata is fresh: UNKNOWN_TOPIC_OR_PARTITION (after
        // creation; callers bound how long they believe that), LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, BROKER_NOT_AVAILABLE,
        // REPLICA_NOT_AVAILABLE, NETWORK_EXCEPTION, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, NOT_CONTROLLER, KAFKA_STORAGE_ERROR
        // (the leader moves off a failed disk), LISTENER_NOT_FOUND, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, UNKNOWN_TOPIC_ID,
        // INCONSISTENT_TOPIC_ID.
        3 | 5 | 6 | 8 | 9 | 13 | 15 | 16 | 41 | 56 | 72 | 74 | 75 | 100 | 103 => {
            Retry { refresh: true }
        }
        // The same broker can answer in a moment: CORRUPT_MESSAGE (the fetch was damaged on the way), REQUEST_TIMED_OUT, COORDINATOR_LOAD_IN_PROGRESS,
        // NOT_ENOUGH_REPLICAS (transaction log), NOT_ENOUGH_REPLICAS_AFTER_APPEND (the same command again is harmless), CONCURRENT_TRANSACTIONS,
        // OPERATION_NOT_ATTEMPTED (another partition of the request failed), REASSIGNMENT_IN_PROGRESS, OFFSET_NOT_AVAILABLE
        // (a fresh leader that does not know its high watermark yet), PREFERRED_LEADER_NOT_AVAILABLE, UNSTABLE_OFFSET_COMMIT, THROTTLING_QUOTA_EXCEEDED.
        2 | 7 | 14 | 19 | 20 | 51 | 55 | 60 | 78 | 80 | 88 | 89 => Retry { refresh: false },
        // FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR: the fetcher opens a new session
        // itself; outside a session they cannot come.
        70 | 71 | 106 => Retry { refresh: false },
        // Rights, unknown versions, policies, fenced producers, everything a newer broker may add: a person has to know.
        _ => Fatal,
    }
}

/// What a broker's error code means for the commit of a position by who is no member of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitVerdict {
    /// It stands.
    Committed,
    /// The group has members, and takes commits from them alone.
    Active,
    /// Commit again after a pause, and first ask who coordinates.
    Retry,
    /// Committing again gives the same answer.
    Refused,
}

/// Reads a code in the answer to a commit without a member.
///
/// Sources: `OffsetMetadataManager.validateOffsetCommit`, `ClassicGroup.validateOffsetCommit`, `ConsumerGroup.validateOffsetCommit`.
pub fn commit_verdict(code: i16) -> CommitVerdict {
    match code {
        // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH, STALE_MEMBER_EPOCH: whatever is
        // wrong with a member that we are not, there are some.
        22 | 25 | 27 | 82 | 110 | 113 => CommitVerdict::Active,
        // A read that was refused so while a transaction is open; a commit is not.
        88 => CommitVerdict::Refused,
        _ => match read_verdict(code) {
            ReadVerdict::Fine => CommitVerdict::Committed,
            ReadVerdict::Retry { .. } => CommitVerdict::Retry,
            ReadVerdict::OutOfRange | ReadVerdict::Fatal => CommitVerdict::Refused,
        },
    }
}

/// Is this code an answer about rights (authorisation of a topic, group, cluster or transactional id)?
pub fn is_authorization(code: i16) -> bool {
    matches!(code, 29 | 30 | 31 | 53 | 65)
}

/// The code's name as Apache Kafka's `Errors` has it, with its number.
pub fn describe(code: i16) -> String {
    let camel = match ResponseError::try_from_code(code) {
        None if code == 0 => return "NONE (0)".into(),
        None | Some(ResponseError::Unknown(_)) => return format!("error code {code}"),
        Some(error) => format!("{error:?}"),
    };
    let mut name = String::with_capacity(camel.len() + 8);
    for (index, letter) in camel.chars().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            break;
        }
        if letter.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    format!("{name} ({code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_produce_code_is_classified_on_purpose() {
        let of = |wanted: ProduceVerdict| {
            (-1..=130)
                .filter(|&code| produce_verdict(code) == wanted)
                .collect::<Vec<i16>>()
        };
        assert_eq!(of(ProduceVerdict::Appended), [0]);
        assert_eq!(
            of(ProduceVerdict::Retry { refresh: true }),
            [3, 5, 6, 9, 72, 74, 75, 100, 103]
        );
        assert_eq!(
            of(ProduceVerdict::Retry { refresh: false }),
            [14, 15, 16, 19, 51, 89]
        );
        assert_eq!(of(ProduceVerdict::Unknown), [7, 13, 20, 46, 56]);
        assert_eq!(
            of(ProduceVerdict::Identity),
            [45, 47, 48, 49, 52, 53, 59, 90, 105, 120]
        );
        assert_eq!(of(ProduceVerdict::Refused).len(), 132 - 1 - 9 - 6 - 5 - 10);
    }

    #[test]
    fn every_read_code_is_classified_on_purpose() {
        let of = |wanted: ReadVerdict| {
            (-1..=130)
                .filter(|&code| read_verdict(code) == wanted)
                .collect::<Vec<i16>>()
        };
        assert_eq!(of(ReadVerdict::Fine), [0]);
        assert_eq!(of(ReadVerdict::OutOfRange), [1]);
        assert_eq!(
            of(ReadVerdict::Retry { refresh: true }),
            [3, 5, 6, 8, 9, 13, 15, 16, 41, 56, 72, 74, 75, 100, 103]
        );
        assert_eq!(
            of(ReadVerdict::Retry { refresh: false }),
            [2, 7, 14, 19, 20, 51, 55, 60, 70, 71, 78, 80, 88, 89, 106]
        );
    }

    #[test]
    fn a_commit_into_a_group_with_members_is_told_from_trouble() {
        let of = |wanted: CommitVerdict| {
            (-1..=130)
                .filter(|&code| commit_verdict(code) == wanted)
                .collect::<Vec<i16>>()
        };
        assert_eq!(of(CommitVerdict::Committed), [0]);
        assert_eq!(of(CommitVerdict::Active), [22, 25, 27, 82, 110, 113]);
        // Unknown, too large metadata, rights, a group of another kind.
        for code in [-1, 12, 24, 28, 29, 30, 69, 88] {
            assert_eq!(commit_verdict(code), CommitVerdict::Refused, "{code}");
        }
        for code in [3, 7, 13, 14, 15, 16] {
            assert_eq!(commit_verdict(code), CommitVerdict::Retry, "{code}");
        }
    }

    #[test]
    fn codes_have_kafkas_names() {
        assert_eq!(describe(6), "NOT_LEADER_OR_FOLLOWER (6)");
        assert_eq!(describe(58), "SASL_AUTHENTICATION_FAILED (58)");
        assert_eq!(describe(12_345), "error code 12345");
        assert_eq!(describe(0), "NONE (0)");
    }
}
