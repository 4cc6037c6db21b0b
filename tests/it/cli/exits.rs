//! Every exit code is reached by a test: the list is `src/exit.rs`, and the tests are read for it.

use std::{fs, path::Path};

use super::{Place, file, nobody};
use crate::support::tool::{Call, program};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything under a folder, one file after the other.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("folders of the project can be listed") {
        let path = entry.expect("folders of the project can be listed").path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).expect("source files are UTF-8");
        }
    }
    text
}

/// Names and numbers, as the program has them.
fn codes() -> Vec<(String, i32)> {
    let text = fs::read_to_string(root().join("src/exit.rs")).expect("it is there");
    let code = |line: &str| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(code).collect()
}

#[test]
fn every_exit_code_is_reached_by_a_test() {
    let codes = codes();
    assert!(codes.len() >= 12, "{codes:?}");
    let tests = sources(&root().join("tests/it"));
    for (name, number) in codes {
        // Built here, so that this line is no such place itself.
        let reached = ["assert_exit(", &number.to_string(), ")"].concat();
        assert!(
            tests.contains(&reached),
            "no test ends with {number}, {name}"
        );
    }
}

#[test]
fn where_not_even_the_runtime_can_start_that_is_told_as_no_fault_of_the_user_s() {
    let (_held, nowhere) = nobody();
    let place = Place::with(&file(&nowhere, &nowhere));
    // Three files are what every process has open, and the loader needs a fourth; the runtime needs more.
    // What a test inherited from whoever started it is closed first.
    let closed: Vec<String> = (3..10).map(|file| format!("exec {file}>&-")).collect();
    let closed = closed.join("; ");
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("{closed}; ulimit -n 4; exec \"$0\" status")])
        .arg(program().get_program())
        .current_dir(place.path())
        .env("NO_COLOR", "1");
    let ended = Call(shell).finish();
    ended.assert_exit(1);
    ended.assert_says("error[K000]: the runtime cannot start");
}
