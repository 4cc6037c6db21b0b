//! A connection that says exactly what it is told to, and the few requests that every rule needs.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        metadata_request::MetadataRequestTopic,
        metadata_response::MetadataResponseTopic,
        *,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};

use super::{ADMIN, World, codes::*, password};

pub struct Line {
    stream: TcpStream,
    correlation: i32,
}

pub fn text(from: &str) -> StrBytes {
    StrBytes::from_string(from.to_owned())
}

pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Codes that say "not yet" and no more: a leader or coordinator that is about to be, a marker that is about to be written.
fn not_yet(code: i16) -> bool {
    [
        LEADER_NOT_AVAILABLE,
        NOT_LEADER_OR_FOLLOWER,
        COORDINATOR_LOAD_IN_PROGRESS,
        COORDINATOR_NOT_AVAILABLE,
        NOT_COORDINATOR,
        CONCURRENT_TRANSACTIONS,
    ]
    .contains(&code)
}

/// Asks until the answer's code is none of these; ten seconds at most.
pub fn patiently<T>(mut ask: impl FnMut() -> T, code: impl Fn(&T) -> i16) -> T {
    for _ in 0..1000 {
        let answer = ask();
        if !not_yet(code(&answer)) {
            return answer;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("it is not ready after ten seconds");
}

/// What is seen when it is as wanted, or after ten seconds: brokers follow their controller, and readers of groups the log, in their
/// own time.
pub fn settled<T>(mut look: impl FnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    for _ in 0..2000 {
        let seen = look();
        if wanted(&seen) {
            return seen;
        }
        sleep(Duration::from_millis(5));
    }
    look()
}

impl Line {
    /// A connection that may do everything.
    pub fn to(world: &World) -> Self {
        let mut line = Self::silent(world);
        if world.guarded {
            line.log_in(ADMIN);
        }
        line
    }

    /// A connection of somebody who logged in.
    pub fn of(world: &World, user: &str) -> Self {
        let mut line = Self::silent(world);
        line.log_in(user);
        line
    }

    /// A connection to the broker of this id.
    pub fn at(world: &World, broker: i32) -> Self {
        Self::connected(&world.brokers[broker as usize - 1])
    }

    /// A connection on which nothing was said.
    pub fn silent(world: &World) -> Self {
        Self::connected(&world.brokers[0])
    }

    /// A connection to whoever coordinates this group (0) or transactional id (1), once somebody does.
    pub fn to_coordinator(world: &World, kind: i8, key: &str) -> Self {
        let mut line = Self::to(world);
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_key(text(key));
        let found = patiently(|| line.ask(3, &request), |answer| answer.error_code);
        Self::connected(&format!("{}:{}", &*found.host, found.port))
    }

    /// A transactional id that broker 1 coordinates, which is never stopped; and a connection to it.
    pub fn to_first(world: &World) -> (Self, String) {
        let first = (0..200).find_map(|_| {
            let id = world.unique("txn");
            let line = Self::to_coordinator(world, 1, &id);
            let port = line.stream.peer_addr().expect("it is connected").port();
            let wanted = world.brokers[0].ends_with(&format!(":{port}"));
            wanted.then_some((line, id))
        });
        first.expect("broker 1 coordinates some of the ids")
    }

    fn connected(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a broker that listens");
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self {
            stream,
            correlation: 0,
        }
    }

    fn log_in(&mut self, user: &str) {
        let mechanism = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
        assert_eq!(self.ask(1, &mechanism).error_code, NONE, "PLAIN is offered");
        let token = format!("\0{user}\0{}", password(user));
        let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into_bytes().into());
        let answer = self.ask(2, &request);
        assert_eq!(answer.error_code, NONE, "{user} is let in");
    }

    /// A connection, and a topic of its own with so many partitions.
    pub fn with_topic(world: &World, partitions: i32) -> (Self, String) {
        let mut line = Self::to(world);
        let name = world.unique("rule");
        line.create(&name, partitions, &[]);
        (line, name)
    }

    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.try_ask(version, request).expect("an answer")
    }

    pub fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        self.send(version, request)?;
        self.receive::<R>(version)
    }

    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.send_as(version, version, request)
    }

    /// Says that it is of one version and is of another.
    pub fn send_as<R: Request>(&mut self, said: i16, version: i16, request: &R) -> io::Result<()> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(said)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text("rules")));
        let mut out = BytesMut::new();
        out.put_i32(0);
        let mut write = || {
            header.encode(&mut out, R::header_version(version))?;
            request.encode(&mut out, version)
        };
        write().expect("a request that can be written");
        let length = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&out)
    }

    /// Sends bytes behind their length, and no request around them.
    pub fn send_frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = (bytes.len() as u32).to_be_bytes();
        self.stream.write_all(&[&length[..], bytes].concat())
    }

    /// What comes next, without its length.
    pub fn receive_frame(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    pub fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let mut frame = self.receive_frame()?;
        let header = R::Response::header_version(version);
        ResponseHeader::decode(&mut frame, header).expect("a header");
        let answer = R::Response::decode(&mut frame, version).expect("an answer");
        assert!(frame.is_empty(), "bytes are left after the answer");
        Ok(answer)
    }

    /// Makes a topic; answers with the code.
    pub fn try_create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> i16 {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let one = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one]);
        self.ask(7, &request).topics[0].error_code
    }

    /// Makes a topic and waits until it can be used.
    pub fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let made = self.try_create(name, partitions, configs);
        assert_eq!(made, NONE, "topic {name} is not made");
        for partition in 0..partitions {
            let asked = super::batches::fetch(name, &[(partition, 0)], false);
            let mut code = UNKNOWN_TOPIC_OR_PARTITION;
            for _ in 0..500 {
                let answer = self.ask(12, &asked);
                code = answer.responses[0].partitions[0].error_code;
                if code == NONE {
                    break;
                }
                sleep(Duration::from_millis(5));
            }
            assert_eq!(code, NONE, "topic {name} has no leader");
        }
    }

    /// A topic of its own with one partition on these brokers, the first of which leads it.
    pub fn create_on(world: &World, replicas: &[i32], configs: &[(&str, &str)]) -> String {
        let name = world.unique("rule");
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let ids = replicas.iter().map(|id| BrokerId(*id));
        let assigned = CreatableReplicaAssignment::default()
            .with_partition_index(0)
            .with_broker_ids(ids.collect());
        let one = CreatableTopic::default()
            .with_name(topic(&name))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![assigned])
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one]);
        let made = Self::to(world).ask(7, &request);
        assert_eq!(made.topics[0].error_code, NONE, "topic {name} is not made");
        drop(Self::leading(world, &name, replicas[0]));
        name
    }

    /// A connection to this broker, once it leads the topic.
    pub fn leading(world: &World, name: &str, broker: i32) -> Self {
        let mut line = Self::at(world, broker);
        let request = super::moved::end_of(name, -1, 0);
        let look = || line.ask(4, &request).topics[0].partitions[0].error_code;
        let seen = settled(look, |seen| {
            *seen != NOT_LEADER_OR_FOLLOWER && *seen != UNKNOWN_TOPIC_OR_PARTITION
        });
        assert_eq!(seen, NONE, "{broker} does not lead {name}");
        line
    }

    /// Deletes what lies before this offset of partition 0: the code and the new start.
    pub fn delete_records(&mut self, name: &str, before: i64) -> (i16, i64) {
        let one = DeleteRecordsPartition::default()
            .with_partition_index(0)
            .with_offset(before);
        let one = DeleteRecordsTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![one]);
        let request = DeleteRecordsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one]);
        let answer = self.ask(2, &request);
        let one = &answer.topics[0].partitions[0];
        (one.error_code, one.low_watermark)
    }

    /// What Metadata says of one topic.
    pub fn describe(&mut self, name: &str) -> MetadataResponseTopic {
        let one = MetadataRequestTopic::default().with_name(Some(topic(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![one]))
            .with_allow_auto_topic_creation(false);
        self.ask(12, &request).topics.remove(0)
    }
}

/// Waits until both kinds of coordinators have begun.
pub fn wait_until_ready(world: &World) {
    let mut line = Line::to(world);
    for kind in [0, 1] {
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_key(text(&world.unique("first")));
        patiently(|| line.ask(3, &request), |answer| answer.error_code);
    }
    let name = world.unique("first");
    if world.brokers.len() > 1 {
        line = Line::to_coordinator(world, 0, &name);
    }
    let request = HeartbeatRequest::default().with_group_id(GroupId(text(&name)));
    patiently(|| line.ask(3, &request), |answer| answer.error_code);
}
