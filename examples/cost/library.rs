//! A copier as it is written in an hour on a client library: consumed records are produced to the same partition, and the library puts them
//! together anew. Librdkafka with its defaults, but for an idempotent producer and the source's codec.

use std::{
    io,
    sync::Mutex,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};

use super::support::raw::Wire;

/// For one more record, or for the last to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first record that was not taken.
#[derive(Default)]
struct Refused(Mutex<Option<KafkaError>>);

impl ClientContext for Refused {}

impl ProducerContext for Refused {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut first = self.0.lock().expect("nobody panics with this lock");
            first.get_or_insert_with(|| error.clone());
        }
    }
}

/// Copies a topic from its start to the end it has now; both sides are one broker each.
pub fn copy(source: &str, target: &str, topic: &str, codec: &str) -> io::Result<()> {
    let mut wire = Wire::connect(source)?;
    let count = wire.metadata()?.topics.get(topic).map_or(0, Vec::len);
    let all: Vec<i32> = (0..i32::try_from(count).map_err(io::Error::other)?).collect();
    let mut ends = vec![0; count];
    let mut assigned = TopicPartitionList::new();
    for (partition, end) in wire.offsets(topic, &all, -1)? {
        ends[partition as usize] = end.map_err(io::Error::other)?;
        let added = assigned.add_partition_offset(topic, partition, Offset::Beginning);
        added.map_err(io::Error::other)?;
    }
    let mut left = ends.iter().filter(|end| **end > 0).count();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", source)
        .set("group.id", "cost")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(io::Error::other)?;
    consumer.assign(&assigned).map_err(io::Error::other)?;
    let producer: ThreadedProducer<Refused> = ClientConfig::new()
        .set("bootstrap.servers", target)
        .set("enable.idempotence", "true")
        .set("compression.codec", codec)
        .create_with_context(Refused::default())
        .map_err(io::Error::other)?;
    while left > 0 {
        let message = consumer.poll(PATIENCE).ok_or(io::ErrorKind::TimedOut)?;
        let message = message.map_err(io::Error::other)?;
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(message.partition());
        record.key = message.key();
        record.payload = message.payload();
        record.timestamp = message.timestamp().to_millis();
        record.headers = message.headers().map(|headers| headers.detach());
        send(&producer, record)?;
        left -= usize::from(message.offset() + 1 == ends[message.partition() as usize]);
    }
    producer.flush(PATIENCE).map_err(io::Error::other)?;
    let refused = &producer.context().0;
    let first = refused.lock().expect("nobody panics with this lock").take();
    first.map_or(Ok(()), |error| Err(io::Error::other(error)))
}

/// Waits while the library has as much to send as it takes.
fn send(
    producer: &ThreadedProducer<Refused>,
    mut record: BaseRecord<'_, [u8], [u8]>,
) -> io::Result<()> {
    let began = Instant::now();
    while let Err((error, again)) = producer.send(record) {
        let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
        if !is_full || began.elapsed() > PATIENCE {
            return Err(io::Error::other(error));
        }
        record = again;
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
