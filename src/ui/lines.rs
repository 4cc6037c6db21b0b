//! The events of a command that runs on as lines, at a humane pace; made for people and for logs.

use std::time::Duration;

use super::{
    beat::{Beat, Comparing, Copying},
    news::{Line, News},
    numbers,
    pace::Pace,
    printable,
};
use crate::events::Event;

/// When something is said.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since the command began, on a clock that does not jump.
    pub since: Duration,
    /// Milliseconds since 1970, for the stamp.
    pub unix_ms: i64,
}

/// What came of an event: lines of news, and the numbers if it was a beat.
#[derive(Debug, Default)]
pub struct Said {
    /// What happened.
    pub news: Vec<Line>,
    /// Where we are.
    pub beat: Option<Beat>,
}

/// Understands events: what is news, what is a beat.
#[derive(Debug, Default)]
pub struct Reading {
    news: News,
    copying: Copying,
    comparing: Comparing,
}

impl Reading {
    /// `verbose` tells more of what happens.
    pub fn new(verbose: bool) -> Self {
        Self {
            news: News::new(verbose),
            ..Self::default()
        }
    }

    /// What an event says.
    pub fn of(&mut self, now: Duration, event: &Event) -> Said {
        if matches!(event, Event::Draining { .. }) {
            self.copying.drain();
        }
        let beat = match event {
            // Before any partition is taken up there is nothing to say, and `0/0, 100%` would be wrong.
            Event::Progress(progress) if progress.partitions + progress.stopped == 0 => None,
            Event::Progress(progress) => Some(self.copying.beat(now, progress)),
            Event::Verifying {
                records,
                bytes,
                remaining,
                total,
            } => Some(
                self.comparing
                    .beat(now, *records, *bytes, *remaining, *total),
            ),
            _ => None,
        };
        Said {
            news: self.news.of(event),
            beat,
        }
    }

    /// What was gathered and not told yet.
    pub fn rest(&mut self) -> Vec<Line> {
        self.news.gathered()
    }
}

/// Turns events into stamped lines.
#[derive(Debug)]
pub struct Lines {
    reading: Reading,
    pace: Pace,
    /// `orders: cluster A → B, started 09:14 UTC`, once it is known.
    banner: Option<String>,
    migration: String,
    word: &'static str,
}

impl Lines {
    /// For a migration; `verbose` tells more of what happens.
    pub fn new(migration: &str, verbose: bool) -> Self {
        Self {
            reading: Reading::new(verbose),
            pace: Pace::default(),
            banner: None,
            migration: migration.to_owned(),
            word: "",
        }
    }

    /// The lines an event is worth now.
    pub fn of(&mut self, now: Moment, event: &Event) -> Vec<String> {
        if let Event::Started {
            source_cluster,
            target_cluster,
            topics,
            partitions,
            ..
        } = event
        {
            self.banner = Some(format!(
                "{}: cluster {source_cluster} → {target_cluster}, {}, {}, started {} UTC",
                self.migration,
                numbers::of(*topics as u64, "topic"),
                numbers::of(*partitions as u64, "partition"),
                numbers::clock(now.unix_ms)
            ));
        }
        let said = self.reading.of(now.since, event);
        let mut lines: Vec<String> = said.news.iter().map(|line| stamped(now, line)).collect();
        if !lines.is_empty() {
            self.pace.change(now.since);
        }
        let Some(beat) = said.beat else {
            return lines;
        };
        let changed = beat.word != self.word;
        if changed {
            self.word = beat.word;
            self.pace.change(now.since);
        }
        if self.pace.is_due(now.since, beat.left) || changed {
            lines.push(stamped(now, &Line::new(beat.word, beat.line())));
        }
        if let Some(banner) = &self.banner
            && self.pace.is_banner_due(now.since)
        {
            lines.push(format!("{} # {banner}", numbers::clock(now.unix_ms)));
        }
        lines
    }

    /// What was gathered and not told yet.
    pub fn rest(&mut self, now: Moment) -> Vec<String> {
        let rest = self.reading.rest();
        rest.iter().map(|line| stamped(now, line)).collect()
    }
}

/// `14:02:11 replicating  …`
pub fn stamped(now: Moment, line: &Line) -> String {
    format!(
        "{} {:<12} {}",
        numbers::clock(now.unix_ms),
        line.word,
        printable(&line.text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Progress;

    fn at(second: u64) -> Moment {
        Moment {
            since: Duration::from_secs(second),
            // 14:02:00 UTC.
            unix_ms: 1_769_868_120_000 + i64::try_from(second).unwrap() * 1000,
        }
    }

    fn started() -> Event {
        Event::Started {
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            topics: 1,
            partitions: 4,
            shards: 1,
        }
    }

    fn progress(done: u64, throttled: bool) -> Event {
        Event::Progress(Progress {
            partitions: 4,
            done,
            total: 100_000,
            lag: 100_000 - done,
            records_per_second: 1000.0,
            bytes_per_second: 1e6,
            throttled_by: throttled.then(|| "rate".into()),
            ..Progress::default()
        })
    }

    #[test]
    fn a_run_as_lines() {
        let mut lines = Lines::new("orders", false);
        let mut said = lines.of(at(0), &started());
        said.extend(lines.of(
            at(1),
            &Event::ShardClaimed {
                shard: 0,
                generation: 1,
                identity: "fresh".into(),
                took_ms: 210,
            },
        ));
        said.extend(lines.of(at(1), &Event::Progress(Progress::default())));
        said.extend(lines.of(at(2), &progress(2000, false)));
        said.extend(lines.of(at(4), &progress(4000, false)));
        said.extend(lines.of(at(5), &progress(5000, true)));
        said.extend(lines.of(at(6), &Event::Draining { in_flight: 1 }));
        said.extend(lines.of(at(7), &progress(5000, true)));
        assert_eq!(
            said,
            [
                "14:02:00 started      1 topic, 4 partitions, 1 shard; cluster Aaa → Bbb",
                "14:02:01 claimed      1 shard (1 fresh), the slowest in 0.2s",
                "14:02:02 replicating  0/4 partitions at the end  2.0%  2000/100k offsets  1.00 MB/s  1000 rec/s  lag 98k",
                "14:02:04 replicating  0/4 partitions at the end  4.0%  4000/100k offsets  1.00 MB/s  1000 rec/s  lag 96k  eta 1m 36s",
                "14:02:05 throttled    by rate  0/4 partitions at the end  5.0%  5000/100k offsets  1.00 MB/s  1000 rec/s  lag 95k  eta 1m 35s",
                "14:02:07 draining     0/4 partitions at the end  5.0%  5000/100k offsets  1.00 MB/s  1000 rec/s  lag 95k",
            ]
        );
    }

    #[test]
    fn a_quiet_stretch_has_few_lines_and_a_change_has_one_at_once() {
        let mut lines = Lines::new("orders", false);
        lines.of(at(0), &started());
        let mut written = Vec::new();
        for second in 1..700 {
            // Nothing moves, so there is no end in sight.
            let event = progress(10, (400..500).contains(&second));
            written.extend(lines.of(at(second), &event));
        }
        let of = |from: usize, to: usize| {
            (from..to)
                .filter(|second| {
                    let clock = numbers::clock(at(*second as u64).unix_ms);
                    written.iter().any(|line| line.starts_with(&clock))
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(of(1, 60).len(), 59);
        // Around the start, which was news; then seldom.
        assert_eq!(of(100, 200).len(), 3);
        let changed = of(390, 420);
        assert!(changed.contains(&400) && changed.len() <= 7, "{changed:?}");
        let banners: Vec<&String> = written.iter().filter(|line| line.contains(" # ")).collect();
        assert_eq!(
            banners,
            ["14:12:00 # orders: cluster Aaa → Bbb, 1 topic, 4 partitions, started 14:02:00 UTC"]
        );
    }

    #[test]
    fn topics_that_were_gathered_are_told_with_the_next_beat_or_at_the_end() {
        let mut lines = Lines::new("orders", false);
        let added = |topic: &str| Event::TopicAdded {
            topic: topic.into(),
            partitions: 1,
            created: true,
        };
        assert!(lines.of(at(0), &added("a")).is_empty());
        assert_eq!(
            lines.of(at(1), &progress(1, false))[0],
            "14:02:01 added        a, 1 partition, made on the target"
        );
        assert!(lines.of(at(2), &added("b")).is_empty());
        assert_eq!(lines.rest(at(3)).len(), 1);
    }
}
