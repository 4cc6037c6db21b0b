//! Medians, ratios, and the table.

use super::{Tool, measure::Cost};

/// All copies of one workload by one tool.
pub struct Row {
    /// The workload as it stands in the table.
    pub workload: &'static str,
    /// Who copied.
    pub tool: Tool,
    /// Bytes the source stores.
    pub bytes: u64,
    /// What each copy cost.
    pub costs: Vec<Cost>,
}

impl Row {
    /// The median of something about the copies.
    pub fn median(&self, what: impl Fn(&Cost) -> f64) -> f64 {
        let mut all: Vec<f64> = self.costs.iter().map(what).collect();
        all.sort_by(f64::total_cmp);
        let middle = all.len() / 2;
        if all.len() % 2 == 1 {
            all[middle]
        } else {
            f64::midpoint(all[middle - 1], all[middle])
        }
    }

    /// Median CPU seconds.
    pub fn cpu(&self) -> f64 {
        self.median(|cost| cost.cpu.as_secs_f64())
    }

    /// The fewest CPU seconds of a copy: what else the machine does only ever adds.
    fn least_cpu(&self) -> f64 {
        let least = self.costs.iter().map(|cost| cost.cpu).min();
        least.unwrap_or_default().as_secs_f64()
    }

    fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let wall = self.median(|cost| cost.wall.as_secs_f64());
        let most = self.costs.iter().map(|cost| cost.cpu).max();
        let most = most.unwrap_or_default().as_secs_f64();
        // Without bytes there are no rates.
        let rate = |seconds: f64| match self.bytes {
            0 => "-".to_owned(),
            _ => format!("{:.0}", self.megabytes() / seconds),
        };
        [
            self.workload.to_owned(),
            self.tool.name().to_owned(),
            self.costs.len().to_string(),
            format!("{:.0}", self.megabytes()),
            format!("{wall:.2}"),
            rate(wall),
            format!("{:.2}", self.cpu()),
            format!("{:.2}-{most:.2}", self.least_cpu()),
            rate(self.cpu()),
            format!(
                "{:.0}",
                self.median(|cost| cost.peak as f64) / f64::from(1 << 20)
            ),
            format!("{:.1}", self.median(|cost| cost.brokers.as_secs_f64())),
            format!("{:.1}", self.median(|cost| cost.others)),
        ]
    }
}

const COLUMNS: [&str; 12] = [
    "workload",
    "tool",
    "runs",
    "MB",
    "wall s",
    "MB/s",
    "CPU-s",
    "least-most",
    "MB per CPU-s",
    "peak RSS MiB",
    "brokers CPU-s",
    "others, cores",
];

/// The rows under their columns, numbers to the right.
pub fn render(rows: &[Row]) -> String {
    let mut lines: Vec<[String; COLUMNS.len()]> = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let widths: Vec<usize> = (0..COLUMNS.len()).filter_map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// The bare copier's row for a row of kafka-migrate; `None` for other rows, and where nothing was copied.
fn floor<'a>(rows: &'a [Row], row: &Row) -> Option<&'a Row> {
    let is_floor = |other: &&Row| other.tool == Tool::Bare && other.workload == row.workload;
    if row.tool == Tool::Bare || row.bytes == 0 {
        return None;
    }
    rows.iter().find(is_floor)
}

/// CPU seconds per byte of a row of kafka-migrate for one of the bare copier; both copied the same bytes.
pub fn ratio(rows: &[Row], row: &Row) -> Option<f64> {
    floor(rows, row).map(|floor| row.cpu() / floor.cpu())
}

/// The same of the cheapest copies.
pub fn least_ratio(rows: &[Row], row: &Row) -> Option<f64> {
    floor(rows, row).map(|floor| row.least_cpu() / floor.least_cpu())
}

/// The ratio without what each costs on an empty topic.
pub fn net_ratio(rows: &[Row], row: &Row) -> Option<f64> {
    let start = |tool: Tool| {
        let empty = rows.iter().find(|row| row.tool == tool && row.bytes == 0);
        empty.map(Row::cpu)
    };
    let floor = floor(rows, row)?;
    Some((row.cpu() - start(row.tool)?) / (floor.cpu() - start(floor.tool)?))
}
