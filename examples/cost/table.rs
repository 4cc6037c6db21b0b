//! Medians, ratios, and the tables.

use std::time::Duration;

use super::{latency::Late, measure::Cost, tools::Tool, workload::Workload};

/// All copies of one workload by one tool.
pub struct Row {
    /// What was copied.
    pub workload: Workload,
    /// Who copied.
    pub tool: Tool,
    /// Bytes the source stores.
    pub bytes: u64,
    /// What each copy cost.
    pub costs: Vec<Cost>,
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    if all.len() % 2 == 1 {
        all[middle]
    } else {
        f64::midpoint(all[middle - 1], all[middle])
    }
}

impl Row {
    /// The median of something about the copies.
    fn median(&self, what: impl Fn(&Cost) -> f64) -> f64 {
        median(self.costs.iter().map(what).collect())
    }

    /// Median CPU seconds.
    pub fn cpu(&self) -> f64 {
        self.median(|cost| cost.cpu.as_secs_f64())
    }

    /// The fewest CPU seconds of a copy: what else the machine does only ever adds.
    pub fn least_cpu(&self) -> f64 {
        let least = self.costs.iter().map(|cost| cost.cpu).min();
        least.unwrap_or_default().as_secs_f64()
    }

    fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }
}

/// The rows of one run.
pub struct Rows(pub Vec<Row>);

impl Rows {
    fn find(&self, workload: Workload, tool: Tool) -> Option<&Row> {
        let mut rows = self.0.iter();
        rows.find(|row| row.workload == workload && row.tool == tool)
    }

    /// Megabytes for one of something, both without those of the copy that shows what the tool takes before it gets
    /// going; `None` where nothing is left, or nothing was asked.
    fn net(&self, row: &Row, what: impl Fn(&Cost) -> f64) -> Option<f64> {
        let start = self.find(row.workload.start()?, row.tool)?;
        let net = row.median(&what) - start.median(&what);
        (net > 0.0).then(|| (row.megabytes() - start.megabytes()) / net)
    }

    /// Megabytes per CPU second without start-up.
    fn net_rate(&self, row: &Row) -> Option<f64> {
        self.net(row, |cost| cost.cpu.as_secs_f64())
    }

    /// How many times the megabytes per CPU second of another tool a row reaches, both without start-up.
    pub fn times(&self, row: &Row, other: Tool) -> Option<f64> {
        let other = self.find(row.workload, other)?;
        Some(self.net_rate(row)? / self.net_rate(other)?)
    }

    /// The bare copier's row for a row of kafka-migrate; `None` for other rows, and where next to nothing was copied.
    fn floor(&self, row: &Row) -> Option<&Row> {
        let is_asked = row.tool == Tool::KafkaMigrate && row.workload.start().is_some();
        is_asked.then(|| self.find(row.workload, Tool::Bare))?
    }

    /// CPU seconds per byte of a row of kafka-migrate for one of the bare copier, start-up and all.
    pub fn ratio(&self, row: &Row) -> Option<f64> {
        self.floor(row).map(|floor| row.cpu() / floor.cpu())
    }

    /// The same of the cheapest copies.
    pub fn least_ratio(&self, row: &Row) -> Option<f64> {
        let floor = self.floor(row)?;
        Some(row.least_cpu() / floor.least_cpu())
    }

    /// The faster of the MirrorMakers that were asked for.
    fn mirror(&self, row: &Row) -> Option<f64> {
        let times = [Tool::Mirror, Tool::MirrorTuned].map(|tool| self.times(row, tool));
        times.into_iter().flatten().reduce(f64::min)
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let wall = |cost: &Cost| cost.wall.as_secs_f64();
        let most = row.costs.iter().map(|cost| cost.cpu).max();
        let most = most.unwrap_or_default().as_secs_f64();
        let is_start = row.workload.start().is_none();
        let gross = |seconds: f64| (!is_start).then(|| row.megabytes() / seconds);
        let per_gigabyte = |net: Option<f64>| number(net.map(|net| 1e3 / net), 2);
        vec![
            row.workload.name().to_owned(),
            row.tool.name().to_owned(),
            number((!is_start).then(|| row.megabytes()), 0),
            number(Some(row.median(wall)), 2),
            number(gross(row.median(wall)), 0),
            number(
                (row.tool != Tool::Fetch && !is_start).then(|| row.median(|cost| cost.rate) / 1e6),
                0,
            ),
            number(Some(row.cpu()), 2),
            format!("{:.2}-{most:.2}", row.least_cpu()),
            number(gross(row.cpu()), 0),
            number(self.net_rate(row), 0),
            number(self.times(row, Tool::Bare), 2),
            number(self.mirror(row), 1),
            per_gigabyte(self.net(row, |cost| cost.source.as_secs_f64())),
            per_gigabyte(self.net(row, |cost| cost.target.as_secs_f64())),
            number(
                Some(row.median(|cost| cost.peak as f64) / f64::from(1 << 20)),
                0,
            ),
            number(Some(row.median(|cost| cost.others)), 1),
        ]
    }

    /// The table of the copies.
    pub fn render(&self) -> String {
        let lines = self.0.iter().map(|row| self.cells(row));
        align(&COLUMNS, 2, lines.collect())
    }
}

const COLUMNS: [&str; 16] = [
    "workload",
    "tool",
    "MB",
    "wall s",
    "MB/s",
    "net MB/s",
    "CPU-s",
    "least-most",
    "MB/CPU-s",
    "net MB/CPU-s",
    "x bare",
    "x MM2",
    "source CPU-s/GB",
    "target CPU-s/GB",
    "RSS MiB",
    "others",
];

const LATE_COLUMNS: [&str; 10] = [
    "records through",
    "p50 ms",
    "least-most",
    "above nothing",
    "p99 ms",
    "least-most",
    "tool, cores",
    "source",
    "target",
    "others",
];

/// The table of how late records came.
pub fn render_late(all: &[Late]) -> String {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let middle = |late: &Late, of: fn(&super::latency::Run) -> Duration| {
        median(late.runs.iter().map(|run| milliseconds(of(run))).collect())
    };
    let range = |late: &Late, of: fn(&super::latency::Run) -> Duration| {
        let times = || late.runs.iter().map(of);
        let ends = [times().min(), times().max()];
        let [least, most] = ends.map(|time| milliseconds(time.unwrap_or_default()));
        format!("{least:.1}-{most:.1}")
    };
    let nothing = all.iter().find(|late| late.tool.is_none());
    let lines = all.iter().map(|late| {
        let of_costs =
            |what: fn(&Cost) -> f64| median(late.runs.iter().map(|run| what(&run.cost)).collect());
        let cores = |what: fn(&Cost) -> Duration| {
            let runs = late.runs.iter().map(|run| &run.cost);
            median(
                runs.map(|cost| what(cost).div_duration_f64(cost.wall))
                    .collect(),
            )
        };
        let above = nothing.filter(|_| late.tool.is_some());
        let above =
            above.map(|nothing| middle(late, |run| run.p50) - middle(nothing, |run| run.p50));
        vec![
            late.tool.map_or("nothing", Tool::name).to_owned(),
            number(Some(middle(late, |run| run.p50)), 2),
            range(late, |run| run.p50),
            number(above, 2),
            number(Some(middle(late, |run| run.p99)), 1),
            range(late, |run| run.p99),
            number(late.tool.map(|_| cores(|cost| cost.cpu)), 2),
            number(Some(cores(|cost| cost.source)), 2),
            number(Some(cores(|cost| cost.target)), 2),
            number(Some(of_costs(|cost| cost.others)), 2),
        ]
    });
    align(&LATE_COLUMNS, 1, lines.collect())
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Lines under their columns, the first so many to the left, numbers to the right.
fn align(columns: &[&str], names: usize, rows: Vec<Vec<String>>) -> String {
    let mut lines = vec![columns.iter().map(|name| (*name).to_owned()).collect()];
    lines.extend(rows);
    let width = |column: usize| {
        lines
            .iter()
            .map(|line: &Vec<String>| line[column].len())
            .max()
    };
    let widths: Vec<usize> = (0..columns.len()).filter_map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| {
            if column < names {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
