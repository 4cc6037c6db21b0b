//! ★ Everything at once, in short: what `scripts/ordeal` does at length.

#[path = "../../../examples/ordeal/course/mod.rs"]
mod course;

#[test]
fn everything_is_copied_through_kills_and_restarts_and_every_stop_has_its_name() {
    let faults = course::run(course::Plan {
        brokers: 1,
        kills: 3,
        records: 3000,
        per_second: 200,
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
