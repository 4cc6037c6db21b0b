//! The plan of `cutover`: one application to the target; or what a person moved already, declared.

use super::moving::{GATES, Move};
use crate::run::{
    plan::Plan,
    step::{Step, What},
};

/// Moves an application to the target.
pub fn plan(of: &Move) -> Plan {
    let mut says = "the gates of `ready` are open for it".to_owned();
    if !of.waived.is_empty() {
        says += &format!("; a person answers for {}", of.waived.join(", "));
    }
    let mut steps = vec![Step::new(GATES, What::Attestation, says)];
    steps.extend(of.steps());
    of.plan(steps, of.clients(), of.the_other_way())
}

/// Declares that a person moved it. Where it began to read is not looked into.
pub fn declared(of: &Move) -> Plan {
    // Its members there are why it is declared: what keeps the engine from carrying its positions says nothing.
    let mut steps = vec![of.lives(false)];
    steps.extend(of.lifts());
    steps.push(of.authority(false));
    let clients = "nobody notices: nothing is stopped or started".to_owned();
    of.plan(steps, clients, of.the_other_way())
}
