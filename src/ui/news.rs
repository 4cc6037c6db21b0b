//! What happened, as lines: everything but the beat. Floods of one kind are told as one.

use super::numbers;
use crate::events::{Choice, Event};

/// New topics named one by one before they are counted.
const TOPICS_NAMED: usize = 3;
/// Stopped partitions told one by one before `status` is left to list them.
const STOPS_TOLD: usize = 20;
/// Of so many the ways on are told too.
const WAYS_TOLD: usize = 3;

/// A word for the first column, and the rest of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub word: &'static str,
    /// What happened.
    pub text: String,
    /// Something went wrong: said with `--quiet` too.
    pub bad: bool,
}

impl Line {
    /// News.
    pub fn new(word: &'static str, text: impl Into<String>) -> Self {
        Self {
            word,
            text: text.into(),
            bad: false,
        }
    }

    fn bad(word: &'static str, text: impl Into<String>) -> Self {
        Self {
            bad: true,
            ..Self::new(word, text)
        }
    }
}

/// Gathers events until they are worth a line.
#[derive(Debug, Default)]
pub struct News {
    /// Tell each shard's claim.
    verbose: bool,
    shards: usize,
    claims: Claims,
    topics: Vec<(String, i32, bool)>,
    stops: usize,
}

#[derive(Debug, Default)]
struct Claims {
    fresh: usize,
    continued: usize,
    fenced: usize,
    slowest_ms: u64,
}

impl News {
    /// `verbose` tells each shard's claim.
    pub fn new(verbose: bool) -> Self {
        Self {
            verbose,
            ..Self::default()
        }
    }

    /// The lines this event is worth; those that were gathered come first.
    pub fn of(&mut self, event: &Event) -> Vec<Line> {
        if let Event::TopicAdded {
            topic,
            partitions,
            created,
        } = event
        {
            self.topics.push((topic.clone(), *partitions, *created));
            return Vec::new();
        }
        let mut lines = self.gathered();
        lines.extend(self.line(event));
        if let Event::PartitionStopped { choices, .. } = event
            && self.stops <= WAYS_TOLD
        {
            let choice = |choice: &Choice| match &choice.command {
                Some(command) => Line::bad("way on", format!("{}: {command}", choice.does)),
                None => Line::bad("way on", choice.does.clone()),
            };
            lines.extend(choices.iter().map(choice));
        }
        lines
    }

    /// What was gathered and not told yet.
    pub fn gathered(&mut self) -> Vec<Line> {
        let topics = std::mem::take(&mut self.topics);
        if topics.len() <= TOPICS_NAMED {
            let line = |(topic, partitions, created): (String, i32, bool)| {
                let made = if created { ", made on the target" } else { "" };
                Line::new(
                    "added",
                    format!(
                        "{topic}, {}{made}",
                        numbers::of(positive(partitions), "partition")
                    ),
                )
            };
            return topics.into_iter().map(line).collect();
        }
        let partitions: u64 = topics.iter().map(|(_, count, _)| positive(*count)).sum();
        let created = topics.iter().filter(|(_, _, created)| *created).count();
        let text = format!(
            "{} with {}, {created} of them made on the target",
            numbers::of(topics.len() as u64, "topic"),
            numbers::of(partitions, "partition"),
        );
        vec![Line::new("added", text)]
    }

    fn line(&mut self, event: &Event) -> Option<Line> {
        Some(match event {
            Event::Started {
                source_cluster,
                target_cluster,
                topics,
                partitions,
                shards,
            } => {
                self.shards = *shards;
                Line::new(
                    "started",
                    format!(
                        "{}, {}, {}; cluster {source_cluster} → {target_cluster}",
                        numbers::of(*topics as u64, "topic"),
                        numbers::of(*partitions as u64, "partition"),
                        numbers::of(*shards as u64, "shard"),
                    ),
                )
            }
            Event::ShardClaimed {
                shard,
                generation,
                identity,
                took_ms,
            } => return self.claimed(*shard, *generation, identity, *took_ms),
            Event::ShardRestarted { shard, reason } => {
                Line::bad("restarted", format!("shard {shard}: {reason}"))
            }
            Event::PartitionsAdded { topic, partitions } => {
                Line::new("grown", format!("{topic} to {}", numbers::of(positive(*partitions), "partition")))
            }
            Event::PartitionStopped {
                topic,
                partition,
                code,
                reason,
                source_offset,
                ..
            } => {
                self.stops += 1;
                match self.stops {
                    ..=STOPS_TOLD => Line::bad(
                        "stopped",
                        format!("{topic}-{partition} at source offset {source_offset}: {reason}  {code}"),
                    ),
                    n if n == STOPS_TOLD + 1 => {
                        Line::bad("stopped", "and more partitions; `kafka-migrate status` lists them")
                    }
                    _ => return None,
                }
            }
            Event::Decided {
                topic,
                partition,
                code,
                decision,
            } => Line::new("decided", format!("{topic}-{partition}: {decision}  {code}")),
            Event::Trimmed {
                topic,
                partition,
                reason,
                ..
            } => Line::new("trimmed", format!("{topic}-{partition}: {reason}")),
            Event::RetentionHeld { topic, settings } => Line::new(
                "held",
                format!("{topic} on the target, while old records arrive: {}", settings.join(", ")),
            ),
            Event::RetentionRestored { topic, left } if left.is_empty() => Line::new(
                "restored",
                format!("{topic} on the target keeps again what it kept before"),
            ),
            Event::RetentionRestored { topic, left } => Line::bad(
                "restored",
                format!(
                    "{topic} on the target, but for what somebody has changed meanwhile, which is left as it is: {}",
                    left.join(", ")
                ),
            ),
            Event::SettingsFollowed { topic, brought } => Line::new(
                "set",
                format!("{topic} on the target, as on the source: {}", brought.join(", ")),
            ),
            Event::AclsFollowed { made, removed } => Line::new(
                "rules",
                format!("on the target, as on the source: {}", changed(made, removed)),
            ),
            Event::CaughtUp { records } => Line::new(
                "caught up",
                format!(
                    "every partition reached the end seen at the start; {} records copied",
                    numbers::exact(*records)
                ),
            ),
            // Each shard says so; the beats' word says it too.
            Event::Draining { in_flight } if self.verbose => Line::new(
                "draining",
                format!("{} in flight to be answered", batches(*in_flight)),
            ),
            Event::Trouble { text } => Line::bad("trouble", text.clone()),
            Event::Steered { text } => Line::new("steered", text.clone()),
            Event::Step { state, .. } if state == "begins" && !self.verbose => return None,
            Event::Step {
                number,
                of,
                says,
                state,
                said,
                took_ms,
                ..
            } => {
                let mut text = format!("{number} of {of}, {says}: {state}");
                if !said.is_empty() {
                    text += &format!(" ({said})");
                }
                if *took_ms > 0 {
                    let took = numbers::time(std::time::Duration::from_millis(*took_ms));
                    text += &format!("  {took}");
                }
                match state.as_str() {
                    "failed" | "not undone" => Line::bad("step", text),
                    _ => Line::new("step", text),
                }
            }
            Event::StepWaits {
                said, waited_ms, ..
            } => {
                let waited = numbers::time(std::time::Duration::from_millis(*waited_ms));
                Line::new("waits", format!("{said}  {waited}"))
            }
            Event::TopicAdded { .. }
            | Event::Draining { .. }
            | Event::Progress(_)
            | Event::WayBack(_)
            | Event::Verifying { .. }
            // The last line of the command says it.
            | Event::Stopped { .. } => return None,
        })
    }

    fn claimed(
        &mut self,
        shard: u32,
        generation: u64,
        identity: &str,
        took_ms: u64,
    ) -> Option<Line> {
        let claims = &mut self.claims;
        match identity {
            "continued" => claims.continued += 1,
            "fenced" => claims.fenced += 1,
            _ => claims.fresh += 1,
        }
        claims.slowest_ms = claims.slowest_ms.max(took_ms);
        let time = |ms| numbers::time(std::time::Duration::from_millis(ms));
        if self.verbose {
            let text = format!(
                "shard {shard}, generation {generation}, identity {identity}, in {}",
                time(took_ms)
            );
            return Some(Line::new("claimed", text));
        }
        let all = claims.fresh + claims.continued + claims.fenced;
        if all < self.shards {
            return None;
        }
        let kinds = [
            (claims.fresh, "fresh"),
            (claims.continued, "continued"),
            (claims.fenced, "fenced after an unclean stop"),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        let text = format!(
            "{} ({}), the slowest in {}",
            numbers::of(all as u64, "shard"),
            kinds.join(", "),
            time(claims.slowest_ms)
        );
        *claims = Claims::default();
        // A shard that restarts later claims alone.
        self.shards = 1;
        Some(Line::new("claimed", text))
    }
}

fn batches(count: u64) -> String {
    match count {
        1 => "1 batch".to_owned(),
        count => format!("{} batches", numbers::exact(count)),
    }
}

fn positive(count: i32) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// `3 made (allow User:a Read on topic t, and 2 more), 1 removed (…)`.
fn changed(made: &[String], removed: &[String]) -> String {
    let count = |rules: &[String], word: &str| {
        let first = rules.first()?;
        let more = match rules.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Some(format!("{} {word} ({first}{more})", rules.len()))
    };
    let all = [count(made, "made"), count(removed, "removed")];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(news: &mut News, events: &[Event]) -> Vec<String> {
        let lines = events.iter().flat_map(|event| news.of(event));
        lines
            .map(|line| format!("{}: {}", line.word, line.text))
            .collect()
    }

    fn claim(shard: u32, identity: &str) -> Event {
        Event::ShardClaimed {
            shard,
            generation: 4,
            identity: identity.into(),
            took_ms: 100 + u64::from(shard),
        }
    }

    fn started() -> Event {
        Event::Started {
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            topics: 3,
            partitions: 12,
            shards: 2,
        }
    }

    #[test]
    fn claims_are_told_once_all_shards_are_there() {
        let mut news = News::default();
        assert_eq!(
            told(
                &mut news,
                &[started(), claim(0, "continued"), claim(1, "fenced")]
            ),
            [
                "started: 3 topics, 12 partitions, 2 shards; cluster Aaa → Bbb",
                "claimed: 2 shards (1 continued, 1 fenced after an unclean stop), the slowest in 0.1s",
            ]
        );
        assert_eq!(
            told(&mut news, &[claim(1, "continued")]),
            ["claimed: 1 shard (1 continued), the slowest in 0.1s"]
        );
        assert_eq!(
            told(&mut News::new(true), &[started(), claim(1, "fresh")])[1],
            "claimed: shard 1, generation 4, identity fresh, in 0.1s"
        );
    }

    #[test]
    fn a_flood_of_topics_is_one_line() {
        let added = |index: usize| Event::TopicAdded {
            topic: format!("topic-{index}"),
            partitions: 6,
            created: index.is_multiple_of(2),
        };
        let mut news = News::default();
        assert!(told(&mut news, &[added(0), added(1)]).is_empty());
        let lines: Vec<String> = news.gathered().into_iter().map(|line| line.text).collect();
        assert_eq!(
            lines,
            [
                "topic-0, 6 partitions, made on the target",
                "topic-1, 6 partitions"
            ]
        );
        let many: Vec<Event> = (0..300).map(added).collect();
        assert!(told(&mut news, &many).is_empty());
        assert_eq!(
            told(&mut news, &[Event::CaughtUp { records: 12_000 }]),
            [
                "added: 300 topics with 1,800 partitions, 150 of them made on the target",
                "caught up: every partition reached the end seen at the start; 12,000 records copied",
            ]
        );
    }

    #[test]
    fn a_flood_of_stops_ends() {
        let stop = |partition| Event::PartitionStopped {
            topic: "orders".into(),
            partition,
            code: "K501".into(),
            reason: "the source begins at 40".into(),
            source_offset: 12,
            goes_on_at: None,
            since_ms: 0,
            choices: Vec::new(),
        };
        let stops: Vec<Event> = (0..100).map(stop).collect();
        let lines = told(&mut News::default(), &stops);
        assert_eq!(
            lines[0],
            "stopped: orders-0 at source offset 12: the source begins at 40  K501"
        );
        assert_eq!(lines.len(), STOPS_TOLD + 1);
        assert!(lines[STOPS_TOLD].contains("status"));
    }
}
