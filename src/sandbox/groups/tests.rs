//! Groups driven as consumers drive them: what the tests share.

mod fixed;
mod listing;
mod membership;
mod offsets;
mod protocols;
mod timeouts;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{super::errors, group::Phase, *};

/// A group and the time.
struct World {
    groups: Groups,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self {
            groups: Groups::new(7),
            now: 1_000_000,
        }
    }

    fn who(member: &str) -> Joining {
        Joining {
            group: "g".to_owned(),
            member: member.to_owned(),
            client_id: "app".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![("range".to_owned(), subscription(&["t"]))],
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            version: 9,
            ..Joining::default()
        }
    }

    /// Joins; the answer may still wait.
    fn join(&mut self, joining: Joining) -> oneshot::Receiver<Joined> {
        self.groups.join(self.now, joining)
    }

    /// Asks for an id, and joins with it.
    fn enter(&mut self) -> (String, oneshot::Receiver<Joined>) {
        let refused = now(self.join(Self::who("")));
        assert_eq!(refused.error, errors::MEMBER_ID_REQUIRED);
        let answer = self.join(Self::who(&refused.member));
        (refused.member, answer)
    }

    fn sync(
        &mut self,
        member: &str,
        generation: i32,
        assigned: &[(&str, &'static str)],
    ) -> oneshot::Receiver<Synced> {
        let assignments = assigned
            .iter()
            .map(|(who, what)| ((*who).to_owned(), Bytes::from_static(what.as_bytes())));
        self.groups.sync(
            self.now,
            Syncing {
                group: "g".to_owned(),
                member: member.to_owned(),
                generation,
                assignments: assignments.collect(),
                ..Syncing::default()
            },
        )
    }

    fn beat(&mut self, member: &str, generation: i32) -> i16 {
        let who = Who {
            member,
            instance: None,
            generation,
        };
        self.groups.heartbeat(self.now, "g", &who)
    }

    fn later(&mut self, ms: i64) {
        self.now += ms;
        self.groups.tick(self.now);
    }

    fn phase(&mut self) -> Option<Phase> {
        self.groups.describe(self.now, "g").map(|group| group.phase)
    }

    /// A stable group of one.
    fn of_one() -> (Self, String) {
        let mut world = Self::new();
        let (id, answer) = world.enter();
        assert_eq!(now(answer).generation, 1);
        let synced = now(world.sync(&id, 1, &[(&id, "all")]));
        assert_eq!(synced.error, errors::NONE);
        (world, id)
    }

    /// A stable group of two: the leader first.
    fn of_two() -> (Self, String, String) {
        let (mut world, first) = Self::of_one();
        let (second, second_joins) = world.enter();
        let first_joins = world.join(Self::who(&first));
        assert_eq!(now(first_joins).leader, first);
        assert_eq!(now(second_joins).generation, 2);
        let second_syncs = world.sync(&second, 2, &[]);
        now(world.sync(&first, 2, &[(&first, "left"), (&second, "right")]));
        assert_eq!(now(second_syncs).assignment, "right");
        (world, first, second)
    }
}

/// The answer, which must be there.
fn now<T>(mut answer: oneshot::Receiver<T>) -> T {
    answer.try_recv().expect("an answer")
}

/// It waits.
fn waits<T>(answer: &mut oneshot::Receiver<T>) -> bool {
    matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

/// A consumer's subscription, version 0.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}
