//! Whoever copies in a migration: MSK Replicator, judged by what it has done, or our own engine, which is asked.

use std::collections::BTreeMap;

use super::{
    by_content::ByContent,
    by_ledger::ByLedger,
    carrier::{Behind, Carrier, Ends, Position},
};
use crate::{
    error::Failure,
    model::names::{Side, TopicPartition},
    run::placed::{Counted, Placed},
};

/// One of the two.
pub enum Copier {
    /// MSK Replicator.
    Content(Box<ByContent>),
    /// Our own engine.
    Ledger(Box<ByLedger>),
}

impl Copier {
    /// What groups were given a second time by a move from this side, counted by what records say; see [`ByContent::given_twice`].
    pub async fn given_twice(&self, from: Side, placed: &[Placed]) -> Vec<Counted> {
        match self {
            Self::Content(one) => one.given_twice(from, placed).await,
            Self::Ledger(one) => one.given_twice(from, placed).await,
        }
    }
}

impl Carrier for Copier {
    async fn attends(&self, from: Side) -> Result<String, Failure> {
        match self {
            Self::Content(one) => one.attends(from).await,
            Self::Ledger(one) => one.attends(from).await,
        }
    }

    async fn behind(&self, from: Side, below: &Ends) -> Result<Vec<Behind>, Failure> {
        match self {
            Self::Content(one) => one.behind(from, below).await,
            Self::Ledger(one) => one.behind(from, below).await,
        }
    }

    async fn positions(
        &self,
        from: Side,
        group: &str,
        below: &Ends,
    ) -> Result<Vec<Position>, Failure> {
        match self {
            Self::Content(one) => one.positions(from, group, below).await,
            Self::Ledger(one) => one.positions(from, group, below).await,
        }
    }

    async fn written(
        &self,
        on: Side,
        since: &Ends,
    ) -> Result<BTreeMap<TopicPartition, u64>, Failure> {
        match self {
            Self::Content(one) => one.written(on, since).await,
            Self::Ledger(one) => one.written(on, since).await,
        }
    }

    async fn declare(&self, application: &str, to: Side) -> Result<String, Failure> {
        match self {
            Self::Content(one) => one.declare(application, to).await,
            Self::Ledger(one) => one.declare(application, to).await,
        }
    }

    async fn is_declared(&self, application: &str, to: Side) -> Result<bool, Failure> {
        match self {
            Self::Content(one) => one.is_declared(application, to).await,
            Self::Ledger(one) => one.is_declared(application, to).await,
        }
    }

    async fn has_left(&self, from: Side) -> Result<bool, Failure> {
        match self {
            Self::Content(one) => one.has_left(from).await,
            Self::Ledger(one) => one.has_left(from).await,
        }
    }

    async fn strand(&self, topics: &[String]) -> Result<String, Failure> {
        match self {
            Self::Content(one) => one.strand(topics).await,
            Self::Ledger(one) => one.strand(topics).await,
        }
    }

    async fn is_stranded(&self, topics: &[String]) -> Result<bool, Failure> {
        match self {
            Self::Content(one) => one.is_stranded(topics).await,
            Self::Ledger(one) => one.is_stranded(topics).await,
        }
    }

    async fn synced_ms(&self) -> Result<Option<i64>, Failure> {
        match self {
            Self::Content(one) => one.synced_ms().await,
            Self::Ledger(one) => one.synced_ms().await,
        }
    }

    fn improves(&self) -> bool {
        match self {
            Self::Content(one) => one.improves(),
            Self::Ledger(one) => one.improves(),
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::Content(one) => one.advice(),
            Self::Ledger(one) => one.advice(),
        }
    }
}
