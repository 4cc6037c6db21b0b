//! What replicators wrote to their log of late that looks like trouble, the newest first.

use super::{Clients, failure::Asked};
use crate::{
    error::Failure,
    msk::{Advice, of_log},
};

/// Lines with any of these words. The service does not publish how its lines look, and it searches letter for letter.
const PATTERN: &str = "?ERROR ?Error ?error ?WARN ?Warn ?warn ?Exception ?exception ?FAIL ?Fail ?fail ?\"larger than\" ?\"out of range\"";
/// Most pages that are searched: empty ones are no sign of the end.
const PAGES: usize = 50;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Where it was written.
    pub stream: String,
    /// What it says.
    pub text: String,
    /// What is behind it and what to do, where that is known.
    pub advice: Option<Advice>,
}

/// The last lines since `since_ms` that tell of trouble, `most` at most. One text that comes again and again is one line, the last.
pub async fn troubles(
    clients: &Clients,
    group: &str,
    since_ms: i64,
    most: usize,
) -> Result<Vec<Line>, Failure> {
    let mut pages = clients
        .logs
        .filter_log_events()
        .log_group_name(group)
        .filter_pattern(PATTERN)
        .start_time(since_ms)
        .start_from_head(false)
        .into_paginator()
        .send();
    let mut lines: Vec<Line> = Vec::new();
    for _ in 0..PAGES {
        let page = match pages.next().await {
            None => break,
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                let asked = Asked::to("logs:FilterLogEvents").on(group);
                return Err(clients.failed(&asked, &error).await);
            }
        };
        for event in page.events() {
            let text = event.message().unwrap_or_default().trim();
            if lines.iter().any(|line| line.text == text) {
                continue;
            }
            lines.push(Line {
                at_ms: event.timestamp().unwrap_or_default(),
                stream: event.log_stream_name().unwrap_or_default().to_owned(),
                text: text.to_owned(),
                advice: of_log(text),
            });
        }
        if lines.len() >= most {
            break;
        }
    }
    lines.truncate(most);
    Ok(lines)
}
