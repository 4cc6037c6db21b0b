//! What is asked on a terminal: nothing is deleted before the migration's name was typed.

use std::{fs::File, io::Write as _, time::Duration};

use crate::support::{
    load::Load,
    read, shared_pair,
    terminal::pseudo_terminal,
    tool::{Finished, Migration, PATIENCE},
    unique,
};

use super::{
    stops::{status, stops},
    stops_past::{assert_holds, records},
};

/// Runs `replicate --recopy` with a terminal as its input, and types a line where it asks.
fn typed(migration: &Migration, word: &str, line: &str) -> Finished {
    let (terminal, end) = pseudo_terminal();
    let mut call = migration.command(&["replicate", "--until", "caught-up", "--recopy", word]);
    call.0.stdin(end());
    let mut tool = call.start();
    tool.wait_for("type the migration's name", Duration::from_secs(30));
    let said = tool.said();
    assert!(said.contains(&format!("deletes what {word}")), "{said}");
    let mut keyboard = File::from(terminal);
    keyboard
        .write_all(format!("{line}\n").as_bytes())
        .expect("it takes what is typed");
    tool.wait(PATIENCE)
}

#[test]
fn copying_again_begins_once_the_name_is_typed() {
    let (source, target) = shared_pair();
    let topic = unique("typed");
    source.create_topic(&topic, 1, &[]);
    target.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    Load::to(&[(&topic, 1)]).fill(target, 40);
    let foreign = records(target, &topic);
    let migration = Migration::of_topic(source, target, &topic);
    stops(&migration, &["K520"]);
    let word = format!("{topic}:0");
    for wrong in ["another", "", "y"] {
        let refused = typed(&migration, &word, wrong);
        refused.assert_exit(2);
        refused.assert_says("K007");
        assert_holds(target, &topic, &[&foreign]);
    }
    assert_eq!(status(&migration)["decided"], serde_json::json!([]));
    typed(&migration, &word, &format!(" {topic} ")).assert_exit(0);
    read::assert_same(source, target, &topic);
}
