//! The bugs that the suite has to find (`scripts/planted`): each patch still fits the tree, so that none of them is tried in vain.

use std::{fs, path::Path};

/// Rules of the protocol that a bug breaks.
const RULES: usize = 10;

/// The lines that a hunk expects, and those that it leaves.
#[derive(Default)]
struct Hunk {
    before: Vec<String>,
    after: Vec<String>,
}

/// The hunks of a patch, each with the file that it is of.
fn hunks(patch: &str) -> Vec<(String, Hunk)> {
    let mut hunks: Vec<(String, Hunk)> = Vec::new();
    let mut file = String::new();
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = path.to_owned();
        } else if line.starts_with("@@") {
            hunks.push((file.clone(), Hunk::default()));
        } else if let Some((_, hunk)) = hunks.last_mut().filter(|_| !line.starts_with("---")) {
            let (mark, text) = line.split_at_checked(1).unwrap_or((" ", ""));
            if mark != "+" {
                hunk.before.push(text.to_owned());
            }
            if mark != "-" {
                hunk.after.push(text.to_owned());
            }
        }
    }
    hunks
}

#[test]
fn every_bug_that_is_planted_still_fits_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = fs::read_dir(root.join("tests/planted")).expect("they are in the tree");
    let mut numbers = Vec::new();
    for patch in patches {
        let path = patch.expect("it can be listed").path();
        let name = path.file_name().expect("it has a name").to_string_lossy();
        numbers.push(name.get(..2).and_then(|number| number.parse().ok()));
        let text = fs::read_to_string(&path).expect("it is text");
        let says = text.lines().next().unwrap_or_default();
        assert!(says.ends_with('.'), "{name} does not say what it breaks");
        let hunks = hunks(&text);
        assert!(!hunks.is_empty(), "{name} changes nothing");
        for (file, hunk) in hunks {
            let source = fs::read_to_string(root.join(&file)).unwrap_or_default();
            let lines: Vec<&str> = source.lines().collect();
            let places = lines.windows(hunk.before.len());
            let fits = places.filter(|place| *place == hunk.before).count();
            assert_eq!(fits, 1, "{name}: where it changes {file} is not found");
            assert_ne!(hunk.before, hunk.after, "{name}: {file}");
        }
    }
    numbers.sort_unstable();
    let all: Vec<_> = (1..=RULES).map(Some).collect();
    assert_eq!(numbers, all, "one patch for each rule");
}
