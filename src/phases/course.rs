//! What a move has to do from where the journal says that an application stands: begin, go on, go back, or take the place of another.

use super::standing;
use crate::{
    error::Failure,
    model::names::Side,
    run::{
        executor::{Ended, Executor},
        journal::Store,
        plan::Plan,
        state::{End, Record, State},
        step::Effects,
    },
};

/// What a command has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is there already.
    Nothing,
    /// A new plan.
    Begin,
    /// The plan of this number was begun, and is gone on with.
    GoOn(u32),
    /// The plan of this number goes the other way and has started nothing there yet: it is undone, and that is all.
    Undo(u32),
    /// The plan of this number goes the other way and may have started it there: a new plan goes the whole way back. That one stays open
    /// until the new one has said where it is: undone before it did anything, it leaves things as they were.
    Replace(u32),
}

/// What moving an application there takes.
pub fn next(state: &State, application: &str, to: Side) -> Next {
    let standing = standing::of(state, application);
    match standing.moving {
        None if standing.at == to => Next::Nothing,
        None => Next::Begin,
        Some(moving) if moving.to == to => Next::GoOn(moving.plan),
        Some(moving) if moving.is_past => Next::Replace(moving.plan),
        Some(moving) => Next::Undo(moving.plan),
    }
}

/// The plan that is done: the one that was begun, or else the new one.
pub fn plan_of(state: &State, next: Next, new: impl FnOnce() -> Plan) -> Plan {
    let begun = match next {
        Next::GoOn(number) | Next::Undo(number) => state.courses.get(number as usize),
        Next::Nothing | Next::Begin | Next::Replace(_) => None,
    };
    begun.map_or_else(new, |course| course.plan.clone())
}

/// Does it. `plan` is what [`plan_of`] answered, and the executor's effects are those of its steps.
pub async fn run<S: Store, E: Effects>(
    executor: &mut Executor<'_, S, E>,
    next: Next,
    plan: &Plan,
) -> Result<Ended, Failure> {
    let application = plan.subject.clone();
    let ended = match next {
        Next::Nothing => Ended::Done,
        Next::Begin => {
            settle(executor, &application).await?;
            executor.run(plan).await?
        }
        Next::GoOn(number) => executor.go_on(number).await?,
        Next::Undo(number) => executor.undo(number, None).await?,
        Next::Replace(_) => {
            // One of this way that was replaced itself, before.
            let state = executor.journal.state();
            if let Some(number) = state.open(&plan.phase, &application) {
                replaced(executor, number).await?;
            }
            executor.run(plan).await?
        }
    };
    settle(executor, &application).await?;
    Ok(ended)
}

/// Once a plan has said where an application is, those before it that are still open are gone on with no more.
async fn settle<S: Store, E>(
    executor: &mut Executor<'_, S, E>,
    application: &str,
) -> Result<(), Failure> {
    for phase in [standing::CUTOVER, standing::ROLLBACK] {
        let state = executor.journal.state();
        let is_settled = standing::of(state, application).moving.is_none();
        if let (true, Some(number)) = (is_settled, state.open(phase, application)) {
            replaced(executor, number).await?;
        }
    }
    Ok(())
}

async fn replaced<S: Store, E>(
    executor: &mut Executor<'_, S, E>,
    number: u32,
) -> Result<(), Failure> {
    let how = End::Replaced;
    let ended = Record::Ended { plan: number, how };
    executor.journal.append(ended).await
}

#[cfg(test)]
mod tests;
