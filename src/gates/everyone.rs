//! What may be done where no ACL speaks: is it the same on both sides?

use super::{Asked, Finding, fresh};
use crate::{
    cluster::Everyone::{self, Everything, Nothing, Unguarded},
    model::limits::Limits,
    observe::Observation,
};

const SETTING: &str = "allow.everyone.if.no.acl.found";

/// G126.
pub(super) fn same_without_acls(seen: &Observation, _: &Limits) -> Asked {
    let by_hand = format!(
        "compare authorizer.class.name and {SETTING} in the files of the brokers of both sides"
    );
    let (source, target) = match (fresh(&seen.source.everyone), fresh(&seen.target.everyone)) {
        (Ok(source), Ok(target)) => (*source, *target),
        (Err(cannot), _) | (_, Err(cannot)) => return Err(cannot.fix(by_hand)),
    };
    let evidence = format!("source: {}; target: {}", words(source), words(target));
    let fix = format!(
        "set {SETTING} on the brokers of one side as on the other, or give ACLs to what has none, on both sides"
    );
    Ok(match (source, target) {
        (Unguarded, Unguarded) | (Everything, Everything) | (Nothing, Nothing) => {
            Finding::pass(evidence)
        }
        (Unguarded, _) => Finding::warn(evidence)
            .of(["what everyone may do on the source takes ACLs on the target, or applications are refused there".to_owned()])
            .fix("give every application's principals their ACLs on the target before it moves"),
        (_, Unguarded) => Finding::block(evidence)
            .of(["ACLs of the source would mean nothing on the target: everyone could do everything".to_owned()])
            .fix("set authorizer.class.name on the brokers of the target"),
        (Nothing, Everything) => Finding::block(evidence)
            .of(["what nobody may touch on the source everyone could read and write on the target".to_owned()])
            .fix(fix),
        (Everything, Nothing) => Finding::block(evidence)
            .of(["what everyone may do on the source applications would be refused on the target".to_owned()])
            .fix(fix),
    })
}

fn words(everyone: Everyone) -> &'static str {
    match everyone {
        Unguarded => "no authorizer, everyone may do everything",
        Everything => "everyone may do everything to what has no ACL",
        Nothing => "nobody may touch what has no ACL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gates::Answer::{self, Block, Pass, Warn},
        observe::{Known, example},
    };

    #[test]
    fn wider_is_a_block_and_so_is_narrower_where_acls_are_kept() {
        let answers: [(Everyone, Everyone, Answer); 9] = [
            (Unguarded, Unguarded, Pass),
            (Unguarded, Everything, Warn),
            (Unguarded, Nothing, Warn),
            (Everything, Unguarded, Block),
            (Everything, Everything, Pass),
            (Everything, Nothing, Block),
            (Nothing, Unguarded, Block),
            (Nothing, Everything, Block),
            (Nothing, Nothing, Pass),
        ];
        for (source, target, answer) in answers {
            let mut seen = example::green();
            seen.source.everyone = Known::seen(source);
            seen.target.everyone = Known::seen(target);
            let found = same_without_acls(&seen, &Limits::default()).expect("it is known");
            assert_eq!(found.answer, answer, "{source:?} to {target:?}");
        }
    }
}
