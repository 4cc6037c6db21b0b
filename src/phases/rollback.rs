//! The plan of `rollback`: one application back to the source, with the target or without it.

use super::moving::{DRAINED, FOLLOWS, LAST_POSITIONS, Move, POSITIONS, QUIET, WITH_ALONE};
use crate::{
    model::names::Side,
    run::{
        plan::Plan,
        step::{Step, What},
    },
};

/// Takes an application back to the source.
pub fn plan(of: &Move) -> Plan {
    of.plan(of.steps(), of.clients(), of.the_other_way())
}

/// Takes it back where nothing comes back: it goes on where its groups stood when it moved, and what it wrote on the target stays there.
pub fn leaving_data(of: &Move) -> Plan {
    let mut steps = of.steps();
    steps.retain(|step| ![DRAINED, FOLLOWS].contains(&step.name.as_str()));
    for step in steps.iter_mut().filter(|step| step.name == POSITIONS) {
        let says = "where its groups go on on the source, as they stood when it moved";
        *step = Step::new(LAST_POSITIONS, What::Attestation, says.to_owned());
    }
    let name = &of.application.name;
    let clients = format!(
        "{name} reads again on the source what it read on the target; what was written on the target is not there"
    );
    of.plan(steps, clients, of.the_other_way())
}

/// Takes it back to a source that is all there is left: it goes on where its groups stood when they came back last.
pub fn without_target(of: &Move) -> Plan {
    let alone = |step: Step| {
        let mut with = step.with.clone();
        with.insert(WITH_ALONE.to_owned(), Side::Target.to_string());
        Step { with, ..step }
    };
    let name = &of.application.name;
    let mut steps = vec![
        alone(Step::new(
            QUIET,
            What::Attestation,
            "nothing of it is on the source; that nothing of it runs on the target you have said"
                .to_owned(),
        )),
        alone(Step::new(
            LAST_POSITIONS,
            What::Attestation,
            "where its groups go on on the source, by what came back last, and how old that is"
                .to_owned(),
        )),
    ];
    steps.extend(of.strands());
    steps.extend(of.lifts());
    steps.push(of.authority(true));
    steps.extend(of.start());
    steps.push(of.lives(true));
    let clients = format!(
        "{name} reads again what it read on the target since its positions came back last; what it wrote there since is not on the source"
    );
    let back = format!(
        "what was written on the target and had not come back stays there until a person says otherwise; if the target ever returns, `kafka-migrate rollback --app {name}` tells its ledger first"
    );
    of.plan(steps, clients, back)
}
