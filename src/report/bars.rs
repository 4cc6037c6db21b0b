//! The steps of a move over time, as SVG: a bar each, and the moments that its clients notice.

use std::{fmt::Write as _, time::Duration};

use super::html::escaped;
use crate::model::numbers;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 70.0;
const ROW: f64 = 22.0;
const TOP: f64 = 20.0;

/// What a bar tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was done, or it held.
    Good,
    /// It failed.
    Bad,
    /// It was undone.
    Undo,
}

/// One step, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The step.
    pub name: String,
    /// When it began, in milliseconds since 1970.
    pub from_ms: i64,
    /// When it ended.
    pub to_ms: i64,
    /// What it tells.
    pub kind: Kind,
}

/// Steps over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bars {
    /// In the order in which they were begun.
    pub bars: Vec<Bar>,
    /// Our own share of the downtime, from and until.
    pub ours: Option<(i64, i64)>,
    /// When it was stopped and when it was seen alive.
    pub moments: Vec<(String, i64)>,
}

impl Bars {
    /// Drawn; nothing where there is no bar.
    pub fn svg(&self) -> String {
        let from = self.bars.iter().map(|bar| bar.from_ms).min().unwrap_or(0);
        let to = self.bars.iter().map(|bar| bar.to_ms).max().unwrap_or(0);
        let span = (to - from).max(1) as f64;
        let x = |at_ms: i64| {
            let share = ((at_ms - from) as f64 / span).clamp(0.0, 1.0);
            LEFT + share * (WIDTH - LEFT - RIGHT)
        };
        let height = TOP + ROW * self.bars.len() as f64 + 26.0;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"steps over time\">\n"
        );
        if let Some((since, until)) = self.ours {
            writeln!(
                svg,
                "<rect class=\"ours\" x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"><title>our own share of the downtime</title></rect>",
                x(since),
                (x(until) - x(since)).max(1.0),
                height - TOP - 22.0
            )
            .ok();
        }
        for (place, bar) in self.bars.iter().enumerate() {
            let top = TOP + ROW * place as f64;
            let class = match bar.kind {
                Kind::Good => "bar",
                Kind::Bad => "bar bad",
                Kind::Undo => "bar undo",
            };
            let (left, right) = (x(bar.from_ms), x(bar.to_ms));
            let took = u64::try_from(bar.to_ms - bar.from_ms).unwrap_or(0);
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/><text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                top + 15.0,
                escaped(&bar.name),
                top + 4.0,
                (right - left).max(1.5),
                ROW - 8.0,
                right.max(left + 1.5) + 5.0,
                top + 15.0,
                took_words(took)
            )
            .ok();
        }
        for (name, at_ms) in &self.moments {
            let at = x(*at_ms);
            writeln!(
                svg,
                "<path class=\"moment\" d=\"M{at:.1} {TOP}V{:.1}\"/><text class=\"faint\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                height - 22.0,
                TOP - 6.0,
                escaped(name)
            )
            .ok();
        }
        for (at_ms, anchor) in [(from, "start"), (to, "end")] {
            writeln!(
                svg,
                "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{} UTC</text>",
                x(at_ms),
                height - 6.0,
                numbers::clock(at_ms)
            )
            .ok();
        }
        svg + "</svg>"
    }
}

/// Milliseconds, as finely as a move is looked at.
pub fn took_words(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{:.2} s", ms as f64 / 1000.0),
        _ => numbers::time(Duration::from_millis(ms)),
    }
}
