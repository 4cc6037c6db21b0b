//! Old journals to the current shape: one function per version, applied in order before a line is understood.

use serde_json::Value;

/// The version of the lines that this program writes.
pub const VERSION: u32 = 2;

/// Turns a line of version n into one of version n + 1; the first is of version 1.
type Step = fn(Value) -> Value;

/// A change of the journal's shape adds its function here, and a journal of before to the tests.
const STEPS: &[Step] = &[says_no_less];

/// Version 2 may say more: where groups go on, beside an attestation, and what they were given a second time. All that was said before is said as
/// it was.
fn says_no_less(line: Value) -> Value {
    line
}

/// Why a line's version cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A newer program wrote it.
    Newer(u64),
    /// It names none.
    Unversioned,
}

/// A line in the current shape.
pub fn upcast(line: Value) -> Result<Value, Unknown> {
    through(line, STEPS)
}

fn through(mut line: Value, steps: &[Step]) -> Result<Value, Unknown> {
    let found = line.get("v").and_then(Value::as_u64);
    let newest = steps.len() as u64 + 1;
    match found {
        Some(version @ 1..) if version <= newest => {
            let passed = usize::try_from(version - 1).unwrap_or(usize::MAX);
            for (number, step) in steps.iter().enumerate().skip(passed) {
                line = step(line);
                line["v"] = (number + 2).into();
            }
            Ok(line)
        }
        Some(version) if version > newest => Err(Unknown::Newer(version)),
        _ => Err(Unknown::Unversioned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_version_passes_through_all_later_ones_and_a_newer_one_is_refused() {
        let renamed: Step = |mut line| {
            line["kind"] = line["type"].take();
            line
        };
        let counted: Step = |mut line| {
            line["attempt"] = 1.into();
            line
        };
        let steps = [renamed, counted];
        let first = through(json!({"v": 1, "type": "intent"}), &steps).unwrap();
        assert_eq!(
            (&first["v"], &first["kind"], &first["attempt"]),
            (&json!(3), &json!("intent"), &json!(1))
        );
        let second = through(json!({"v": 2, "kind": "done"}), &steps).unwrap();
        assert_eq!((&second["v"], &second["kind"]), (&json!(3), &json!("done")));
        let newest = json!({"v": 3, "kind": "done"});
        assert_eq!(through(newest.clone(), &steps), Ok(newest));
        assert_eq!(through(json!({"v": 4}), &steps), Err(Unknown::Newer(4)));
        for line in [json!({"v": 0}), json!({}), json!([1]), json!({"v": "1"})] {
            assert_eq!(through(line, &steps), Err(Unknown::Unversioned));
        }
    }

    #[test]
    fn the_version_that_is_written_is_the_newest_that_is_read() {
        assert_eq!(VERSION as usize, STEPS.len() + 1);
    }
}
