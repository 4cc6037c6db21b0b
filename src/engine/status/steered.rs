//! What somebody asked of the engine, as it stands in the ledger: it counts whether one runs or not.

use super::SteeredStatus;
use crate::engine::ledger::{
    record::{Limit, Request, Steer},
    state::State,
};

/// A pause that nobody ended.
pub(super) fn pause(states: &[State]) -> Option<SteeredStatus> {
    let paused: Vec<&Request> = states
        .iter()
        .filter(|state| state.is_paused())
        .filter_map(|state| Some(&state.pause.as_ref()?.request))
        .collect();
    let what = match paused.len() {
        all if all == states.len() => "paused".to_owned(),
        // The request did not reach every shard; each heeds its own.
        some => format!("paused in {some} of {} shards", states.len()),
    };
    paused.first().map(|request| told(request, what))
}

/// A limit other than what the engine is started with. The first shard's ledger speaks for all.
pub(super) fn limit(states: &[State]) -> Option<SteeredStatus> {
    let request = &states.first()?.throttle.as_ref()?.request;
    match &request.steer {
        Steer::Throttle(limit) if *limit != Limit::Settings => {
            Some(told(request, limit.to_string()))
        }
        _ => None,
    }
}

fn told(request: &Request, what: String) -> SteeredStatus {
    SteeredStatus {
        what,
        by: request.by.clone(),
        at_ms: request.at_ms,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::engine::ledger::state::Wanted;

    fn wanted(steer: Steer) -> Option<Wanted> {
        Some(Wanted {
            request: Request {
                id: Uuid::nil(),
                steer,
                by: "ann on ferry".into(),
                at_ms: 7,
            },
            offset: 3,
        })
    }

    #[test]
    fn a_pause_counts_until_it_is_ended_and_says_where_it_did_not_arrive() {
        let state = |steer| State {
            pause: wanted(steer),
            ..State::default()
        };
        let all = [state(Steer::Pause), state(Steer::Pause)];
        let said = pause(&all).expect("it is paused");
        assert_eq!(
            (&*said.what, &*said.by, said.at_ms),
            ("paused", "ann on ferry", 7)
        );
        let some = [state(Steer::Resume), state(Steer::Pause)];
        let said = pause(&some).expect("a shard is paused");
        assert_eq!(said.what, "paused in 1 of 2 shards");
        assert_eq!(pause(&[state(Steer::Resume)]), None);
        assert_eq!(pause(&[]), None);
    }

    #[test]
    fn a_limit_counts_until_the_default_is_asked_for() {
        let state = |limit| State {
            throttle: wanted(Steer::Throttle(limit)),
            ..State::default()
        };
        let said = |limit| super::limit(&[state(limit)]).map(|said| said.what);
        assert_eq!(
            said(Limit::Fixed(20_000)).as_deref(),
            Some("at most 20.0 kB/s")
        );
        assert_eq!(said(Limit::Unlimited).as_deref(), Some("no limit of rate"));
        assert_eq!(said(Limit::Auto).as_deref(), Some("rate auto"));
        assert_eq!(said(Limit::Settings), None);
        assert_eq!(super::limit(&[State::default()]), None);
    }
}
