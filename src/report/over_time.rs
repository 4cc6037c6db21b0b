//! Lag, latency and throughput over time, from the samples of the state directory: a few hundred stretches each, and the gaps between.

use serde::Serialize;

use super::{
    numbers::{Numbers, Sample, thinned},
    plot::{Plot, Series, Stretch, Unit},
};

/// Stretches of a line.
const MOST: usize = 300;
/// A shorter time without numbers at either end is none worth showing.
const WORTH_MS: i64 = 30_000;

/// A time in which nothing was seen, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// From when.
    pub from_ms: i64,
    /// Until when.
    pub until_ms: i64,
}

impl Gap {
    fn between(from_ms: i64, until_ms: i64) -> Self {
        Self { from_ms, until_ms }
    }
}

/// Samples, thinned, and what is missing between them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OverTime {
    /// Where numbers over time stand, where they are not kept here; `None`: here.
    pub elsewhere: Option<String>,
    /// What was seen, in order of time: at most some hundreds of stretches.
    pub samples: Vec<Sample>,
    /// When nothing was seen.
    pub gaps: Vec<Gap>,
    /// Why there is less than there could be, in sentences.
    pub notes: Vec<String>,
}

impl OverTime {
    /// From all samples; the migration began at `begun_ms`, by the journal.
    pub fn of(all: Vec<Sample>, begun_ms: Option<i64>, now_ms: i64) -> Self {
        let mut gaps = Vec::new();
        let ends = all.first().zip(all.last());
        if let (Some((first, _)), Some(begun_ms)) = (ends, begun_ms)
            && first.since_ms - begun_ms > WORTH_MS
        {
            gaps.push(Gap::between(begun_ms, first.since_ms));
        }
        let pairs = all.windows(2).filter(|two| !two[1].follows(&two[0]));
        gaps.extend(pairs.map(|two| Gap::between(two[0].at_ms, two[1].since_ms)));
        if let Some((_, last)) = ends
            && now_ms - last.at_ms > WORTH_MS
        {
            gaps.push(Gap::between(last.at_ms, now_ms));
        }
        Self {
            samples: thinned(all, MOST),
            gaps,
            ..Self::default()
        }
    }

    /// As plots; none where nothing was seen.
    pub(super) fn plots(&self) -> Vec<Plot> {
        let Some((first, last)) = self.samples.first().zip(self.samples.last()) else {
            return Vec::new();
        };
        let per_second = |count: u64, sample: &Sample| {
            count as f64 * 1000.0 / (sample.at_ms - sample.since_ms).max(1) as f64
        };
        type Value<'a> = &'a dyn Fn(&Numbers, &Sample) -> Option<f64>;
        let all: [(&str, Unit, Value<'_>); 4] = [
            (
                "Lag: offsets that the other side did not hold yet, the most of each stretch",
                Unit::Offsets,
                &|numbers, _| Some(numbers.lag as f64),
            ),
            (
                "Latency: time since the other side held everything, at most",
                Unit::Milliseconds,
                &|numbers, _| numbers.behind_ms.map(|ms| ms as f64),
            ),
            (
                "Throughput: records copied",
                Unit::RecordsPerSecond,
                &|numbers, sample| Some(per_second(numbers.records, sample)),
            ),
            (
                "Throughput: bytes copied, as stored",
                Unit::BytesPerSecond,
                &|numbers, sample| Some(per_second(numbers.bytes, sample)),
            ),
        ];
        let (from_ms, to_ms) = (first.since_ms, last.at_ms);
        let in_between = |gap: &&Gap| gap.from_ms >= from_ms && gap.until_ms <= to_ms;
        let gaps = self.gaps.iter().filter(in_between);
        let gaps: Vec<(i64, i64)> = gaps.map(|gap| (gap.from_ms, gap.until_ms)).collect();
        let plot = |(title, unit, value): (&str, Unit, Value<'_>)| Plot {
            title: title.to_owned(),
            unit,
            from_ms,
            to_ms,
            series: vec![
                self.series("source to target", |sample| {
                    value(sample.there.as_ref()?, sample)
                }),
                self.series("target to source", |sample| {
                    value(sample.back.as_ref()?, sample)
                }),
            ]
            .into_iter()
            .filter(|series| !series.stretches.is_empty())
            .collect(),
            gaps: gaps.clone(),
        };
        all.into_iter().map(plot).collect()
    }

    fn series(&self, name: &'static str, value: impl Fn(&Sample) -> Option<f64>) -> Series {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut before: Option<&Sample> = None;
        for sample in &self.samples {
            let Some(value) = value(sample) else {
                before = None;
                continue;
            };
            stretches.push(Stretch {
                since_ms: sample.since_ms,
                at_ms: sample.at_ms,
                value,
                follows: before.is_some_and(|before| sample.follows(before)),
            });
            before = Some(sample);
        }
        Series { name, stretches }
    }
}
