//! What comes next, from every state that a journal can be in.

use super::*;
use crate::{
    phases::moving::{START, STOP},
    run::{
        plan::{Plan, VERSION},
        state::Head,
        step::{Fails, Step, Undo, What},
    },
};

fn plan(to: Side) -> Plan {
    let step = |name: &str, undo| Step {
        name: name.into(),
        says: name.into(),
        what: What::Hook,
        undo,
        fails: Fails::Undo,
        with: [].into(),
    };
    Plan {
        v: VERSION,
        migration: "orders".into(),
        phase: standing::phase_to(to).into(),
        subject: "order-status".into(),
        made_at_ms: 0,
        rests_on: [].into(),
        steps: vec![
            step(STOP, Undo::By("start".into())),
            step(START, Undo::Impossible),
        ],
        clients: String::new(),
        back: String::new(),
    }
}

#[derive(Clone, Copy)]
enum Far {
    Planned,
    Stopping,
    Stopped,
    Starting,
    Done,
    Undone,
}

/// A journal after these plans, each as far as it came.
fn journal(plans: &[(Side, Far)]) -> State {
    let mut state = State::default();
    let mut apply = |record| state.apply(&record).unwrap();
    apply(Record::Begun(Head {
        migration: "orders".into(),
        id: uuid::Uuid::nil(),
        source: "Aaa".into(),
        target: "Bbb".into(),
    }));
    for (number, (to, far)) in (0..).zip(plans) {
        let what = Box::new(plan(*to));
        apply(Record::Planned { plan: number, what });
        let intent = |step| Record::Intent {
            plan: number,
            step,
            attempt: 1,
            with: [].into(),
        };
        let done = |step| Record::Done {
            plan: number,
            step,
            said: String::new(),
        };
        let records = match far {
            Far::Planned => vec![],
            Far::Stopping => vec![intent(0)],
            Far::Stopped => vec![intent(0), done(0)],
            Far::Starting => vec![intent(0), done(0), intent(1)],
            Far::Done => {
                let how = End::Done;
                let ended = Record::Ended { plan: number, how };
                vec![intent(0), done(0), intent(1), done(1), ended]
            }
            Far::Undone => {
                let how = End::Undone;
                let (plan, step) = (number, 0);
                let attempt = 1;
                let said = String::new();
                vec![
                    intent(0),
                    done(0),
                    Record::Undoing {
                        plan,
                        step,
                        attempt,
                    },
                    Record::Undone { plan, step, said },
                    Record::Ended { plan, how },
                ]
            }
        };
        records.into_iter().for_each(&mut apply);
    }
    state
}

#[test]
fn what_comes_next_depends_on_how_far_the_last_plan_came() {
    use Far::{Done, Planned, Starting, Stopped, Stopping, Undone};
    use Side::{Source, Target};
    type Case<'a> = (&'a [(Side, Far)], Next, Next);
    let cases: &[Case<'_>] = &[
        // What was planned, what `cutover` does, what `rollback` does.
        (&[], Next::Begin, Next::Nothing),
        (&[(Target, Planned)], Next::GoOn(0), Next::Undo(0)),
        (&[(Target, Stopping)], Next::GoOn(0), Next::Undo(0)),
        (&[(Target, Stopped)], Next::GoOn(0), Next::Undo(0)),
        (&[(Target, Starting)], Next::GoOn(0), Next::Replace(0)),
        (&[(Target, Done)], Next::Nothing, Next::Begin),
        (&[(Target, Undone)], Next::Begin, Next::Nothing),
        (
            &[(Target, Done), (Source, Stopped)],
            Next::Undo(1),
            Next::GoOn(1),
        ),
        (
            &[(Target, Done), (Source, Starting)],
            Next::Replace(1),
            Next::GoOn(1),
        ),
        (
            &[(Target, Done), (Source, Undone)],
            Next::Nothing,
            Next::Begin,
        ),
        (
            &[(Target, Done), (Source, Done)],
            Next::Begin,
            Next::Nothing,
        ),
        // The whole way back from half-way: as long as it did nothing, what was before counts.
        (
            &[(Target, Starting), (Source, Planned)],
            Next::Undo(1),
            Next::GoOn(1),
        ),
        (
            &[(Target, Starting), (Source, Stopped)],
            Next::Undo(1),
            Next::GoOn(1),
        ),
        (
            &[(Target, Starting), (Source, Undone)],
            Next::Nothing,
            Next::Begin,
        ),
        (
            &[(Target, Starting), (Source, Done)],
            Next::Begin,
            Next::Nothing,
        ),
    ];
    for (number, (plans, over, back)) in cases.iter().enumerate() {
        let state = journal(plans);
        let found = |to| next(&state, "order-status", to);
        assert_eq!(
            (found(Target), found(Source)),
            (*over, *back),
            "case {number}"
        );
        assert_eq!(next(&state, "billing", Target), Next::Begin);
    }
}

#[test]
fn a_plan_that_is_undone_before_it_did_anything_leaves_things_as_they_were() {
    let mut state = journal(&[(Side::Target, Far::Starting), (Side::Source, Far::Planned)]);
    let how = End::Undone;
    state.apply(&Record::Ended { plan: 1, how }).unwrap();
    assert_eq!(next(&state, "order-status", Side::Target), Next::GoOn(0));
    assert_eq!(next(&state, "order-status", Side::Source), Next::Replace(0));
}
