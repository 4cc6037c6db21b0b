//! What a key can hold, and how it is read from TOML, from a variable or from a flag.

use std::{fmt, path::PathBuf, time::Duration};

use crate::model::secret::Stored;

/// A value as written, before its key says what it should be.
#[derive(Debug, Clone)]
pub enum Written {
    /// A string.
    Text(String),
    /// An integer.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Written>),
    /// An inline table of strings; any other table is `Other`.
    Labels(Vec<(String, Written)>),
    /// Something no key takes, named for messages.
    Other(&'static str),
}

impl Written {
    fn found(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Labels(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// The format's version.
    Version,
    /// `^[a-z0-9][a-z0-9-]{0,39}$`.
    Name,
    /// Any text that is not empty.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// An integer within limits.
    Number { min: i64, max: i64 },
    /// A list of `host:port`.
    Hosts,
    /// A list of names or globs.
    Globs,
    /// A list of text, or one text.
    Texts,
    /// A length of time such as `30s`.
    Duration,
    /// A length of time above zero and up to an hour.
    Timeout,
    /// A number of bytes such as `64MiB`.
    Size { min: u64 },
    /// Bytes per second such as `200MB`, or `unlimited`; `auto` is part of the format.
    Rate,
    /// `earliest`, `latest` or a timestamp.
    Start,
    /// On, off, or an interval.
    Sync,
    /// A file.
    Path,
    /// A reference to a secret.
    Secret,
    /// Free names with text.
    Labels,
    /// A table of known keys.
    Table,
    /// A list of tables of known keys.
    Tables,
}

/// A value that its key accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text of any kind.
    Text(String),
    /// A list of text.
    Texts(Vec<String>),
    /// A number.
    Number(i64),
    /// On or off.
    Flag(bool),
    /// A length of time.
    Duration(Duration),
    /// Bytes, with the words they were written in.
    Bytes(u64, String),
    /// Where a secret is.
    Secret(Reference),
    /// Free names with text.
    Labels(Vec<(String, String)>),
    /// The table is there.
    Present,
}

/// Where a secret is. The secret itself is never part of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In a file, its trailing newline apart.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
    /// In AWS Secrets Manager.
    SecretsManager(Stored),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "*** (file {})", path.display()),
            Self::Environment(variable) => write!(f, "*** (variable {variable})"),
            Self::SecretsManager(Stored { arn, key: None }) => write!(f, "*** (secret {arn})"),
            Self::SecretsManager(Stored {
                arn,
                key: Some(key),
            }) => write!(f, "*** ({key} of secret {arn})"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Bytes(_, text) => f.write_str(text),
            Self::Texts(texts) => f.write_str(&texts.join(", ")),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Duration(duration) => write!(f, "{}", humantime::format_duration(*duration)),
            Self::Secret(reference) => reference.fmt(f),
            Self::Labels(labels) => {
                let parts: Vec<String> = labels
                    .iter()
                    .map(|(name, text)| format!("{name} = {text}"))
                    .collect();
                f.write_str(&parts.join(", "))
            }
            Self::Present => f.write_str("on"),
        }
    }
}

/// Why a value is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not the kind of thing the key holds.
    Type(String),
    /// The right kind, but not this.
    Value(String),
    /// A secret written out; the sentence does not repeat it.
    Literal,
}

impl Kind {
    /// A value from a variable, a flag or a default: lists are cut at commas.
    pub fn parse(self, text: &str) -> Written {
        match self {
            Self::Version | Self::Number { .. } => text
                .trim()
                .parse()
                .map_or_else(|_| Written::Text(text.to_owned()), Written::Number),
            Self::Flag | Self::Sync => match text.trim() {
                "true" => Written::Flag(true),
                "false" => Written::Flag(false),
                other => Written::Text(other.to_owned()),
            },
            Self::Hosts | Self::Globs | Self::Texts => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                Written::List(parts.map(|part| Written::Text(part.to_owned())).collect())
            }
            _ => Written::Text(text.to_owned()),
        }
    }

    /// What the key should hold, for messages.
    fn expected(self) -> String {
        match self {
            Self::Version => "a number".into(),
            Self::Number {
                min: 0,
                max: i64::MAX,
            } => "a number from 0".into(),
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Name => "a name in quotes".into(),
            Self::Text | Self::Path => "text in quotes".into(),
            Self::Choice(words) => one_of(words),
            Self::Flag => "true or false".into(),
            Self::Hosts => "a list of \"host:port\"".into(),
            Self::Globs => "a list of names or globs".into(),
            Self::Texts => "a list of text".into(),
            Self::Duration | Self::Timeout => "a duration such as \"30s\"".into(),
            Self::Size { .. } => "a size such as \"64MiB\"".into(),
            Self::Rate => "a rate such as \"200MB\" (per second), or \"unlimited\"".into(),
            Self::Start => {
                "\"earliest\", \"latest\" or a timestamp such as \"2026-01-31T00:00:00Z\"".into()
            }
            Self::Sync => "true, false or an interval such as \"30s\"".into(),
            Self::Secret => {
                "a reference: { file = \"…\" }, { env = \"…\" } or { secretsmanager = \"ARN\" }"
                    .into()
            }
            Self::Labels => "a table of text".into(),
            Self::Table => "a table".into(),
            Self::Tables => "a list of tables".into(),
        }
    }

    /// The refusal of something that is not this kind of thing at all.
    pub fn mistyped(self, written: &Written) -> Refusal {
        Refusal::Type(format!(
            "expected {}, found {}",
            self.expected(),
            written.found()
        ))
    }

    /// Reads a value of this kind.
    pub fn read(self, written: &Written) -> Result<Value, Refusal> {
        match (self, written) {
            (Self::Secret, Written::Text(_)) => Err(Refusal::Literal),
            (Self::Secret, Written::Labels(parts)) => reference(parts)
                .unwrap_or_else(|| Err(self.mistyped(&Written::Other("another table")))),
            (Self::Version, Written::Number(1)) => Ok(Value::Number(1)),
            (Self::Version, Written::Number(other)) if *other > 1 => Err(Refusal::Value(format!(
                "version {other} is newer than this kafka-migrate, which reads version 1"
            ))),
            (Self::Version, Written::Number(other)) => Err(Refusal::Value(format!(
                "there is no version {other}; write 1"
            ))),
            (Self::Number { min, max }, Written::Number(number))
                if (min..=max).contains(number) =>
            {
                Ok(Value::Number(*number))
            }
            (Self::Number { .. }, Written::Number(number)) => Err(Refusal::Value(format!(
                "expected {}, found {number}",
                self.expected()
            ))),
            (Self::Flag | Self::Sync, Written::Flag(flag)) => Ok(Value::Flag(*flag)),
            (Self::Hosts | Self::Globs | Self::Texts, Written::List(items)) => {
                self.read_list(items)
            }
            // One server, topic or text needs no brackets; servers may be written as Kafka's clients take them.
            (Self::Hosts, Written::Text(text)) => self.read(&self.parse(text)),
            (Self::Globs | Self::Texts, Written::Text(text)) => {
                self.read_list(&[Written::Text(text.clone())])
            }
            (Self::Labels, Written::Labels(parts)) => {
                let text = |(name, value): &(String, Written)| match value {
                    Written::Text(text) => Some((name.clone(), text.clone())),
                    _ => None,
                };
                parts
                    .iter()
                    .map(text)
                    .collect::<Option<_>>()
                    .map(Value::Labels)
                    .ok_or_else(|| self.mistyped(&Written::Other("other values")))
            }
            (
                Self::Version
                | Self::Number { .. }
                | Self::Flag
                | Self::Hosts
                | Self::Globs
                | Self::Labels
                | Self::Table
                | Self::Tables,
                _,
            ) => Err(self.mistyped(written)),
            (_, Written::Text(text)) => self.read_text(text),
            _ => Err(self.mistyped(written)),
        }
    }

    fn read_list(self, items: &[Written]) -> Result<Value, Refusal> {
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let Written::Text(text) = item else {
                return Err(Refusal::Type(format!(
                    "expected {}, found {} in it",
                    self.expected(),
                    item.found()
                )));
            };
            match self {
                Self::Hosts => host_and_port(text)?,
                Self::Globs => check_glob(text)?,
                _ => {}
            }
            texts.push(text.clone());
        }
        if texts.is_empty() && matches!(self, Self::Hosts) {
            return Err(Refusal::Value("names no server".into()));
        }
        Ok(Value::Texts(texts))
    }

    fn read_text(self, text: &str) -> Result<Value, Refusal> {
        let refused = || Refusal::Value(format!("expected {}, found {text:?}", self.expected()));
        match self {
            Self::Name if is_name(text) => Ok(Value::Text(text.to_owned())),
            Self::Name => Err(Refusal::Value(format!(
                "{text:?} is no name: lower-case letters, digits and hyphens, at most 40, beginning with a letter or digit"
            ))),
            Self::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Text | Self::Path if text.is_empty() => {
                Err(Refusal::Value("must not be empty".into()))
            }
            Self::Text | Self::Path => Ok(Value::Text(text.to_owned())),
            Self::Duration | Self::Sync => duration(text).map(Value::Duration).ok_or_else(refused),
            Self::Timeout => match duration(text).ok_or_else(refused)? {
                time if time.is_zero() || time > Duration::from_secs(3600) => Err(Refusal::Value(
                    format!("expected a duration above zero and up to an hour, found {text:?}"),
                )),
                time => Ok(Value::Duration(time)),
            },
            Self::Size { min } => match bytes(text).ok_or_else(refused)? {
                size if size < min => Err(Refusal::Value(format!(
                    "expected at least {} MiB, found {text:?}",
                    min >> 20
                ))),
                size => Ok(Value::Bytes(size, text.to_owned())),
            },
            Self::Rate if text == "auto" || text == "unlimited" => Ok(Value::Text(text.to_owned())),
            Self::Rate => match bytes(text.strip_suffix("/s").unwrap_or(text)) {
                Some(rate) if rate > 0 => Ok(Value::Bytes(rate, text.to_owned())),
                _ => Err(refused()),
            },
            Self::Start
                if matches!(text, "earliest" | "latest")
                    || humantime::parse_rfc3339_weak(text).is_ok() =>
            {
                Ok(Value::Text(text.to_owned()))
            }
            Self::Version | Self::Number { .. } | Self::Flag => {
                Err(self.mistyped(&Written::Text(text.to_owned())))
            }
            _ => Err(refused()),
        }
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("one of {}", quoted.join(", "))
}

/// `None` if the table is no reference at all; it is not repeated, since it may hold the secret itself.
fn reference(parts: &[(String, Written)]) -> Option<Result<Value, Refusal>> {
    let text = |name: &str| {
        parts.iter().find_map(|(key, value)| match value {
            Written::Text(text) if key == name && !text.is_empty() => Some(text),
            _ => None,
        })
    };
    let reference = match (parts.len(), text("secretsmanager"), text("key")) {
        (1, Some(arn), _) | (2, Some(arn), Some(_)) => {
            match Stored::new(arn, text("key").cloned()) {
                Ok(stored) => Reference::SecretsManager(stored),
                Err(why) => return Some(Err(Refusal::Value(why))),
            }
        }
        (1, ..) => match (text("file"), text("env")) {
            (Some(path), _) => Reference::File(path.into()),
            (_, Some(name)) => Reference::Environment(name.clone()),
            _ => return None,
        },
        _ => return None,
    };
    Some(Ok(Value::Secret(reference)))
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=40).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
}

fn host_and_port(text: &str) -> Result<(), Refusal> {
    let parts = text.rsplit_once(':').filter(|(host, _)| {
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        bracketed || (!host.is_empty() && !host.contains([':', '/', ' ', '@']))
    });
    match parts.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(port) if port > 0 => Ok(()),
        _ => Err(Refusal::Value(format!(
            "expected \"host:port\", found {text:?}"
        ))),
    }
}

fn check_glob(text: &str) -> Result<(), Refusal> {
    match globset::Glob::new(text) {
        Ok(_) if text.is_empty() => Err(Refusal::Value("holds an empty name".into())),
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal::Value(format!(
            "{text:?} is no glob: {}",
            error.kind()
        ))),
    }
}

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// Bytes from `64MiB`, `1.5GB`, `512B`. A unit is required: a bare number would be read as bytes by
/// one person and as something else by another.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let cut = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(cut);
    let unit: u64 = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let exact = number.parse::<f64>().ok()? * unit as f64;
    (exact.is_finite() && exact < 9e18).then_some(exact as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_unit_and_fit() {
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("1.5 kB"), Some(1500));
        for bad in [
            "64",
            "",
            "MiB",
            "1.2.3MB",
            "-1MB",
            "64mib",
            "99999999999999999999GB",
            "18446744073709551615KiB",
        ] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_short_lower_case_and_do_not_begin_with_a_hyphen() {
        assert!(is_name("orders-2") && is_name("0") && is_name(&"a".repeat(40)));
        assert!(
            !is_name("")
                && !is_name("-a")
                && !is_name("Orders")
                && !is_name("a_b")
                && !is_name(&"a".repeat(41))
        );
    }

    #[test]
    fn hosts_have_a_host_and_a_port() {
        for good in ["kafka1:9092", "[::1]:9092", "10.0.0.1:1"] {
            assert!(host_and_port(good).is_ok(), "{good}");
        }
        for bad in [
            "kafka1",
            "kafka1:",
            ":9092",
            "kafka1:0",
            "kafka1:99999",
            "kafka://a:1",
            "::1:9092",
            "a:b@c:1",
        ] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_written_out_is_refused_without_repeating_it() {
        let refusal = Kind::Secret.read(&Written::Text("hunter2".into()));
        assert_eq!(refusal, Err(Refusal::Literal));
    }

    #[test]
    fn a_secret_is_referred_to_in_three_ways() {
        const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf";
        let read = |parts: &[(&str, &str)]| {
            let parts = parts
                .iter()
                .map(|(key, text)| ((*key).to_owned(), Written::Text((*text).to_owned())));
            Kind::Secret.read(&Written::Labels(parts.collect()))
        };
        let shown = |parts: &[(&str, &str)]| read(parts).map(|value| value.to_string());
        assert_eq!(shown(&[("file", "a")]), Ok("*** (file a)".into()));
        assert_eq!(shown(&[("env", "A")]), Ok("*** (variable A)".into()));
        assert_eq!(
            shown(&[("secretsmanager", ARN)]),
            Ok(format!("*** (secret {ARN})"))
        );
        assert_eq!(
            shown(&[("key", "password"), ("secretsmanager", ARN)]),
            Ok(format!("*** (password of secret {ARN})"))
        );
        assert!(matches!(
            read(&[("secretsmanager", "a-name")]),
            Err(Refusal::Value(_))
        ));
        for none in [
            &[("file", "a"), ("env", "b")][..],
            &[("file", "a"), ("key", "b")],
            &[("key", "b")],
            &[("file", "")],
            &[("text", "hunter2")],
            &[],
        ] {
            let refused = read(none).unwrap_err();
            assert!(
                matches!(&refused, Refusal::Type(said) if !said.contains("hunter2")),
                "{refused:?}"
            );
        }
    }
}
