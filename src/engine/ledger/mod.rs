//! The shard's durable record in Kafka: claims, identities, runs, checkpoints.
