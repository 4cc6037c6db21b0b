//! What was sent of both clusters when a replicator was made, as the journal keeps it: the service shows little of it later.

use std::collections::BTreeMap;

use super::plan::{PHASE, made_name};
use crate::{
    msk::{Direction, KafkaCluster, Request},
    run::state::State,
};

/// Under this name the journal has both clusters as they were sent.
const SENT: &str = "kafka-clusters";

/// What is kept of a request that is about to be sent. Secrets stand in it by their ARNs.
pub(super) fn kept(request: &Request) -> BTreeMap<String, String> {
    let json = serde_json::to_string(&request.kafka_clusters);
    let json = json.expect("requests have string keys");
    [(SENT.to_owned(), json)].into()
}

/// What was sent last, by the journal.
pub fn sent(state: &State) -> BTreeMap<Direction, Vec<KafkaCluster>> {
    let mut all = BTreeMap::new();
    let courses = state.courses.iter();
    for course in courses.filter(|course| course.plan.phase == PHASE) {
        for (step, with) in course.plan.steps.iter().zip(&course.begun_with) {
            let mut directions = Direction::BOTH.into_iter();
            let direction = directions.find(|one| made_name(*one) == step.name);
            let clusters = with.get(SENT);
            let clusters = clusters.and_then(|json| serde_json::from_str(json).ok());
            if let (Some(direction), Some(clusters)) = (direction, clusters) {
                all.insert(direction, clusters);
            }
        }
    }
    all
}
