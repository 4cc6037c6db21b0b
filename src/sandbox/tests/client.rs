//! A client that says exactly what it is told to, and batches made by hand.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
        *,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    sandbox::{
        Cluster, ClusterPlan, Plan, Sandbox,
        records::{self, Rec, put_varlong},
    },
    wire::batch::{Batch, BatchHeader, split},
};

/// A sandbox with one cluster of this plan.
pub async fn start(plan: ClusterPlan) -> (Sandbox, Cluster) {
    let plan = Plan {
        clusters: vec![plan],
        seed: 7,
    };
    let sandbox = Sandbox::start(plan).await.expect("free ports");
    let cluster = sandbox.clusters()[0].clone();
    (sandbox, cluster)
}

/// One with one broker, and the topic `t` with two partitions.
pub async fn start_one() -> (Sandbox, Cluster, Client) {
    let (sandbox, cluster) = start(ClusterPlan::new("a")).await;
    let mut client = Client::to(&cluster, 1).await;
    client.create("t", 2, &[]).await;
    (sandbox, cluster, client)
}

pub struct Client {
    stream: TcpStream,
    correlation: i32,
    pub client_id: &'static str,
}

pub fn text(from: &str) -> StrBytes {
    StrBytes::from_string(from.to_owned())
}

pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

impl Client {
    pub async fn to(cluster: &Cluster, broker: usize) -> Self {
        let bootstrap = cluster.bootstrap();
        let address = bootstrap.split(',').nth(broker - 1).expect("a broker");
        Self {
            stream: TcpStream::connect(address).await.expect("it listens"),
            correlation: 0,
            client_id: "test",
        }
    }

    pub async fn ask<R: Request>(&mut self, request: R, version: i16) -> R::Response {
        self.try_ask(request, version).await.expect("an answer")
    }

    pub async fn try_ask<R: Request>(
        &mut self,
        request: R,
        version: i16,
    ) -> io::Result<R::Response> {
        self.send(request, version).await?;
        self.receive::<R>(version).await
    }

    pub async fn send<R: Request>(&mut self, request: R, version: i16) -> io::Result<()> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text(self.client_id)));
        let mut out = BytesMut::new();
        out.put_i32(0);
        header
            .encode(&mut out, R::header_version(version))
            .expect("a header");
        request.encode(&mut out, version).expect("a request");
        let length = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&out).await
    }

    pub async fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let length = self.stream.read_u32().await?;
        let mut frame = vec![0; length as usize];
        self.stream.read_exact(&mut frame).await?;
        let mut frame = Bytes::from(frame);
        let header = R::Response::header_version(version);
        ResponseHeader::decode(&mut frame, header).expect("a header");
        let answer = R::Response::decode(&mut frame, version).expect("an answer");
        assert!(frame.is_empty(), "bytes are left after the answer");
        Ok(answer)
    }

    pub async fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let one = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(-1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![one]);
        let answer = self.ask(request, 7).await;
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
    }

    /// Produces to partition 0 of `t`; answers with the code and the offset.
    pub async fn produce(&mut self, batch: Bytes) -> (i16, i64) {
        let answer = self.produce_to("t", vec![(0, batch)], None, 9).await;
        (answer[0].error_code, answer[0].base_offset)
    }

    pub async fn produce_to(
        &mut self,
        name: &str,
        batches: Vec<(i32, Bytes)>,
        id: Option<&str>,
        version: i16,
    ) -> Vec<PartitionProduceResponse> {
        let answer = self.ask(produce(name, batches, id), version).await;
        let topic = answer.responses.into_iter().next().expect("a topic");
        topic.partition_responses
    }

    /// Fetches from partition 0 of `t` as version 12.
    pub async fn fetch(&mut self, offset: i64, committed: bool) -> PartitionData {
        let request = fetch("t", &[(0, offset)], committed);
        let answer = self.ask(request, 12).await;
        assert_eq!(answer.error_code, 0);
        answer.responses[0].partitions[0].clone()
    }

    /// All batches of partition 0 of `t`.
    pub async fn batches(&mut self) -> Vec<Batch> {
        let data = self.fetch(0, false).await;
        let batches: Result<Vec<_>, _> = split(data.records.unwrap_or_default()).collect();
        batches.expect("batches")
    }

    pub async fn init(&mut self, id: Option<&str>, had: (i64, i16)) -> (i16, i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(id.map(|id| TransactionalId(text(id))))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(had.0))
            .with_producer_epoch(had.1);
        let answer = self.ask(request, 4).await;
        (
            answer.error_code,
            *answer.producer_id,
            answer.producer_epoch,
        )
    }

    /// The next identity, asked for until markers are written.
    pub async fn init_at_last(&mut self, id: &str, had: (i64, i16)) -> (i64, i16) {
        for _ in 0..500 {
            match self.init(Some(id), had).await {
                (0, id, epoch) => return (id, epoch),
                (51, ..) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                other => panic!("refused: {other:?}"),
            }
        }
        panic!("never");
    }

    /// Adds partitions of `t`.
    pub async fn add(&mut self, id: &str, identity: (i64, i16), partitions: &[i32]) -> i16 {
        use add_partitions_to_txn_request::AddPartitionsToTxnTopic;
        let one = AddPartitionsToTxnTopic::default()
            .with_name(topic("t"))
            .with_partitions(partitions.to_vec());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(id)))
            .with_v3_and_below_producer_id(ProducerId(identity.0))
            .with_v3_and_below_producer_epoch(identity.1)
            .with_v3_and_below_topics(vec![one]);
        for _ in 0..500 {
            let answer = self.ask(request.clone(), 3).await;
            let topic = &answer.results_by_topic_v3_and_below[0];
            match topic.results_by_partition[0].partition_error_code {
                51 => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                code => return code,
            }
        }
        51
    }

    pub async fn end(&mut self, id: &str, identity: (i64, i16), commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(identity.0))
            .with_producer_epoch(identity.1)
            .with_committed(commit);
        self.ask(request, 3).await.error_code
    }

    /// The same, and waits for the markers.
    pub async fn end_at_last(&mut self, id: &str, identity: (i64, i16), commit: bool) {
        let first = self.end(id, identity, commit).await;
        assert!(first == 0 || first == 51, "{first}");
        for _ in 0..500 {
            match self.end(id, identity, commit).await {
                51 => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                0 => return,
                code => panic!("{code}"),
            }
        }
        panic!("never");
    }
}

pub fn produce(name: &str, batches: Vec<(i32, Bytes)>, id: Option<&str>) -> ProduceRequest {
    let each = batches.into_iter().map(|(index, records)| {
        PartitionProduceData::default()
            .with_index(index)
            .with_records(Some(records))
    });
    let one = TopicProduceData::default()
        .with_name(topic(name))
        .with_partition_data(each.collect());
    ProduceRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(1_000)
        .with_topic_data(vec![one])
}

pub fn fetch(name: &str, partitions: &[(i32, i64)], committed: bool) -> FetchRequest {
    let each = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
            .with_partition_max_bytes(1 << 20)
    });
    let one = FetchTopic::default()
        .with_topic(topic(name))
        .with_partitions(each.collect());
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 22)
        .with_session_epoch(-1)
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![one])
}

/// A record with this key and value.
pub fn record(offset_delta: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Rec {
    let mut rest = Vec::new();
    for part in [key, value] {
        put_varlong(&mut rest, part.map_or(-1, |part| part.len() as i64));
        rest.extend_from_slice(part.unwrap_or_default());
    }
    put_varlong(&mut rest, 0);
    Rec {
        offset_delta,
        timestamp_delta: 0,
        attributes: 0,
        key: None,
        value: None,
        rest: rest.into(),
    }
}

/// A batch's header as a careful producer writes it.
pub fn header(identity: (i64, i16), sequence: i32, count: i32, time: i64) -> BatchHeader {
    BatchHeader {
        base_offset: 0,
        batch_length: 0,
        leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: time,
        max_timestamp: time,
        producer_id: identity.0,
        producer_epoch: identity.1,
        base_sequence: sequence,
        record_count: count,
    }
}

/// So many records of a producer, written at this time.
pub fn batch_at(identity: (i64, i16), sequence: i32, count: i32, time: i64) -> Bytes {
    let each: Vec<Rec> = (0..count)
        .map(|at| {
            record(
                at.into(),
                Some(b"k"),
                Some(format!("v{sequence}+{at}").as_bytes()),
            )
        })
        .collect();
    records::seal(
        &header(identity, sequence, count, time),
        &records::write(&each),
    )
}

/// The same, written now.
pub fn batch(identity: (i64, i16), sequence: i32, count: i32) -> Bytes {
    batch_at(identity, sequence, count, crate::clock::unix_millis())
}

/// The same with the transactional bit.
pub fn transactional(identity: (i64, i16), sequence: i32, count: i32) -> Bytes {
    let time = crate::clock::unix_millis();
    let mut header = header(identity, sequence, count, time);
    header.attributes = records::TRANSACTIONAL;
    let each: Vec<Rec> = (0..count)
        .map(|at| record(at.into(), Some(b"k"), Some(b"v")))
        .collect();
    records::seal(&header, &records::write(&each))
}
