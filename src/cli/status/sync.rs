//! In `status`, what does not stand on the target as on the source: settings, access rules, logins; and why.

use crate::{
    engine::{ledger::synced::What, status::SyncStatus},
    ui::{numbers, printable, tables},
};

/// Lines of each kind shown to a person.
const SHOWN: usize = 10;

/// What differs; nothing where nothing does.
pub(super) fn text(status: Option<&SyncStatus>) -> String {
    let Some(status) = status else {
        return String::new();
    };
    let mut text = String::new();
    for trouble in &status.troubles {
        text += &format!("\n{}\n", printable(trouble));
    }
    // What stays by nature is no news to whoever looks every day.
    let settings = status.settings.iter().filter(|one| one.what != What::Stays);
    let settings: Vec<[String; 5]> = settings
        .map(|one| {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".into());
            [
                one.topic.clone(),
                one.setting.clone(),
                value(&one.source),
                value(&one.target),
                format!(
                    "{}: {}",
                    one.what.word(),
                    one.reason.as_deref().unwrap_or_default()
                ),
            ]
        })
        .collect();
    if !settings.is_empty() {
        text += "\nsettings that are not as on the source\n";
        let heads = ["topic", "setting", "source", "target", "why"];
        text += &tables::grid(&heads, &settings[..settings.len().min(SHOWN)]);
        text += &more(settings.len());
    }
    if !status.acls.is_empty() {
        let rows: Vec<[String; 2]> = status
            .acls
            .iter()
            .take(SHOWN)
            .map(|one| {
                [
                    one.rule.clone(),
                    format!("{}: {}", one.fate.word(), one.reason),
                ]
            })
            .collect();
        text += &format!(
            "\naccess rules that are not as on the source; {} on the target are\n",
            numbers::exact(u64::from(status.acls_there))
        );
        text += &tables::grid(&["rule", "what becomes of it"], &rows);
        text += &more(status.acls_differ as usize);
    }
    if !status.scram_missing.is_empty() {
        let users = status.scram_missing.iter().take(SHOWN);
        let rows: Vec<[String; 3]> = users
            .map(|one| {
                [
                    one.user.clone(),
                    one.mechanism.clone(),
                    one.iterations.to_string(),
                ]
            })
            .collect();
        text +=
            "\nlogins that the target lacks; passwords cannot be read, and have to be set there\n";
        text += &tables::grid(&["user", "mechanism", "iterations"], &rows);
        text += &more(status.scram_missing.len());
    }
    text
}

fn more(count: usize) -> String {
    match count.saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(
            "and {} more (--json for all)\n",
            numbers::exact(more as u64)
        ),
    }
}
