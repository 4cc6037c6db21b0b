//! Applications at work on the source, and on the target where records go both ways, until they are told to stop.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::producer::{
    BaseProducer, BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer,
};

use super::scene::{BACK, DAYS, LIMIT, Scene, now_ms};
use crate::support::{Dice, wait};

impl Scene {
    /// Starts them.
    pub fn write(&self) -> Vec<JoinHandle<()>> {
        let mut writers = vec![self.plain("source", "plain-", 1), self.transactions()];
        if self.is_two_way {
            writers.push(self.plain("target", BACK, 4));
        }
        writers
    }

    /// Records without a transaction, some of them old.
    fn plain(&self, side: &str, mark: &'static str, salt: u64) -> JoinHandle<()> {
        let mut config = self.config(side);
        config
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4");
        let (stop, mut dice) = (Arc::clone(&self.stop), Dice::new(self.seed ^ salt));
        thread::spawn(move || {
            let producer: BaseProducer = config.create().expect("a producer can be made");
            let now = now_ms();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (key, mut value) = (format!("key-{}", number % 17), format!("{mark}{number}"));
                // Some are so large that their batch stays in the kernel on its way.
                if dice.chance(0.05) {
                    let length = usize::try_from(dice.between(30_000, 90_000)).expect("small");
                    while value.len() < length {
                        value.push_str(&format!("{:016x}", dice.bits()));
                    }
                }
                let old = if dice.chance(0.3) { DAYS } else { 0 };
                let partition = i32::try_from(dice.between(0, 3)).expect("few");
                let record = BaseRecord::to("plain")
                    .partition(partition)
                    .key(&key)
                    .payload(&value)
                    .timestamp(now - old);
                producer.send(record).ok();
                producer.poll(Duration::from_millis(dice.between(0, 4)));
            }
            producer.flush(LIMIT).expect("everything is acknowledged");
        })
    }

    /// Transactions, some of them aborted.
    fn transactions(&self) -> JoinHandle<()> {
        let mut config = self.config("source");
        config
            .set("transactional.id", "writer")
            .set("message.timeout.ms", "5000")
            .set("transaction.timeout.ms", "5000");
        let (stop, mut dice) = (Arc::clone(&self.stop), Dice::new(self.seed ^ 2));
        thread::spawn(move || {
            let producer: ThreadedProducer<DefaultProducerContext> =
                config.create().expect("a producer can be made");
            wait::until("a transaction can be begun", LIMIT, || {
                producer.init_transactions(LIMIT).is_ok()
            });
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                producer.begin_transaction().expect("none is open");
                for _ in 0..dice.between(1, 6) {
                    let value = format!("transaction-{number}");
                    number += 1;
                    let partition = i32::try_from(dice.between(0, 2)).expect("few");
                    let record: BaseRecord<'_, str, str> = BaseRecord::to("transactions")
                        .partition(partition)
                        .payload(&value);
                    producer.send(record).ok();
                }
                wait::elapse(Duration::from_millis(5));
                let commits = dice.chance(0.7);
                let committed = commits && producer.commit_transaction(LIMIT).is_ok();
                if !committed && producer.abort_transaction(LIMIT).is_err() {
                    // Fatal for this producer; its transaction ends by its time, or at the next one's beginning.
                    break;
                }
            }
        })
    }
}
