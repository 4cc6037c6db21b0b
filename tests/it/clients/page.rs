//! The page about what clients notice: its table, made of what they said in this run, compared with the one that is shown.
//!
//! Errors and rebalances have to be the same. Durations depend on the machine: they may be shorter, and several times longer.
//! `KAFKA_MIGRATE_REWRITE=clients` writes the table anew.

use std::{fs, time::Duration};

use super::noticed::{Cell, Row};

const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/docs/concepts/what-clients-see.md"
);
const BEGIN: &str = "<!-- table -->\n\n";
const END: &str = "\n<!-- /table -->";

const COLUMNS: [(&str, &[&str]); 4] = [
    ("Producers", &["java producer", "librdkafka producer"]),
    (
        "Transactional producers",
        &["java transactions", "librdkafka transactions"],
    ),
    ("Consumers", &["java consumer", "librdkafka consumer"]),
    ("Kafka Streams", &["java streams"]),
];

/// Compares what was noticed with what the page shows.
pub fn compare(rows: &[(&str, Row)]) {
    let text = fs::read_to_string(PAGE).expect("the page is there");
    let begin = text.find(BEGIN).expect("the page has a table") + BEGIN.len();
    let end = text.find(END).expect("the table ends");
    let (shown, now) = (&text[begin..end], table(rows));
    if std::env::var("KAFKA_MIGRATE_REWRITE").is_ok_and(|asked| asked == "clients") {
        let text = format!("{}{now}{}", &text[..begin], &text[end..]);
        return fs::write(PAGE, text).expect("the project's folder is writable");
    }
    let stale = "`KAFKA_MIGRATE_REWRITE=clients` writes it anew";
    assert_eq!(shown.lines().count(), now.lines().count(), "{stale}\n{now}");
    for (shown, now) in shown.lines().zip(now.lines()) {
        let ((shown_words, shown_times), (words, times)) = (taken_apart(shown), taken_apart(now));
        assert_eq!(shown_words, words, "{PAGE} is stale: {stale}");
        // A client that was denied before its first work has no time to show.
        let times = times.iter().filter(|_| shown_times.len() == times.len());
        for (shown, now) in shown_times.iter().zip(times) {
            assert!(
                *now <= shown * 5.0 + 10.0,
                "{now} s instead of {shown} s: {words}"
            );
        }
    }
}

fn table(rows: &[(&str, Row)]) -> String {
    let heads: Vec<&str> = COLUMNS.iter().map(|(head, _)| *head).collect();
    let mut text = format!(
        "| Phase | {} |\n|{}\n",
        heads.join(" | "),
        " --- |".repeat(COLUMNS.len() + 1)
    );
    for (phase, row) in rows {
        let cells = COLUMNS.iter().map(|(_, clients)| cell(row, clients));
        let cells: Vec<String> = cells.collect();
        text += &format!("| {phase} | {} |\n", cells.join(" | "));
    }
    text
}

/// One text where the libraries agree.
fn cell(row: &Row, clients: &[&str]) -> String {
    let cells = clients.iter().filter_map(|client| {
        let library = match client.starts_with("java") {
            true => "Java",
            false => "librdkafka",
        };
        Some((library, row.get(*client)?))
    });
    let cells: Vec<(&str, &Cell)> = cells.collect();
    let Some((_, first)) = cells.first() else {
        return "–".to_owned();
    };
    if cells.len() == clients.len() && cells.iter().all(|(_, cell)| cell.is_told_as(first)) {
        let longest = cells.iter().map(|(_, cell)| cell.longest).max();
        let all = Cell {
            longest: longest.unwrap_or(Duration::ZERO),
            ..(*first).clone()
        };
        return all.to_string();
    }
    let texts = cells
        .iter()
        .map(|(library, cell)| format!("{library}: {cell}"));
    texts.collect::<Vec<_>>().join("<br>")
}

/// A line with marks for durations, and they.
fn taken_apart(line: &str) -> (String, Vec<f64>) {
    let words: Vec<&str> = line.split(' ').collect();
    let is_unit = |word: Option<&&str>| {
        word.and_then(|word| word.strip_prefix('s'))
            .is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    };
    let mut times = Vec::new();
    let marked = words.iter().enumerate().map(|(at, word)| {
        match word
            .parse::<f64>()
            .ok()
            .filter(|_| is_unit(words.get(at + 1)))
        {
            Some(time) => {
                times.push(time);
                "N"
            }
            None => word,
        }
    });
    let marked = marked.collect::<Vec<_>>().join(" ");
    (marked.replace("; N s", ""), times)
}

#[test]
fn durations_may_differ_and_nothing_else() {
    let apart = taken_apart("| `ready` | nothing; 0.2 s | A: x; 1.0 s<br>B: y; 12.5 s |");
    assert_eq!(apart.1, [0.2, 1.0, 12.5]);
    assert_eq!(apart.0, "| `ready` | nothing | A: x<br>B: y |");
}
