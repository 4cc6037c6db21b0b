//! Groups in `status`: how many are where they belong, and those that are not.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    engine::status::{GroupStatus, GroupsStatus},
    ui::{numbers, printable, tables},
};

/// Groups shown to a person whose position is not exact.
const SHOWN: usize = 10;

/// What is carried; with `all` above 0 so many of those whose position is exact too.
pub(super) fn text(status: Option<&GroupsStatus>, all: usize, now: i64) -> String {
    let Some(status) = status else {
        return String::new();
    };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for group in &status.each {
        *counts.entry(group.position).or_default() += 1;
    }
    let mut told: Vec<String> = ["exact", "repeats", "waiting", "refused"]
        .iter()
        .filter_map(|position| {
            let count = counts.get(position)?;
            Some(format!("{} {position}", numbers::exact(*count)))
        })
        .collect();
    if told.is_empty() {
        told.push("none carried yet".to_owned());
    }
    let age = u64::try_from(now - status.synced_ms).unwrap_or(0);
    let lag = |lag: Option<u64>| lag.map_or_else(|| "unknown".to_owned(), numbers::exact);
    let mut text = format!(
        "\ngroups     {}; looked at {} ago by the engine's clock\nbehind     {} offsets on the source, {} on the target\n",
        told.join(", "),
        numbers::time(Duration::from_millis(age)),
        lag(status.sum_offset_lag_source),
        lag(status.sum_offset_lag_target),
    );
    if status.consumer_group_offset_sync_failures > 0 {
        text += &format!(
            "failures   {} positions could not be read or written since the engine began\n",
            numbers::exact(status.consumer_group_offset_sync_failures)
        );
    }
    let (exact, others): (Vec<_>, Vec<_>) = status
        .each
        .iter()
        .partition(|group| group.position == "exact");
    let shown: Vec<&GroupStatus> = match all {
        0 => others.iter().take(SHOWN).copied().collect(),
        all => others.iter().chain(&exact).take(all).copied().collect(),
    };
    if !shown.is_empty() {
        text += "\n";
        text += &table(&shown);
    }
    if all == 0 && others.len() > SHOWN {
        text += &format!("and {} more (--groups for all)\n", others.len() - SHOWN);
    }
    text
}

fn table(groups: &[&GroupStatus]) -> String {
    let rows: Vec<[String; 5]> = groups
        .iter()
        .map(|group| {
            let position = match group.position {
                "repeats" => format!("{} twice", numbers::of(group.repeats, "record")),
                position => position.to_owned(),
            };
            let members = match (group.active_source, group.active_target) {
                (true, true) => "both",
                (true, false) => "source",
                (false, true) => "target",
                (false, false) => "none",
            };
            let code = group.code.iter().map(String::as_str);
            let why: Vec<&str> = code.chain(group.reason.as_deref()).collect();
            [
                printable(&group.group),
                group.authority.to_string(),
                members.to_owned(),
                position,
                why.join(" "),
            ]
        })
        .collect();
    tables::grid(&["group", "authority", "members", "position", "why"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::positions::Holder;

    #[test]
    fn what_is_not_exact_is_shown_and_the_rest_is_counted() {
        let group = |name: &str, position, repeats, reason: Option<&str>| GroupStatus {
            group: name.into(),
            authority: Holder::Source,
            position,
            repeats,
            code: reason.map(|_| "K576".into()),
            reason: reason.map(str::to_owned),
            active_source: true,
            active_target: reason.is_some(),
        };
        let status = GroupsStatus {
            synced_ms: 1_000,
            consumer_group_count: 3,
            consumer_group_offset_sync_failures: 2,
            is_failing: true,
            sum_offset_lag_source: Some(1_200),
            sum_offset_lag_target: None,
            each: vec![
                group("audit", "exact", 0, None),
                group("billing", "repeats", 3, None),
                group("orders", "refused", 0, Some("it has members on both sides")),
            ],
        };
        insta::assert_snapshot!(text(Some(&status), 0, 1_300), @r"

        groups     1 exact, 1 repeats, 1 refused; looked at 0.3s ago by the engine's clock
        behind     1,200 offsets on the source, unknown on the target
        failures   2 positions could not be read or written since the engine began

        group    authority  members  position         why
        billing  source     source   3 records twice
        orders   source     both     refused          K576 it has members on both sides
        ");
        assert!(text(Some(&status), usize::MAX, 1_300).contains("audit"));
        assert_eq!(text(None, 0, 0), "");
    }
}
