//! Every operation tried alone: who lacks the right hears the resource's own error.

use std::collections::BTreeMap;

use super::{World, codes::*, is, line::*, rights::*};

/// Users of which each has one right.
pub struct Each(pub Vec<(i8, Line)>);

pub const READS: &[i8] = &[ALL, READ];
pub const WRITES: &[i8] = &[ALL, WRITE];
pub const DESCRIBES: &[i8] = &[ALL, READ, WRITE, DELETE, ALTER, DESCRIBE];
pub const ALTERS: &[i8] = &[ALL, ALTER];
pub const DELETES: &[i8] = &[ALL, DELETE];
pub const CREATES: &[i8] = &[ALL, CREATE];
pub const ALTERS_CONFIGS: &[i8] = &[ALL, ALTER_CONFIGS];
pub const DESCRIBES_CONFIGS: &[i8] = &[ALL, DESCRIBE_CONFIGS, ALTER_CONFIGS];

impl Each {
    /// Each has its right of this resource.
    pub fn of(world: &World, whose: &str, kind: i8, name: &str) -> Self {
        let each = ALL..=IDEMPOTENT_WRITE;
        let rules = each
            .clone()
            .map(|operation| allow(&format!("{whose}{operation}"), kind, name, operation));
        Line::to(world).give(&rules.collect::<Vec<_>>());
        let lines =
            each.map(|operation| (operation, Line::of(world, &format!("{whose}{operation}"))));
        Self(lines.collect())
    }

    /// All of them have this right besides.
    pub fn all(&self, world: &World, kind: i8, name: &str, operation: i8) {
        let each = self.0.iter();
        let rules = each.map(|(own, _)| allow(&format!("may{own}"), kind, name, operation));
        Line::to(world).give(&rules.collect::<Vec<_>>());
    }

    /// Those with these operations hear one code, all others the other. At once or soon: a controller has its own copy of the rules.
    #[track_caller]
    pub fn check(
        &mut self,
        what: &str,
        (answer, allowed): (i16, &[i8]),
        refusal: i16,
        mut ask: impl FnMut(&mut Line) -> i16,
    ) {
        let mut expected: BTreeMap<String, Vec<i8>> = BTreeMap::new();
        for (operation, _) in &self.0 {
            let heard = if allowed.contains(operation) {
                answer
            } else {
                refusal
            };
            expected.entry(name(heard)).or_default().push(*operation);
        }
        let look = || {
            let mut seen: BTreeMap<String, Vec<i8>> = BTreeMap::new();
            for (operation, line) in &mut self.0 {
                seen.entry(name(ask(line))).or_default().push(*operation);
            }
            seen
        };
        let seen = settled(look, |seen| *seen == expected);
        is(what, seen, expected);
    }
}
