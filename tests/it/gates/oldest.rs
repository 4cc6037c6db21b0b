//! Nothing is held against Apache Kafka 2.8, on either side.

use super::{assert_held_up_by, pair, preflight};
use crate::support::{
    load::Load,
    shared_oldest,
    tool::{Access, Migration},
    unique,
};

#[test]
fn preflight_has_nothing_against_2_8_on_either_side() {
    let (source, target) = pair();
    for (source, target) in [(shared_oldest(), target), (source, shared_oldest())] {
        let topic = unique("oldest-asked");
        source.create_topic(&topic, 2, &[]);
        Load::to(&[(&topic, 2)]).fill(source, 100);
        let migration = Migration::new(
            &topic,
            Access::Plain(source),
            Access::Plain(target),
            &[&topic],
        );
        assert_held_up_by(&preflight(&migration, 0), &[]);
    }
}
