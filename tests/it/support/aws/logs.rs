//! Amazon CloudWatch Logs: groups, and events that are searched in pages which may be empty.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    desk::{Answer, Desk, number_or, texts},
    refusal::Refusal,
};

#[derive(Debug, Clone)]
struct Event {
    stream: String,
    at: i64,
    message: String,
}

#[derive(Debug, Default)]
struct Group {
    created: i64,
    events: Vec<Event>,
}

/// The log groups of a region, by name.
#[derive(Debug, Default)]
pub struct Logs(BTreeMap<String, Group>);

fn invalid(message: &str) -> Refusal {
    Refusal::of("InvalidParameterException", message)
}

fn arn(desk: &Desk, name: &str) -> String {
    format!(
        "arn:aws:logs:{}:{}:log-group:{name}",
        desk.region,
        super::ACCOUNT
    )
}

impl Logs {
    pub fn add(&mut self, name: &str, at: i64) {
        self.0.entry(name.to_owned()).or_default().created = at;
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn write(&mut self, name: &str, stream: &str, at: i64, message: &str) {
        let group = self.0.get_mut(name);
        let group = group.unwrap_or_else(|| panic!("there is no log group {name}"));
        group.events.push(Event {
            stream: stream.to_owned(),
            at,
            message: message.to_owned(),
        });
        group.events.sort_by_key(|event| event.at);
    }

    pub fn groups(&self, desk: &Desk, input: &Value) -> Answer {
        let (prefix, part) = (
            input["logGroupNamePrefix"].as_str(),
            input["logGroupNamePattern"].as_str(),
        );
        if prefix.is_some() && part.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let items = self
            .0
            .iter()
            .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
            .filter(|(name, _)| part.is_none_or(|part| name.contains(part)))
            .map(|(name, group)| {
                json!({
                    "logGroupName": name,
                    "creationTime": group.created,
                    "arn": format!("{}:*", arn(desk, name)),
                    "logGroupArn": arn(desk, name),
                    "metricFilterCount": 0,
                    "storedBytes": 0,
                    "logGroupClass": "STANDARD",
                })
            })
            .collect();
        let most = number_or(input, "limit", 50);
        let (page, next) = desk
            .page(items, input["nextToken"].as_str(), most)
            .ok_or_else(|| invalid("The specified nextToken is invalid."))?;
        Ok(json!({ "logGroups": page, "nextToken": next }))
    }

    pub fn filter(&self, desk: &Desk, input: &Value) -> Answer {
        let (name, identifier) = (
            input["logGroupName"].as_str(),
            input["logGroupIdentifier"].as_str(),
        );
        let group = match (name, identifier) {
            (Some(name), None) => self.0.get(name),
            (None, Some(wanted)) => self
                .0
                .iter()
                .find(|(name, _)| *name == wanted || arn(desk, name) == wanted)
                .map(|(_, group)| group),
            _ => {
                return Err(invalid(
                    "Exactly one of logGroupName and logGroupIdentifier is needed.",
                ));
            }
        };
        let group = group.ok_or_else(|| {
            Refusal::of(
                "ResourceNotFoundException",
                "The specified log group does not exist.",
            )
        })?;
        let streams: BTreeSet<&str> = texts(&input["logStreamNames"]).into_iter().collect();
        let prefix = input["logStreamNamePrefix"].as_str();
        if prefix.is_some() && !streams.is_empty() {
            return Err(invalid(
                "logStreamNames and logStreamNamePrefix cannot be used together.",
            ));
        }
        let (start, end) = (
            input["startTime"].as_i64().unwrap_or(0),
            input["endTime"].as_i64().unwrap_or(i64::MAX),
        );
        let mut events: Vec<(usize, &Event)> = group
            .events
            .iter()
            .enumerate()
            .filter(|(_, event)| (start..=end).contains(&event.at))
            .filter(|(_, event)| streams.is_empty() || streams.contains(&*event.stream))
            .filter(|(_, event)| prefix.is_none_or(|prefix| event.stream.starts_with(prefix)))
            .collect();
        if input["startFromHead"] == false {
            events.reverse();
        }
        // A page is what was searched, not what was found: it may be empty and have another behind it.
        let most = number_or(input, "limit", 10_000);
        let (page, next) = desk
            .page(events, input["nextToken"].as_str(), most)
            .ok_or_else(|| invalid("The specified nextToken is invalid."))?;
        let pattern = input["filterPattern"].as_str().unwrap_or_default();
        let found: Vec<Value> = page
            .into_iter()
            .filter(|(_, event)| matches(pattern, &event.message))
            .map(|(at, event)| {
                json!({
                    "eventId": format!("{at:056}"),
                    "logStreamName": event.stream,
                    "timestamp": event.at,
                    "ingestionTime": event.at,
                    "message": event.message,
                })
            })
            .collect();
        Ok(json!({ "events": found, "nextToken": next, "searchedLogStreams": [] }))
    }
}

/// Terms of a filter pattern: all plain ones, one of those with `?`, none of those with `-`; quotes hold words together.
fn matches(pattern: &str, message: &str) -> bool {
    let mut optional = Vec::new();
    let mut quoted = false;
    let terms = pattern.split(|c: char| {
        quoted ^= c == '"';
        c == ' ' && !quoted
    });
    for term in terms {
        let (kind, word) = match term.chars().next() {
            None => continue,
            Some(kind @ ('?' | '-')) => (kind, &term[1..]),
            Some(_) => ('+', term),
        };
        let found = message.contains(word.trim_matches('"'));
        match kind {
            '?' => optional.push(found),
            '-' if found => return false,
            '+' if !found => return false,
            _ => {}
        }
    }
    optional.is_empty() || optional.contains(&true)
}
