//! Kafka requests written by hand: a witness that shares no code with the program under test, and an admin client that
//! does not need a second JVM.
//!
//! Only versions without tagged fields are used; Apache Kafka 3.9 and 4.1 both serve them.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// One plain-text connection to one broker.
pub struct Wire {
    stream: TcpStream,
    correlation: i32,
    client: &'static str,
}

/// A request's body.
#[derive(Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    pub fn i8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    pub fn i16(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    pub fn i32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    pub fn i64(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    pub fn text(self, value: &str) -> Self {
        let mut body = self.i16(i16::try_from(value.len()).expect("short text"));
        body.0.extend(value.as_bytes());
        body
    }
    pub fn no_text(self) -> Self {
        self.i16(-1)
    }
    pub fn bytes(self, value: &[u8]) -> Self {
        let mut body = self.i32(i32::try_from(value.len()).expect("less than 2 GiB"));
        body.0.extend(value);
        body
    }
}

/// An answer's body, read from the front.
pub struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.bytes[self.at..self.at + N]
            .try_into()
            .expect("the slice has N bytes");
        self.at += N;
        taken
    }
    pub fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.take())
    }
    pub fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }
    pub fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }
    pub fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }
    pub fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()).ok()?;
        self.at += length;
        Some(String::from_utf8_lossy(&self.bytes[self.at - length..self.at]).into_owned())
    }
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.i32()).ok()?;
        self.at += length;
        Some(self.bytes[self.at - length..self.at].to_vec())
    }
    /// An array's items, in order.
    pub fn array<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.i32().max(0)).map(|_| item(self)).collect()
    }
}

/// A Kafka error code, not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub i16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kafka error code {}", self.0)
    }
}

impl std::error::Error for Code {}

fn check(code: i16) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

/// A cluster as its metadata shows it.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    pub cluster_id: String,
    /// Broker id to `host:port`.
    pub brokers: BTreeMap<i32, String>,
    /// Topic to its partitions' leaders; -1 where there is none. Only topics without an error.
    pub topics: BTreeMap<String, Vec<i32>>,
    /// Topic to the brokers that are in sync, by partition.
    pub in_sync: BTreeMap<String, Vec<Vec<i32>>>,
}

/// One partition of a fetch answer.
#[derive(Debug)]
pub struct Fetched {
    pub high_watermark: i64,
    pub last_stable: i64,
    /// Producer id and first offset of aborted transactions.
    pub aborted: Vec<(i64, i64)>,
    pub records: Vec<u8>,
}

impl Wire {
    /// Connects to `host:port`.
    pub fn connect(address: &str) -> io::Result<Self> {
        let address = address.parse().map_err(io::Error::other)?;
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            correlation: 0,
            client: "test-witness",
        })
    }

    /// Under the name that brokers let write to their own topics (`AdminUtils.ADMIN_CLIENT_ID`).
    #[must_use]
    pub fn for_admin(mut self) -> Self {
        self.client = "__admin_client";
        self
    }

    /// One request, one answer.
    pub fn call(&mut self, api: i16, version: i16, body: Body) -> io::Result<Answer> {
        self.correlation += 1;
        let frame = Body::default()
            .i16(api)
            .i16(version)
            .i32(self.correlation)
            .text(self.client);
        let mut bytes = Body::default()
            .i32(i32::try_from(frame.0.len() + body.0.len()).expect("less than 2 GiB"))
            .0;
        bytes.extend(frame.0);
        bytes.extend(body.0);
        self.stream.write_all(&bytes)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut bytes)?;
        let mut answer = Answer { bytes, at: 0 };
        assert_eq!(
            answer.i32(),
            self.correlation,
            "answers come in the order of requests"
        );
        Ok(answer)
    }

    /// Metadata v2 of all topics.
    pub fn metadata(&mut self) -> io::Result<Metadata> {
        let mut answer = self.call(3, 2, Body::default().i32(-1))?;
        let brokers = answer.array(|a| {
            let (id, host, port) = (a.i32(), a.text(), a.i32());
            a.text();
            (id, format!("{}:{port}", host.unwrap_or_default()))
        });
        let cluster_id = answer.text().unwrap_or_default();
        answer.i32();
        let topics = answer.array(|a| {
            let (error, name) = (a.i16(), a.text().unwrap_or_default());
            a.i8();
            let mut partitions = a.array(|a| {
                a.i16();
                let (partition, leader) = (a.i32(), a.i32());
                a.array(Answer::i32);
                (partition, leader, a.array(Answer::i32))
            });
            partitions.sort_unstable();
            (error, name, partitions)
        });
        let mut metadata = Metadata {
            cluster_id,
            brokers: brokers.into_iter().collect(),
            ..Metadata::default()
        };
        for (_, name, partitions) in topics.into_iter().filter(|(error, ..)| *error == 0) {
            let leaders = partitions.iter().map(|(_, leader, _)| *leader);
            metadata.topics.insert(name.clone(), leaders.collect());
            let in_sync = partitions.into_iter().map(|(.., in_sync)| in_sync);
            metadata.in_sync.insert(name, in_sync.collect());
        }
        Ok(metadata)
    }

    /// CreateTopics v2.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i16,
        configs: &[(&str, &str)],
    ) -> io::Result<Result<(), Code>> {
        let mut body = Body::default()
            .i32(1)
            .text(name)
            .i32(partitions)
            .i16(replication)
            .i32(0);
        body = body.i32(i32::try_from(configs.len()).expect("few configs"));
        for (key, value) in configs {
            body = body.text(key).text(value);
        }
        let mut answer = self.call(19, 2, body.i32(30_000).i8(0))?;
        answer.i32();
        let codes = answer.array(|a| {
            a.text();
            let code = a.i16();
            a.text();
            code
        });
        Ok(check(codes[0]))
    }

    /// CreatePartitions v1: grows a topic to `partitions`.
    pub fn grow_topic(&mut self, name: &str, partitions: i32) -> io::Result<Result<(), Code>> {
        let body = Body::default()
            .i32(1)
            .text(name)
            .i32(partitions)
            .i32(-1)
            .i32(30_000)
            .i8(0);
        let mut answer = self.call(37, 1, body)?;
        answer.i32();
        let codes = answer.array(|a| {
            a.text();
            let code = a.i16();
            a.text();
            code
        });
        Ok(check(codes[0]))
    }

    /// DeleteTopics v1.
    pub fn delete_topic(&mut self, name: &str) -> io::Result<Result<(), Code>> {
        let mut answer = self.call(20, 1, Body::default().i32(1).text(name).i32(30_000))?;
        answer.i32();
        Ok(check(answer.array(|a| (a.text(), a.i16()))[0].1))
    }

    /// DeleteRecords v0: moves the log start to `before`.
    pub fn delete_records(
        &mut self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> io::Result<Result<(), Code>> {
        let body = Body::default()
            .i32(1)
            .text(topic)
            .i32(1)
            .i32(partition)
            .i64(before)
            .i32(30_000);
        let mut answer = self.call(21, 0, body)?;
        answer.i32();
        answer.i32();
        answer.text();
        answer.i32();
        answer.i32();
        answer.i64();
        Ok(check(answer.i16()))
    }

    /// DescribeConfigs v1: what is set on the topic itself; `None` where its broker decides.
    pub fn topic_setting(&mut self, topic: &str, setting: &str) -> io::Result<Option<String>> {
        let body = Body::default()
            .i32(1)
            .i8(2)
            .text(topic)
            .i32(1)
            .text(setting)
            .i8(0);
        let mut answer = self.call(32, 1, body)?;
        answer.i32();
        let mut found = answer.array(|a| {
            a.i16();
            a.text();
            a.i8();
            a.text();
            a.array(|a| {
                a.text();
                let value = a.text();
                a.i8();
                let source = a.i8();
                a.i8();
                a.array(|a| (a.text(), a.text(), a.i8()));
                // `ConfigEntry.ConfigSource`: 1 is the topic.
                value.filter(|_| source == 1)
            })
        });
        Ok(found.pop().and_then(|mut entries| entries.pop()).flatten())
    }

    /// AlterClientQuotas v0: a quota of one client id, such as `producer_byte_rate` in bytes per second; `None` removes it.
    pub fn client_quota(
        &mut self,
        client: &str,
        quota: &str,
        value: Option<f64>,
    ) -> io::Result<Result<(), Code>> {
        let body = Body::default().i32(1).i32(1).text("client-id").text(client);
        let mut body = body.i32(1).text(quota);
        body.0.extend(value.unwrap_or_default().to_be_bytes());
        let body = body.i8(i8::from(value.is_none())).i8(0);
        let mut answer = self.call(49, 0, body)?;
        answer.i32();
        let codes = answer.array(|a| {
            let code = a.i16();
            a.text();
            a.array(|entity| (entity.text(), entity.text()));
            code
        });
        Ok(check(codes[0]))
    }

    /// IncrementalAlterConfigs v0: sets one setting of a topic.
    pub fn set_topic(
        &mut self,
        topic: &str,
        key: &str,
        value: &str,
    ) -> io::Result<Result<(), Code>> {
        let body = Body::default().i32(1).i8(2).text(topic);
        let body = body.i32(1).text(key).i8(0).text(value).i8(0);
        let mut answer = self.call(44, 0, body)?;
        answer.i32();
        let codes = answer.array(|a| {
            let code = a.i16();
            a.text();
            a.i8();
            a.text();
            code
        });
        Ok(check(codes[0]))
    }

    /// ElectLeaders v1: lets a replica lead that may lack records, because no other is there.
    pub fn elect_unclean(&mut self, topic: &str, partition: i32) -> io::Result<Result<(), Code>> {
        self.elect(1, topic, partition)
    }

    /// ElectLeaders v1: lets the first of a partition's replicas lead.
    pub fn elect_preferred(&mut self, topic: &str, partition: i32) -> io::Result<Result<(), Code>> {
        self.elect(0, topic, partition)
    }

    fn elect(&mut self, kind: i8, topic: &str, partition: i32) -> io::Result<Result<(), Code>> {
        let mut answer = self.call(
            43,
            1,
            Body::default()
                .i8(kind)
                .i32(1)
                .text(topic)
                .i32(1)
                .i32(partition)
                .i32(30_000),
        )?;
        answer.i32();
        answer.i16();
        let codes = answer.array(|a| {
            a.text();
            a.array(|a| {
                a.i32();
                let code = a.i16();
                a.text();
                code
            })
        });
        Ok(check(codes.concat()[0]))
    }

    /// AlterPartitionReassignments v0: gives a partition these replicas in this order. It has no version without tagged fields; here they
    /// are empty, and the answer is read no further than to the code of the whole.
    pub fn reassign(
        &mut self,
        topic: &str,
        partition: i32,
        replicas: &[i32],
    ) -> io::Result<Result<(), Code>> {
        let compact = |body: Body, length: usize| body.i8(i8::try_from(length + 1).expect("short"));
        let mut body = Body::default().i8(0).i32(30_000).i8(2);
        body = compact(body, topic.len());
        body.0.extend(topic.as_bytes());
        body = compact(body.i8(2).i32(partition), replicas.len());
        body = replicas.iter().fold(body, |body, id| body.i32(*id));
        let mut answer = self.call(45, 0, body.i8(0).i8(0).i8(0))?;
        answer.i8();
        answer.i32();
        Ok(check(answer.i16()))
    }

    /// InitProducerId v1: the producer id and epoch of a transactional id, the next epoch each time.
    pub fn init_producer(&mut self, id: &str) -> io::Result<Result<(i64, i16), Code>> {
        let mut answer = self.call(22, 1, Body::default().text(id).i32(60_000))?;
        answer.i32();
        let code = answer.i16();
        let identity = (answer.i64(), answer.i16());
        Ok(check(code).map(|()| identity))
    }

    /// FindCoordinator v1: who looks after a transactional id, as `host:port`.
    pub fn coordinator(&mut self, id: &str) -> io::Result<Result<String, Code>> {
        let mut answer = self.call(10, 1, Body::default().text(id).i8(1))?;
        answer.i32();
        let code = answer.i16();
        answer.text();
        answer.i32();
        let host = answer.text().unwrap_or_default();
        let address = format!("{host}:{}", answer.i32());
        Ok(check(code).map(|()| address))
    }

    /// DeleteAcls v1: takes back what was denied to `principal` on a resource.
    pub fn undeny(
        &mut self,
        principal: &str,
        resource: (i8, &str, i8),
        operation: i8,
    ) -> io::Result<Result<(), Code>> {
        let (kind, name, pattern) = resource;
        let body = Body::default().i32(1).i8(kind).text(name).i8(pattern);
        let body = body.text(principal).text("*").i8(operation).i8(2);
        let mut answer = self.call(31, 1, body)?;
        answer.i32();
        answer.i32();
        Ok(check(answer.i16()))
    }

    /// CreateAcls v1: allows `operation` to `principal` on one resource; types and operations are the wire's numbers
    /// (KIP-140: resource 2 topic, 3 group, 4 cluster, 5 transactional id; pattern 3 literal, 4 prefixed).
    pub fn allow(
        &mut self,
        principal: &str,
        resource: (i8, &str, i8),
        operation: i8,
    ) -> io::Result<Result<(), Code>> {
        self.rule(principal, resource, operation, 3)
    }

    /// The same, and denies it, whatever is allowed besides.
    pub fn deny(
        &mut self,
        principal: &str,
        resource: (i8, &str, i8),
        operation: i8,
    ) -> io::Result<Result<(), Code>> {
        self.rule(principal, resource, operation, 2)
    }

    /// DescribeAcls v1: every access rule on a resource whose name begins so, one a line.
    pub fn access_rules(&mut self, beginning: &str) -> io::Result<Vec<String>> {
        let any = Body::default().i8(1).no_text().i8(1).no_text().no_text();
        let mut answer = self.call(29, 1, any.i8(1).i8(1))?;
        answer.i32();
        assert_eq!(answer.i16(), 0, "DescribeAcls is refused");
        answer.text();
        let mut found: Vec<String> = answer
            .array(|a| {
                let (kind, name, pattern) = (a.i8(), a.text().unwrap_or_default(), a.i8());
                let rules = a.array(|a| {
                    let (who, from) = (a.text(), a.text());
                    format!(
                        "{kind} {name} {pattern} {who:?} {from:?} {} {}",
                        a.i8(),
                        a.i8()
                    )
                });
                (name, rules)
            })
            .into_iter()
            .filter(|(name, _)| name.starts_with(beginning))
            .flat_map(|(_, rules)| rules)
            .collect();
        found.sort();
        Ok(found)
    }

    /// CreateAcls v1: a rule from one host.
    pub fn rule_from(
        &mut self,
        (principal, host): (&str, &str),
        (kind, name, pattern): (i8, &str, i8),
        operation: i8,
        permission: i8,
    ) -> io::Result<Result<(), Code>> {
        let body = Body::default().i32(1).i8(kind).text(name).i8(pattern);
        let body = body.text(principal).text(host);
        let mut answer = self.call(30, 1, body.i8(operation).i8(permission))?;
        answer.i32();
        Ok(check(answer.array(|a| (a.i16(), a.text()).0)[0]))
    }

    /// DeleteAcls v1: takes back what was allowed to `principal` on a resource.
    pub fn disallow(
        &mut self,
        principal: &str,
        (kind, name, pattern): (i8, &str, i8),
        operation: i8,
    ) -> io::Result<Result<(), Code>> {
        let body = Body::default().i32(1).i8(kind).text(name).i8(pattern);
        let body = body.text(principal).text("*").i8(operation).i8(3);
        let mut answer = self.call(31, 1, body)?;
        answer.i32();
        answer.i32();
        Ok(check(answer.i16()))
    }

    /// IncrementalAlterConfigs v0: gives one setting of a topic back to its broker.
    pub fn unset_topic(&mut self, topic: &str, key: &str) -> io::Result<Result<(), Code>> {
        let body = Body::default().i32(1).i8(2).text(topic);
        let body = body.i32(1).text(key).i8(1).no_text().i8(0);
        let mut answer = self.call(44, 0, body)?;
        answer.i32();
        Ok(check(answer.array(|a| a.i16())[0]))
    }

    fn rule(
        &mut self,
        principal: &str,
        resource: (i8, &str, i8),
        operation: i8,
        permission: i8,
    ) -> io::Result<Result<(), Code>> {
        let (kind, name, pattern) = resource;
        let body = Body::default()
            .i32(1)
            .i8(kind)
            .text(name)
            .i8(pattern)
            .text(principal)
            .text("*")
            .i8(operation)
            .i8(permission);
        let mut answer = self.call(30, 1, body)?;
        answer.i32();
        let codes = answer.array(|a| {
            let code = a.i16();
            a.text();
            code
        });
        Ok(check(codes[0]))
    }

    /// ListOffsets v1 of partitions this broker leads: -1 the end, -2 the start. In the order of the answer.
    pub fn offsets(
        &mut self,
        topic: &str,
        partitions: &[i32],
        at: i64,
    ) -> io::Result<Vec<(i32, Result<i64, Code>)>> {
        let count = i32::try_from(partitions.len()).expect("few partitions");
        let body = Body::default().i32(-1).i32(1).text(topic).i32(count);
        let body = partitions
            .iter()
            .fold(body, |body, partition| body.i32(*partition).i64(at));
        let mut answer = self.call(2, 1, body)?;
        answer.i32();
        answer.text();
        Ok(answer.array(|a| {
            let (partition, code) = (a.i32(), a.i16());
            a.i64();
            let offset = a.i64();
            (partition, check(code).map(|()| offset))
        }))
    }

    /// The same of one partition.
    pub fn offset(
        &mut self,
        topic: &str,
        partition: i32,
        at: i64,
    ) -> io::Result<Result<i64, Code>> {
        Ok(self.offsets(topic, &[partition], at)?.remove(0).1)
    }

    /// Fetch v4 of one partition; without waiting.
    pub fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
        committed_only: bool,
        max_bytes: i32,
    ) -> io::Result<Result<Fetched, Code>> {
        let body = Body::default()
            .i32(-1)
            .i32(0)
            .i32(0)
            .i32(max_bytes)
            .i8(i8::from(committed_only));
        let body = body
            .i32(1)
            .text(topic)
            .i32(1)
            .i32(partition)
            .i64(from)
            .i32(max_bytes);
        let mut answer = self.call(1, 4, body)?;
        answer.i32();
        let topics = answer.i32();
        if topics != 1 {
            return Ok(Err(Code(-1)));
        }
        answer.text();
        answer.i32();
        answer.i32();
        let code = answer.i16();
        let (high_watermark, last_stable) = (answer.i64(), answer.i64());
        let aborted = answer.array(|a| (a.i64(), a.i64()));
        let records = answer.bytes().unwrap_or_default();
        Ok(check(code).map(|()| Fetched {
            high_watermark,
            last_stable,
            aborted,
            records,
        }))
    }

    /// Produce v7 of one batch (zstd needs it), acks=all, no transactional id; answers the base offset.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: &[u8],
    ) -> io::Result<Result<i64, Code>> {
        let body = Body::default().no_text().i16(-1).i32(30_000);
        let body = body.i32(1).text(topic).i32(1).i32(partition).bytes(batch);
        let mut answer = self.call(0, 7, body)?;
        answer.i32();
        answer.text();
        answer.i32();
        answer.i32();
        let code = answer.i16();
        let offset = answer.i64();
        Ok(check(code).map(|()| offset))
    }
}
