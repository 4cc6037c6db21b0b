//! Progress on a terminal: a bar of offsets, a bar of partitions, a line of speed; news scroll by above them.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::beat::Beat;

/// Bars are this wide; what does not fit behind them is cut at the edge of the terminal.
const AMOUNT: &str = "{prefix:<12} {bar:28} {wide_msg}";
const SPEED: &str = "{prefix:<12} {wide_msg}";

/// The bars of one command.
pub struct Bars {
    all: MultiProgress,
    amount: ProgressBar,
    partitions: Option<ProgressBar>,
    speed: ProgressBar,
}

/// What one row shows.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    prefix: String,
    share: (u64, u64),
    text: String,
}

impl Default for Bars {
    fn default() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let amount = all.add(ProgressBar::new(1).with_style(style(AMOUNT)));
        let speed = all.add(ProgressBar::new(1).with_style(style(SPEED)));
        Self {
            all,
            amount,
            partitions: None,
            speed,
        }
    }
}

impl Bars {
    /// A line above the bars.
    pub fn line(&self, line: &str) {
        // A terminal that went away is no reason to stop copying.
        self.all.println(line).ok();
    }

    /// Where we are.
    pub fn beat(&mut self, beat: &Beat) {
        show(&self.amount, amount(beat));
        if let Some(row) = partitions(beat) {
            let bar = self.partitions.get_or_insert_with(|| {
                let bar = ProgressBar::new(1).with_style(style(AMOUNT));
                self.all.insert_after(&self.amount, bar)
            });
            show(bar, row);
        }
        show(&self.speed, speed(beat));
    }

    /// Takes the bars away.
    pub fn close(&self) {
        self.all.clear().ok();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("our templates are templates")
        .progress_chars("━╸─")
}

fn show(bar: &ProgressBar, row: Row) {
    bar.set_length(row.share.1.max(1));
    bar.set_position(if row.share.1 == 0 { 1 } else { row.share.0 });
    bar.set_prefix(row.prefix);
    bar.set_message(row.text);
    bar.tick();
}

fn amount(beat: &Beat) -> Row {
    let parts: Vec<String> = [beat.amount.clone()]
        .into_iter()
        .chain(beat.eta())
        .collect();
    Row {
        prefix: beat.word.to_owned(),
        share: beat.share,
        text: parts.join("  "),
    }
}

fn partitions(beat: &Beat) -> Option<Row> {
    Some(Row {
        prefix: String::new(),
        share: beat.partitions?,
        text: beat.ends.clone().unwrap_or_default(),
    })
}

fn speed(beat: &Beat) -> Row {
    let because = beat
        .because
        .as_ref()
        .map(|why| format!("held back by {why}"));
    let parts: Vec<String> = beat.speed.iter().cloned().chain(because).collect();
    Row {
        prefix: String::new(),
        share: (0, 1),
        text: parts.join("  "),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{events::Progress, ui::beat::Copying};

    #[test]
    fn rows_hold_the_numbers_of_a_beat() {
        let mut copying = Copying::default();
        let progress = |done: u64| Progress {
            partitions: 12,
            caught_up: 4,
            stopped: 1,
            done,
            total: 2_000_000,
            lag: 2_000_000 - done,
            records_per_second: 96_000.0,
            bytes_per_second: 412e6,
            throttled_by: Some("rate 412 MB/s".into()),
            slowest: Some(("orders-7".into(), 41_000)),
            ..Progress::default()
        };
        copying.beat(Duration::ZERO, &progress(0));
        let beat = copying.beat(Duration::from_secs(10), &progress(1_000_000));
        let row = |prefix: &str, share, text: &str| Row {
            prefix: prefix.into(),
            share,
            text: text.into(),
        };
        assert_eq!(
            amount(&beat),
            row(
                "throttled",
                (1_000_000, 2_000_000),
                "50.0%  1M/2M offsets  eta 10s"
            )
        );
        assert_eq!(
            partitions(&beat),
            Some(row("", (4, 12), "4/12 partitions at the end, 1 stopped"))
        );
        assert_eq!(
            speed(&beat),
            row(
                "",
                (0, 1),
                "412 MB/s  96k rec/s  lag 1M  slowest orders-7 41k  held back by rate 412 MB/s"
            )
        );
    }

    #[test]
    fn templates_are_templates() {
        style(AMOUNT);
        style(SPEED);
    }
}
