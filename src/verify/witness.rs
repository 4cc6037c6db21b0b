//! The second, independent reader of the side that copies stand on: librdkafka, which applications use, beside our own decoder.
//!
//! It sees offsets, keys, values, timestamps and their order, and checks batches' checksums itself. It never touches headers:
//! the binding panics on header names that are not UTF-8. It reads in a thread of its own, one partition after the other, and
//! is told what our decoder saw; where the two part, it says so once and skips the rest of that partition.

use tokio::sync::{mpsc, oneshot};

use super::print::Printer;
use crate::model::{connection::Connection, names::TopicPartition};

/// Records per message to the witness, and messages that may wait.
const CHUNK: usize = 256;
const WAITING: usize = 8;

/// One record as our decoder saw it: its offset, and the digest of key, value and timestamp.
pub type Seen = (i64, u128);

/// What our decoder came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// A record.
    Saw(Seen),
    /// What it passed over, from an offset to the one behind.
    Passed(i64, i64),
}

/// What the witness has to say about one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// The same, so many records.
    Agrees(u64),
    /// Something else, first at this target offset.
    Disagrees {
        /// Where.
        offset: i64,
        /// What, in words.
        detail: String,
    },
    /// It could not read.
    Unavailable(String),
}

enum Message {
    Begin {
        at: TopicPartition,
        from: i64,
        until: i64,
        thinned: bool,
    },
    Told(Vec<Told>),
    End(oneshot::Sender<Statement>),
}

/// The line to a witness's thread. Dropping it ends the thread.
pub struct Witness {
    line: mpsc::Sender<Message>,
    pending: Vec<Told>,
    /// The first offset not yet told: partitions may be read more than once, the witness reads them once.
    told: i64,
}

impl Witness {
    /// Starts a thread with a consumer; `None` without the feature `rdkafka`.
    #[cfg_attr(not(feature = "rdkafka"), allow(unused_variables))]
    pub fn start(settings: &Connection, printer: &Printer) -> Option<Self> {
        #[cfg(not(feature = "rdkafka"))]
        return None;
        #[cfg(feature = "rdkafka")]
        {
            let (line, messages) = mpsc::channel(WAITING);
            let tokens = crate::cluster::token::Lent::of(settings);
            let (settings, printer) = (settings.clone(), printer.clone());
            let thread = std::thread::Builder::new().name("witness".into());
            thread
                .spawn(move || consumer::listen(&settings, tokens, &printer, messages))
                .ok()?;
            Some(Self {
                line,
                pending: Vec::with_capacity(CHUNK),
                told: 0,
            })
        }
    }

    /// A partition begins. `thinned`: a log cleaner may remove records between our reading and its own.
    pub async fn begin(&mut self, at: &TopicPartition, from: i64, until: i64, thinned: bool) {
        self.pending.clear();
        self.told = from;
        self.say(Message::Begin {
            at: at.clone(),
            from,
            until,
            thinned,
        })
        .await;
    }

    /// Our decoder saw a record; offsets that were told before are left out.
    pub async fn saw(&mut self, seen: Seen) {
        if seen.0 < self.told {
            return;
        }
        self.told = seen.0 + 1;
        self.tell(Told::Saw(seen)).await;
    }

    /// Our decoder passed over what does not count.
    pub async fn passed(&mut self, from: i64, to: i64) {
        if to <= self.told {
            return;
        }
        let from = from.max(self.told);
        self.told = to;
        match self.pending.last_mut() {
            Some(Told::Passed(_, end)) if *end == from => *end = to,
            _ => self.tell(Told::Passed(from, to)).await,
        }
    }

    async fn tell(&mut self, told: Told) {
        self.pending.push(told);
        if self.pending.len() == CHUNK {
            let chunk = std::mem::replace(&mut self.pending, Vec::with_capacity(CHUNK));
            self.say(Message::Told(chunk)).await;
        }
    }

    /// The partition ends: what does the witness say?
    pub async fn end(&mut self) -> Statement {
        let (answer, statement) = oneshot::channel();
        let chunk = std::mem::take(&mut self.pending);
        self.say(Message::Told(chunk)).await;
        self.say(Message::End(answer)).await;
        statement
            .await
            .unwrap_or_else(|_| Statement::Unavailable("its thread ended".into()))
    }

    async fn say(&mut self, message: Message) {
        // If the thread is gone, `end` says so.
        drop(self.line.send(message).await);
    }
}

#[cfg(feature = "rdkafka")]
mod consumer {
    //! The thread with the librdkafka consumer.

    use std::time::{Duration, Instant};

    use rdkafka::{
        ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
        client::OAuthToken,
        config::RDKafkaLogLevel,
        consumer::{BaseConsumer, Consumer, ConsumerContext},
        error::KafkaError,
        message::BorrowedMessage,
    };
    use tokio::sync::mpsc;

    use super::{Message, Printer, Seen, Statement, Told};
    use crate::{
        cluster::token::Lent,
        model::{connection::Connection, names::TopicPartition},
    };

    /// Without a record for so long, reading has failed.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Keeps librdkafka's words off the terminal, and hands it tokens.
    struct Quiet(Option<Lent>);

    impl ClientContext for Quiet {
        const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

        fn generate_oauth_token(
            &self,
            _: Option<&str>,
        ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
            let lent = self.0.as_ref().ok_or("this login takes no token")?;
            let (principal_name, token) = lent.token()?;
            Ok(OAuthToken {
                token: token.value.reveal().to_owned(),
                principal_name,
                lifetime_ms: token.ends,
            })
        }

        fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
            tracing::debug!(facility, message, "librdkafka");
        }

        fn error(&self, error: KafkaError, reason: &str) {
            tracing::debug!(%error, reason, "librdkafka");
        }
    }

    impl ConsumerContext for Quiet {}

    /// Takes messages until the line is dropped.
    pub(super) fn listen(
        settings: &Connection,
        tokens: Option<Lent>,
        printer: &Printer,
        mut messages: mpsc::Receiver<Message>,
    ) {
        let consumer =
            configure(settings).create_with_context::<_, BaseConsumer<Quiet>>(Quiet(tokens));
        let mut partition: Option<Partition> = None;
        while let Some(message) = messages.blocking_recv() {
            match (message, &consumer) {
                (
                    Message::Begin {
                        at,
                        from,
                        until,
                        thinned,
                    },
                    Ok(consumer),
                ) => {
                    let mut list = TopicPartitionList::new();
                    let assigned = list
                        .add_partition_offset(&at.topic, at.partition, Offset::Offset(from))
                        .and_then(|()| consumer.assign(&list));
                    let failed = assigned
                        .err()
                        .map(|error| Statement::Unavailable(error.to_string()));
                    partition = Some(Partition {
                        at,
                        until,
                        thinned,
                        records: 0,
                        held: None,
                        is_over: false,
                        ended: failed,
                    });
                }
                (Message::Told(chunk), Ok(consumer)) => {
                    if let Some(partition) = &mut partition {
                        partition.check(consumer, printer, &chunk);
                    }
                }
                (Message::End(answer), Ok(consumer)) => {
                    let statement = partition
                        .take()
                        .map(|partition| partition.finish(consumer, printer));
                    drop(answer.send(statement.unwrap_or(Statement::Agrees(0))));
                    drop(consumer.unassign());
                }
                (Message::End(answer), Err(error)) => {
                    drop(answer.send(Statement::Unavailable(error.to_string())))
                }
                (_, Err(_)) => {}
            }
        }
    }

    struct Partition {
        at: TopicPartition,
        until: i64,
        thinned: bool,
        records: u64,
        /// A record polled, its digest taken, and not yet told of by our decoder.
        held: Option<Seen>,
        /// Its end was seen; librdkafka says so once.
        is_over: bool,
        ended: Option<Statement>,
    }

    impl Partition {
        fn check(&mut self, consumer: &BaseConsumer<Quiet>, printer: &Printer, chunk: &[Told]) {
            for told in chunk {
                if self.ended.is_some() {
                    return;
                }
                let compared = match *told {
                    Told::Saw(seen) => self.compare(consumer, printer, seen),
                    Told::Passed(from, to) => self.pass(consumer, printer, from, to),
                };
                if let Err(reason) = compared {
                    self.ended = Some(Statement::Unavailable(reason));
                }
            }
        }

        fn compare(
            &mut self,
            consumer: &BaseConsumer<Quiet>,
            printer: &Printer,
            (offset, digest): Seen,
        ) -> Result<(), String> {
            match self.next(consumer, printer)? {
                Some((at, core)) if at == offset && core == digest => self.records += 1,
                Some((at, _)) if at == offset => {
                    self.disagree(offset, "it sees another key, value or timestamp".into())
                }
                Some((at, _)) if at < offset => {
                    self.disagree(at, "it sees a record here that we do not".into())
                }
                Some(later) if self.thinned => self.held = Some(later),
                None if self.thinned => {}
                Some((at, _)) => self.disagree(
                    offset,
                    format!("it sees no record here, its next one is at {at}"),
                ),
                None => self.disagree(offset, "it sees the log end before this record".into()),
            }
            Ok(())
        }

        /// What stands from one offset up to another is looked at the other way, or by nobody.
        fn pass(
            &mut self,
            consumer: &BaseConsumer<Quiet>,
            printer: &Printer,
            from: i64,
            to: i64,
        ) -> Result<(), String> {
            while let Some((at, core)) = self.next(consumer, printer)? {
                if at >= to {
                    self.held = Some((at, core));
                    break;
                }
                if at < from {
                    self.disagree(at, "it sees a record here that we do not".into());
                    break;
                }
            }
            Ok(())
        }

        /// The next record; `None` at the end.
        fn next(
            &mut self,
            consumer: &BaseConsumer<Quiet>,
            printer: &Printer,
        ) -> Result<Option<Seen>, String> {
            if let Some(held) = self.held.take() {
                return Ok(Some(held));
            }
            if self.is_over {
                return Ok(None);
            }
            let next = self.poll(consumer)?.map(|message| {
                let time = message.timestamp().to_millis().unwrap_or(-1);
                let core = printer.core(message.key(), message.payload(), time).2;
                (message.offset(), core)
            });
            self.is_over = next.is_none();
            Ok(next)
        }

        /// Nothing may follow what our decoder saw.
        fn finish(mut self, consumer: &BaseConsumer<Quiet>, printer: &Printer) -> Statement {
            if self.ended.is_none() && !self.thinned {
                match self.next(consumer, printer) {
                    Ok(None) => {}
                    Ok(Some((offset, _))) => {
                        self.disagree(offset, "it sees a record here that we do not".into());
                    }
                    Err(reason) => self.ended = Some(Statement::Unavailable(reason)),
                }
            }
            self.ended.unwrap_or(Statement::Agrees(self.records))
        }

        fn disagree(&mut self, offset: i64, detail: String) {
            self.ended = Some(Statement::Disagrees { offset, detail });
        }

        /// The next record below the end; `None` at the end.
        fn poll<'a>(
            &self,
            consumer: &'a BaseConsumer<Quiet>,
        ) -> Result<Option<BorrowedMessage<'a>>, String> {
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                match consumer.poll(Duration::from_millis(500)) {
                    // Left over from the partition before.
                    Some(Ok(message))
                        if message.partition() != self.at.partition
                            || message.topic() != &*self.at.topic => {}
                    Some(Ok(message)) if message.offset() >= self.until => return Ok(None),
                    Some(Ok(message)) => return Ok(Some(message)),
                    Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                    Some(Err(error)) if is_passing(&error) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                    None => {}
                }
            }
            Err(format!("no record of {} within {PATIENCE:?}", self.at))
        }
    }

    /// librdkafka reports what it retries by itself, too.
    fn is_passing(error: &KafkaError) -> bool {
        use rdkafka::types::RDKafkaErrorCode::{
            AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve,
        };
        matches!(
            error.rdkafka_error_code(),
            Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve)
        )
    }

    /// The same security settings as ours, and small queues.
    fn configure(settings: &Connection) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", settings.bootstrap.join(","))
            .set("client.id", "kafka-migrate-verify")
            // Only assigned, never subscribed: the group is never joined, nothing is committed.
            .set("group.id", "kafka-migrate-verify")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            // librdkafka's default is read_committed.
            .set("isolation.level", "read_uncommitted")
            .set("check.crcs", "true")
            .set("queued.min.messages", "2000")
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.message.max.bytes", "1048576")
            .set("fetch.wait.max.ms", "100")
            // A full queue is looked at again after this long; the default is a second, for queues as small as ours far too long.
            .set("fetch.queue.backoff.ms", "5")
            .set("receive.message.max.bytes", "1000000000")
            .set("socket.keepalive.enable", "true");
        settings.login(&mut |name, value| {
            config.set(name, value);
        });
        config
    }
}
