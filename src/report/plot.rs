//! Lines over time, as SVG with axes, units and gaps, and as a table.

use std::{fmt::Write as _, time::Duration};

use super::html::escaped;
use crate::model::numbers;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 28.0;

/// What is measured, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Offsets.
    Offsets,
    /// Milliseconds.
    Milliseconds,
    /// Records per second.
    RecordsPerSecond,
    /// Bytes per second.
    BytesPerSecond,
}

impl Unit {
    fn words(self, value: f64) -> String {
        let whole = value.max(0.0).round() as u64;
        match self {
            Self::Offsets => numbers::count(whole),
            Self::Milliseconds if whole < 1000 => format!("{whole} ms"),
            Self::Milliseconds => numbers::time(Duration::from_millis(whole)),
            Self::RecordsPerSecond if value < 9.95 => format!("{value:.1} rec/s"),
            Self::RecordsPerSecond => format!("{} rec/s", numbers::count(whole)),
            Self::BytesPerSecond => numbers::rate(value),
        }
    }
}

/// What was measured in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// From when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Until when.
    pub at_ms: i64,
    /// In the plot's unit.
    pub value: f64,
    /// It begins where the one before ends.
    pub follows: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is of.
    pub name: &'static str,
    /// In order of time.
    pub stretches: Vec<Stretch>,
}

/// Lines of one unit over the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// In what.
    pub unit: Unit,
    /// From when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// Its lines, at most two.
    pub series: Vec<Series>,
    /// When nothing was seen, from and until.
    pub gaps: Vec<(i64, i64)>,
}

impl Plot {
    /// The smallest, the largest and the last of each line.
    pub fn table(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let head = vec!["direction", "smallest", "largest", "when", "last", "seen"];
        let row = |series: &Series| {
            let all = &series.stretches;
            let by = |a: &&Stretch, b: &&Stretch| a.value.total_cmp(&b.value);
            let least = all.iter().min_by(by)?;
            let most = all.iter().max_by(by)?;
            let seen: i64 = all.iter().map(|one| one.at_ms - one.since_ms).sum();
            let seen = Duration::from_millis(u64::try_from(seen).unwrap_or(0));
            Some(vec![
                series.name.to_owned(),
                self.unit.words(least.value),
                self.unit.words(most.value),
                numbers::stamp(most.at_ms),
                self.unit.words(all.last()?.value),
                numbers::time(seen),
            ])
        };
        (head, self.series.iter().filter_map(row).collect())
    }

    /// Drawn. Every value holds for its stretch; where nothing was seen the line ends.
    pub fn svg(&self) -> String {
        let stretches = self.series.iter().flat_map(|one| &one.stretches);
        let most = stretches.map(|one| one.value).fold(0.0, f64::max);
        let top = if most > 0.0 { most } else { 1.0 };
        let span = (self.to_ms - self.from_ms).max(1) as f64;
        let x = |at_ms: i64| {
            let share = ((at_ms - self.from_ms) as f64 / span).clamp(0.0, 1.0);
            LEFT + share * (WIDTH - LEFT - RIGHT)
        };
        let y = |value: f64| {
            let share = (value / top).clamp(0.0, 1.0);
            HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escaped(&self.title)
        );
        for (from, until) in &self.gaps {
            let (left, right) = (x(*from), x(*until));
            writeln!(
                svg,
                "<rect class=\"gap\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"><title>no numbers from {} to {}</title></rect>",
                right - left,
                HEIGHT - TOP - BOTTOM,
                numbers::stamp(*from),
                numbers::stamp(*until)
            )
            .ok();
        }
        for share in [0.0, 0.5, 1.0] {
            let at = y(top * share);
            writeln!(
                svg,
                "<path class=\"axis\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                escaped(&self.unit.words(top * share))
            )
            .ok();
        }
        for (step, anchor) in [
            (0, "start"),
            (1, "middle"),
            (2, "middle"),
            (3, "middle"),
            (4, "end"),
        ] {
            let at_ms = self.from_ms + (self.to_ms - self.from_ms) * step / 4;
            let stamp = numbers::stamp(at_ms);
            let words = match step {
                0 => stamp.get(..19).unwrap_or_default().replace('T', " "),
                4 => format!("{} UTC", numbers::clock(at_ms)),
                _ => numbers::clock(at_ms),
            };
            writeln!(
                svg,
                "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{words}</text>",
                x(at_ms),
                HEIGHT - 8.0
            )
            .ok();
        }
        for (series, class) in self.series.iter().zip(["one", "two"]) {
            let mut path = String::new();
            for one in &series.stretches {
                let (from, until, at) = (x(one.since_ms), x(one.at_ms), y(one.value));
                let to = if one.follows { 'L' } else { 'M' };
                write!(path, "{to}{from:.1} {at:.1}H{until:.1}").ok();
            }
            // A line begins by being moved to, whatever comes before it.
            let path = path.replacen('L', "M", usize::from(path.starts_with('L')));
            writeln!(svg, "<path class=\"series {class}\" d=\"{path}\"/>").ok();
            let largest = series.stretches.iter();
            if let Some(most) = largest.max_by(|a, b| a.value.total_cmp(&b.value)) {
                let (at, anchor) = match x(most.at_ms) {
                    at if at > WIDTH - 160.0 => (at, "end"),
                    at => (at, "start"),
                };
                let right = if class == "one" { TOP - 8.0 } else { TOP + 6.0 };
                writeln!(
                    svg,
                    "<text x=\"{at:.1}\" y=\"{right:.1}\" text-anchor=\"{anchor}\">{}: at most {}</text>",
                    escaped(series.name),
                    escaped(&self.unit.words(most.value))
                )
                .ok();
            }
        }
        svg + "</svg>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_ends_the_line_and_is_never_drawn_over() {
        let stretch = |since_ms, value, follows| Stretch {
            since_ms,
            at_ms: since_ms + 10,
            value,
            follows,
        };
        let plot = Plot {
            title: "lag <b>".into(),
            unit: Unit::Offsets,
            from_ms: 0,
            to_ms: 100,
            series: vec![Series {
                name: "there",
                stretches: vec![
                    stretch(0, 5.0, true),
                    stretch(10, 10.0, true),
                    stretch(90, 0.0, false),
                ],
            }],
            gaps: vec![(20, 90)],
        };
        let svg = plot.svg();
        let path = svg.split("class=\"series one\" d=\"").nth(1).unwrap();
        let path = path.split('"').next().unwrap();
        assert_eq!(path, "M84.0 107.0H164.0L164.0 22.0H244.0M804.0 192.0H884.0");
        assert!(svg.contains("aria-label=\"lag &lt;b&gt;\""), "{svg}");
        assert_eq!(svg.matches("class=\"gap\"").count(), 1);
        let (_, rows) = plot.table();
        assert_eq!(rows[0][1..3], ["0", "10"]);
        assert_eq!(rows[0][4..], ["0", "0.0s"]);
    }
}
