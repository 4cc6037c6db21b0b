//! The same events as versioned JSON lines: `v`, `at`, `migration`, `event`, and what the event says.

use serde::Serialize;

use super::numbers;

/// Version of the lines' shape.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a, T> {
    v: u32,
    at: String,
    migration: &'a str,
    #[serde(flatten)]
    said: &'a T,
}

/// One line, with its newline. `said` names its `event` itself.
pub fn line(unix_ms: i64, migration: &str, said: &impl Serialize) -> String {
    let line = Line {
        v: VERSION,
        at: numbers::stamp(unix_ms),
        migration,
        said,
    };
    serde_json::to_string(&line).expect("our events have string keys") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Progress};

    #[test]
    fn every_line_says_when_and_of_which_migration() {
        let claimed = Event::ShardClaimed {
            shard: 1,
            generation: 2,
            identity: "continued".into(),
            took_ms: 3,
        };
        assert_eq!(
            line(1_769_850_842_123, "orders", &claimed),
            "{\"v\":1,\"at\":\"2026-01-31T09:14:02.123Z\",\"migration\":\"orders\",\"event\":\"shard-claimed\",\
             \"shard\":1,\"generation\":2,\"identity\":\"continued\",\"took_ms\":3}\n"
        );
    }

    #[test]
    fn a_beat_lies_flat_and_is_valid_json_whatever_its_numbers() {
        let progress = Event::Progress(Progress {
            records_per_second: f64::NAN,
            bytes_per_second: f64::INFINITY,
            slowest: Some(("a\"b-1".into(), 2)),
            ..Progress::default()
        });
        let value: serde_json::Value =
            serde_json::from_str(&line(0, "orders", &progress)).expect("it is JSON");
        assert_eq!(value["event"], "progress");
        assert_eq!(value["lag"], 0);
        assert_eq!(value["records_per_second"], serde_json::Value::Null);
        assert_eq!(value["slowest"], serde_json::json!(["a\"b-1", 2]));
    }
}
