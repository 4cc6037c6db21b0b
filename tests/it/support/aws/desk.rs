//! What every part of the fake works with: the clock that tests move, ids, pages, and the region that is spoken to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{super::Dice, refusal::Refusal};

/// What a service answers.
pub type Answer = Result<Value, Refusal>;

/// The desk at which one request is done.
#[derive(Debug)]
pub struct Desk {
    /// The region that is spoken to.
    pub region: String,
    /// Most items of a page, where the service would give more.
    pub page: usize,
    ahead: Duration,
    dice: Dice,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            region: String::new(),
            page: usize::MAX,
            ahead: Duration::ZERO,
            dice: Dice::new(super::super::seed()),
        }
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> i64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is past 1970");
        i64::try_from((now + self.ahead).as_millis()).expect("it is far from the end of time")
    }

    pub fn advance(&mut self, time: Duration) {
        self.ahead += time;
    }

    /// `length` random characters of `from`.
    pub fn id(&mut self, from: &str, length: usize) -> String {
        let from: Vec<char> = from.chars().collect();
        (0..length)
            .map(|_| {
                let at = self.dice.between(0, from.len() as u64);
                from[usize::try_from(at).expect("it is an index")]
            })
            .collect()
    }

    /// A version as Amazon MSK gives them.
    pub fn version(&mut self) -> String {
        format!("K{}", self.id("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 13))
    }

    /// The page of `items` that `token` asks for, and the token of the next. `most`: what the request wants at most.
    pub fn page<T>(
        &self,
        items: Vec<T>,
        token: Option<&str>,
        most: usize,
    ) -> Option<(Vec<T>, Option<String>)> {
        let start = match token {
            None => 0,
            Some(token) => from_token(token)?,
        };
        let length = most.min(self.page).max(1);
        let all = items.len();
        let page: Vec<T> = items.into_iter().skip(start).take(length).collect();
        let end = start.saturating_add(page.len());
        Some((page, (end < all).then(|| to_token(end))))
    }
}

fn to_token(position: usize) -> String {
    STANDARD.encode(format!("from {position}"))
}

fn from_token(token: &str) -> Option<usize> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    text.strip_prefix("from ")?.parse().ok()
}

/// The request's number under `key`, or `otherwise`.
pub fn number_or(input: &Value, key: &str, otherwise: usize) -> usize {
    input[key]
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(otherwise)
}

/// Every text of a list that may be left out.
pub fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Milliseconds since 1970 as `2026-11-26T05:00:00.000Z`.
pub fn iso8601(millis: i64) -> String {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days counted from 1 March of year 0, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Milliseconds as the seconds of AWS's JSON.
pub fn seconds(millis: i64) -> Value {
    Value::from(millis as f64 / 1000.0)
}
