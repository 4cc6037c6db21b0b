//! Batches of a plot's own choosing: which records stand in one, how old they are, and when they come.

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::scene::{COMPACTED, DAYS, LIMIT, LOST, PLOTTED, Scene, now_ms};
use crate::support::Dice;

/// Writes batches of its own choosing to the partition that plots are about.
pub struct Writer {
    producer: BaseProducer,
    dice: Dice,
    count: u64,
}

/// Of a record, by its own time.
#[derive(Clone, Copy)]
pub enum Age {
    Fresh,
    Old,
}

impl Writer {
    /// Of this side.
    pub fn new(scene: &Scene, side: &str) -> Self {
        let mut config = scene.config(side);
        // A batch is what stands between two flushes.
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "15");
        Self {
            producer: config.create().expect("a producer can be made"),
            dice: Dice::new(scene.seed ^ 3),
            count: 0,
        }
    }

    /// One batch of records of these ages, with so many bytes that nothing can make less of.
    pub fn put(&mut self, ages: &[Age], bytes: usize) {
        for age in ages {
            let mut value = format!("plotted-{}-", self.count).into_bytes();
            self.count += 1;
            while value.len() < bytes {
                value.extend(self.dice.bits().to_le_bytes());
            }
            let ago = match age {
                Age::Fresh => 0,
                Age::Old => DAYS,
            };
            let record: BaseRecord<'_, str, Vec<u8>> = BaseRecord::to(PLOTTED)
                .partition(0)
                .payload(&value)
                .timestamp(now_ms() - ago);
            self.producer.send(record).expect("there is room");
        }
        self.flush();
    }

    /// One batch of records with these keys, to the topic that is compacted.
    pub fn put_keys(&mut self, keys: &str) {
        for key in keys.chars() {
            let (key, value) = (key.to_string(), format!("{key}-{}", self.count));
            self.count += 1;
            let record = BaseRecord::to(COMPACTED).partition(0);
            let record = record.key(&key).payload(&value);
            self.producer.send(record).expect("there is room");
        }
        self.flush();
    }

    /// So many batches of one record, to the topic that is lost.
    pub fn put_each(&mut self, mark: &str, batches: u64) {
        for _ in 0..batches {
            let value = format!("{mark}{}", self.count);
            self.count += 1;
            let record: BaseRecord<'_, str, str> = BaseRecord::to(LOST).partition(0);
            self.producer
                .send(record.payload(&value))
                .expect("there is room");
            self.flush();
        }
    }

    fn flush(&self) {
        self.producer.flush(LIMIT).expect("it is acknowledged");
    }
}
