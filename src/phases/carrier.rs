//! Who copies, as far as moving applications needs to know: what has arrived, where groups stand on the other side, where authority lies.

use std::collections::BTreeMap;

use crate::{
    error::Failure,
    model::{
        direction::Direction,
        names::{Side, TopicPartition},
    },
};

/// Offsets of partitions: everything below is meant.
pub type Ends = BTreeMap<TopicPartition, i64>;

/// In which order both directions hear who has authority over positions: who gives it up before who gets it, so that it never is two sides'.
pub fn hears(to: Side) -> [Direction; 2] {
    match to {
        Side::Target => [Direction::Forward, Direction::Reverse],
        Side::Source => [Direction::Reverse, Direction::Forward],
    }
}

/// The other one.
pub fn other(side: Side) -> Side {
    match side {
        Side::Source => Side::Target,
        Side::Target => Side::Source,
    }
}

/// A partition whose last record has not arrived on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The partition.
    pub at: TopicPartition,
    /// What is not there yet, in words.
    pub what: String,
}

/// Where a group stands in a partition, and what that means on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The group.
    pub group: String,
    /// The partition.
    pub at: TopicPartition,
    /// What it committed on the side that it leaves.
    pub committed: i64,
    /// Where it goes on.
    pub place: Place,
}

/// Where a group goes on on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// That cannot be told yet; in words.
    NotYet(String),
    /// Never: what it has to read next is not there, and will not come; in words.
    Nowhere(String),
    /// It can be told.
    Known {
        /// The largest offset that skips nothing.
        exact: i64,
        /// Where it would begin now; `None`: it has no position there.
        stands: Option<i64>,
        /// Records that it has read and would read again.
        again: u64,
        /// It would pass over records that it has not read.
        skips: bool,
    },
}

/// Whoever copies. Answers are of the moment; whoever asks waits and asks again.
pub trait Carrier: Send + Sync {
    /// Is it there, and does it carry everything of the application that leaves this side? Asked before anything is stopped.
    fn attends(&self, from: Side) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Which partitions have not arrived: everything that was written on `from` below these offsets has to be on the other side.
    fn behind(
        &self,
        from: Side,
        below: &Ends,
    ) -> impl Future<Output = Result<Vec<Behind>, Failure>> + Send;

    /// Where a group goes on on the other side, by partition, once everything below these offsets has arrived. Only partitions among them.
    fn positions(
        &self,
        from: Side,
        group: &str,
        below: &Ends,
    ) -> impl Future<Output = Result<Vec<Position>, Failure>> + Send;

    /// Records that were written on this side, and not copied to it, at or behind these offsets, by partition; none are left out.
    fn written(
        &self,
        on: Side,
        since: &Ends,
    ) -> impl Future<Output = Result<BTreeMap<TopicPartition, u64>, Failure>> + Send;

    /// Says that an application's positions are this side's from now on.
    fn declare(
        &self,
        application: &str,
        to: Side,
    ) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Was that said? A plain read.
    fn is_declared(
        &self,
        application: &str,
        to: Side,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Has whoever carried positions from this side given that up, so that on the other side they stay as they were asked?
    fn has_left(&self, from: Side) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Has what applications wrote on the target to these topics, and has not come back, wait for a person, should the target return.
    fn strand(&self, topics: &[String]) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Was that asked? A plain read.
    fn is_stranded(&self, topics: &[String]) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// When positions were last looked at by what carries them back, in milliseconds since 1970 by its clock; `None` where nobody tells.
    fn synced_ms(&self) -> impl Future<Output = Result<Option<i64>, Failure>> + Send;

    /// Does waiting make positions better that skip nothing and read something again?
    fn improves(&self) -> bool;

    /// What has to be looked at where a group has no position, or stands too far.
    fn advice(&self) -> String;
}
