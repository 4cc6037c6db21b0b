//! Ways past stops where records go both ways: which direction a way is of, and what cannot be had then.

use super::{Asked, Way};
use crate::{
    engine::ledger::state::State, error::Failure, events::Choice, exit::Exit,
    model::names::TopicPartition,
};

/// Which of them are of the way there, and which of the way back: of that one only what has stopped there alone.
pub fn of_each(
    asked: &[Asked],
    there: &[&State],
    back: Option<&[&State]>,
) -> (Vec<Asked>, Vec<Asked>) {
    let Some(back) = back else {
        return (asked.to_vec(), Vec::new());
    };
    let is_back = |one: &&Asked| {
        let has_stopped = |states: &[&State]| states.iter().any(|state| stands(one, state));
        has_stopped(back) && !has_stopped(there)
    };
    asked.iter().cloned().partition(|one| !is_back(&one))
}

fn stands(one: &Asked, state: &State) -> bool {
    let Some(partition) = one.partition else {
        return false;
    };
    let name = TopicPartition::new(one.topic.as_str(), partition);
    let known = state.partition(&name);
    known.is_some_and(|(_, known)| known.stopped.is_some())
}

/// Leaves out what is then refused.
pub fn without_recopy(choices: &mut Vec<Choice>) {
    let flag = Way::Recopy.flag();
    let is_recopy = |choice: &Choice| {
        choice
            .command
            .as_ref()
            .is_some_and(|line| line.contains(flag))
    };
    choices.retain(|choice| !is_recopy(choice));
}

/// Copying again deletes what the target holds, and what came back from there would be copied there once more.
pub fn check_two_way(asked: &[Asked]) -> Result<(), Failure> {
    let named: Vec<String> = asked
        .iter()
        .filter(|one| one.way == Way::Recopy)
        .map(ToString::to_string)
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        "K418",
        "nothing is copied again where records also come back",
    )
    .cause(format!("asked for: {}", named.join(", ")))
    .hint("it would delete what applications wrote on the target, which may not have come back yet")
    .hint(
        "`--accept-gap TOPIC:PARTITION` goes on behind what is in the way, where that is possible",
    )
    .next("kafka-migrate status"))
}
