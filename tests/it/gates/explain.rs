//! Codes explained, and codes that are none.

use crate::support::{
    scratch,
    tool::{Call, Finished, program},
};

fn explain(arguments: &[&str]) -> Finished {
    let place = scratch("explain");
    let mut command = program();
    command.args(arguments).current_dir(place.path());
    Call(command).finish()
}

#[test]
fn a_gate_and_an_error_are_explained_without_a_migration_file() {
    let gate = explain(&["explain", "g204"]);
    gate.assert_exit(0);
    assert!(
        gate.stdout.starts_with("# G204 message-lag-low\n"),
        "{gate}"
    );
    let error = explain(&["explain", "K204"]);
    error.assert_exit(0);
    assert!(
        error.stdout.starts_with("# K204\n\nThe login was refused"),
        "{error}"
    );
    let stop = explain(&["explain", "K501"]);
    stop.assert_exit(0);
    assert!(
        stop.stdout
            .contains("deleted records before they were copied"),
        "{stop}"
    );
    let document = explain(&["--json", "explain", "G101"]);
    document.assert_exit(0);
    assert_eq!(super::document(&document)["code"], "G101");
}

#[test]
fn a_code_that_is_none_names_the_nearest() {
    let unknown = explain(&["explain", "G2O4"]);
    unknown.assert_exit(2);
    unknown.assert_says("error[K031]: no code is called \"G2O4\"");
    unknown.assert_says("hint: the nearest is G204");
}
