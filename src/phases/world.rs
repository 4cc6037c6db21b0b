//! What the steps of a move ask and do, so that what they make of it can be tried without clusters.

use std::collections::BTreeMap;

use super::carrier::{Carrier, Ends};
use crate::{
    error::Failure,
    model::{
        freeze::Frozen,
        names::{Side, TopicPartition},
        patterns::Patterns,
    },
};

/// A group at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupNow {
    /// Its name.
    pub name: String,
    /// How many members.
    pub members: usize,
    /// What they call themselves.
    pub clients: Vec<String>,
    /// Where it stands.
    pub committed: Ends,
}

/// A partition at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndNow {
    /// The partition.
    pub at: TopicPartition,
    /// Its first offset.
    pub start: i64,
    /// Behind the last record, asked first.
    pub end: i64,
    /// Where the first open transaction begins, asked after the end; at least the end where none is open.
    pub stable: i64,
}

impl EndNow {
    /// Is a transaction open in it?
    pub fn is_open(&self) -> bool {
        self.stable < self.end
    }
}

/// Which of an application's hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Stops it.
    Stop,
    /// Starts it.
    Start,
}

/// A hook that is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub hook: Hook,
    /// Of which application.
    pub application: String,
    /// Where it is stopped or started.
    pub side: Side,
    /// For which step.
    pub step: String,
    /// Counts from 1.
    pub attempt: u32,
}

/// How a freeze stands at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frost {
    /// None of them may write.
    pub denies_all: bool,
    /// Some of it is ours, or may be.
    pub has_ours: bool,
}

/// Both clusters, the applications' hooks, the gates, and whoever copies.
pub trait World: Send + Sync {
    /// Who copies.
    type Carrier: Carrier;

    /// Who copies.
    fn carrier(&self) -> &Self::Carrier;

    /// Are the gates of this application open, and where `hold` says so for as long as they have to be? Answers with the evidence.
    fn gates(
        &self,
        application: &str,
        hold: bool,
    ) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Its groups on one side.
    fn groups(
        &self,
        on: Side,
        of: &Patterns,
    ) -> impl Future<Output = Result<Vec<GroupNow>, Failure>> + Send;

    /// Partitions of topics in scope on one side.
    fn ends(
        &self,
        on: Side,
        of: &Patterns,
    ) -> impl Future<Output = Result<Vec<EndNow>, Failure>> + Send;

    /// Who wrote to these partitions last, in words; those of which the brokers do not say it are left out.
    fn writers(
        &self,
        on: Side,
        of: &[TopicPartition],
    ) -> impl Future<Output = BTreeMap<TopicPartition, String>> + Send;

    /// The time of the last record before each of these offsets, where there is one.
    fn times(
        &self,
        on: Side,
        before: &Ends,
    ) -> impl Future<Output = Result<BTreeMap<TopicPartition, i64>, Failure>> + Send;

    /// Keeps these from writing there; no broker of that side lets them when this returns. Done twice it is as good.
    fn freeze(&self, on: Side, all: &[Frozen]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Lets them write there again, as far as it was us who kept them from it.
    fn lift(&self, on: Side, all: &[Frozen]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Are they kept from writing there, and which of them by us? A plain read.
    fn frost(
        &self,
        on: Side,
        all: &[Frozen],
    ) -> impl Future<Output = Result<Frost, Failure>> + Send;

    /// Calls a hook.
    fn call(&self, call: &Call) -> impl Future<Output = Result<String, Failure>> + Send;
}
