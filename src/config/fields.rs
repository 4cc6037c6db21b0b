//! Every key of the migration file: its kind, its default, its meaning, and whether this version uses it.

use super::value::Kind;

/// One key. `path` is dotted; `[]` stands for "each element of this list of tables".
#[derive(Debug)]
pub struct Field {
    /// Where it stands, from the top of the file.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it is when nobody says, written as a person would.
    pub fallback: Fallback,
    /// What this version does with it.
    pub standing: Standing,
    /// One sentence.
    pub doc: &'static str,
}

/// What a key is when nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This.
    Value(&'static str),
    /// Nothing, and that is an error.
    Required,
    /// Nothing, and that is fine.
    Absent,
}

/// What this version does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does what it says.
    Used,
    /// Part of the format and checked, but nothing reads it yet; setting it changes nothing.
    Later,
    /// Part of the format, but only these values can be honoured; any other would change what is
    /// copied and is refused, because ignoring it would be a lie. An empty list refuses all.
    Only(&'static [&'static str]),
    /// The same, where our own engine copies; MSK Replicator takes others.
    Embedded(&'static [&'static str]),
}

use Fallback::{Absent, Required, Value};
use Standing::{Embedded, Later, Only, Used};

const fn field(
    path: &'static str,
    kind: Kind,
    fallback: Fallback,
    standing: Standing,
    doc: &'static str,
) -> Field {
    Field {
        path,
        kind,
        fallback,
        standing,
        doc,
    }
}

const MECHANISMS: Kind = Kind::Choice(&[
    "none",
    "plain",
    "scram-sha-256",
    "scram-sha-512",
    "oauthbearer",
    "msk-iam",
    "mtls",
]);
const MECHANISMS_NOW: Standing =
    Only(&["none", "plain", "scram-sha-256", "scram-sha-512", "msk-iam"]);

/// The whole format. The order is that of `config`.
pub const FIELDS: &[Field] = &[
    field(
        "version",
        Kind::Version,
        Required,
        Used,
        "the version of this file's format",
    ),
    field(
        "name",
        Kind::Name,
        Required,
        Used,
        "the migration's name; its topics on the target carry it",
    ),
    field(
        "backend",
        Kind::Choice(&["embedded", "msk"]),
        Value("embedded"),
        Used,
        "who copies: our own engine, or MSK Replicator",
    ),
    field(
        "source",
        Kind::Table,
        Absent,
        Used,
        "the cluster applications come from",
    ),
    field(
        "source.bootstrap",
        Kind::Hosts,
        Required,
        Used,
        "servers to ask first, host:port",
    ),
    field("source.auth", Kind::Table, Absent, Used, "how to log in"),
    field(
        "source.auth.mechanism",
        MECHANISMS,
        Value("none"),
        MECHANISMS_NOW,
        "how to log in",
    ),
    field(
        "source.auth.username",
        Kind::Text,
        Absent,
        Used,
        "who logs in",
    ),
    field(
        "source.auth.password",
        Kind::Secret,
        Absent,
        Used,
        "password, by reference",
    ),
    field(
        "source.tls",
        Kind::Table,
        Absent,
        Used,
        "TLS is on where this table stands",
    ),
    field(
        "source.tls.ca",
        Kind::Path,
        Absent,
        Used,
        "PEM file of the authorities to trust; the system's when left out",
    ),
    field(
        "source.connect_timeout",
        Kind::Timeout,
        Value("10s"),
        Used,
        "for connect, TLS and login together",
    ),
    field(
        "source.request_timeout",
        Kind::Timeout,
        Value("30s"),
        Used,
        "for one request and its answer",
    ),
    field(
        "target",
        Kind::Table,
        Absent,
        Used,
        "the cluster applications go to",
    ),
    field(
        "target.bootstrap",
        Kind::Hosts,
        Required,
        Used,
        "servers to ask first, host:port",
    ),
    field("target.auth", Kind::Table, Absent, Used, "how to log in"),
    field(
        "target.auth.mechanism",
        MECHANISMS,
        Value("none"),
        MECHANISMS_NOW,
        "how to log in",
    ),
    field(
        "target.auth.username",
        Kind::Text,
        Absent,
        Used,
        "who logs in",
    ),
    field(
        "target.auth.password",
        Kind::Secret,
        Absent,
        Used,
        "password, by reference",
    ),
    field(
        "target.tls",
        Kind::Table,
        Absent,
        Used,
        "TLS is on where this table stands",
    ),
    field(
        "target.tls.ca",
        Kind::Path,
        Absent,
        Used,
        "PEM file of the authorities to trust; the system's when left out",
    ),
    field(
        "target.connect_timeout",
        Kind::Timeout,
        Value("10s"),
        Used,
        "for connect, TLS and login together",
    ),
    field(
        "target.request_timeout",
        Kind::Timeout,
        Value("30s"),
        Used,
        "for one request and its answer",
    ),
    field(
        "scope",
        Kind::Table,
        Absent,
        Used,
        "what belongs to the migration",
    ),
    field(
        "scope.topics",
        Kind::Globs,
        Required,
        Used,
        "topics to copy, by name or glob",
    ),
    field(
        "scope.exclude_topics",
        Kind::Globs,
        Absent,
        Used,
        "topics to leave out all the same",
    ),
    field(
        "scope.groups",
        Kind::Globs,
        Absent,
        Used,
        "groups to carry, by name or glob",
    ),
    field(
        "scope.exclude_groups",
        Kind::Globs,
        Absent,
        Used,
        "groups to leave out all the same",
    ),
    field(
        "topic",
        Kind::Tables,
        Absent,
        Used,
        "exceptions, by name or glob",
    ),
    field(
        "topic[].match",
        Kind::Text,
        Required,
        Used,
        "topics this exception is for, by name or glob",
    ),
    field(
        "topic[].existing",
        Kind::Choice(&["keep", "merge"]),
        Absent,
        Used,
        "what becomes of records that the target's topic already holds: they stay; `merge` copies them back, too",
    ),
    field("replication", Kind::Table, Absent, Used, "how to copy"),
    field(
        "replication.two_way",
        Kind::Flag,
        Value("false"),
        Used,
        "copy back, too; always true with MSK Replicator",
    ),
    field(
        "replication.start",
        Kind::Start,
        Value("earliest"),
        Embedded(&["earliest"]),
        "where to begin",
    ),
    field(
        "replication.rate",
        Kind::Rate,
        Value("unlimited"),
        Used,
        "bytes per second, as stored on the source",
    ),
    field(
        "replication.shards",
        Kind::Number { min: 1, max: 64 },
        Value("8"),
        Used,
        "ledger partitions; fixed at first start",
    ),
    field(
        "replication.memory",
        Kind::Size { min: 8 << 20 },
        Value("32MiB"),
        Used,
        "record bytes held in memory at once",
    ),
    field(
        "replication.replication_factor",
        Kind::Number {
            min: 1,
            max: 32_767,
        },
        Absent,
        Used,
        "of topics we create on the target; the broker's default when left out",
    ),
    field(
        "replication.sync",
        Kind::Table,
        Absent,
        Used,
        "what is carried beside records: on, off, or an interval",
    ),
    field(
        "replication.sync.topics",
        Kind::Sync,
        Absent,
        Only(&["true"]),
        "create and grow topics",
    ),
    field(
        "replication.sync.configs",
        Kind::Sync,
        Absent,
        Used,
        "follow changes of topic settings, and how often to look",
    ),
    field(
        "replication.sync.acls",
        Kind::Sync,
        Absent,
        Used,
        "bring access rules over, and how often to look",
    ),
    field(
        "replication.sync.groups",
        Kind::Sync,
        Absent,
        Used,
        "carry group positions, and how long to rest in between",
    ),
    field("ready", Kind::Table, Absent, Later, "limits of the gates"),
    field(
        "ready.message_lag",
        Kind::Number {
            min: 0,
            max: i64::MAX,
        },
        Value("1000"),
        Used,
        "offsets behind",
    ),
    field(
        "ready.replication_latency",
        Kind::Duration,
        Value("90s"),
        Used,
        "time behind",
    ),
    field(
        "ready.offset_lag",
        Kind::Number {
            min: 0,
            max: i64::MAX,
        },
        Value("1000"),
        Used,
        "offsets the groups are behind",
    ),
    field(
        "ready.hold",
        Kind::Duration,
        Value("60s"),
        Used,
        "how long a gate must have been open",
    ),
    field(
        "application",
        Kind::Tables,
        Absent,
        Used,
        "applications that move as one",
    ),
    field("application[].name", Kind::Name, Required, Used, "its name"),
    field(
        "application[].reads",
        Kind::Globs,
        Absent,
        Used,
        "topics it reads",
    ),
    field(
        "application[].writes",
        Kind::Globs,
        Absent,
        Used,
        "topics it writes",
    ),
    field(
        "application[].groups",
        Kind::Globs,
        Absent,
        Used,
        "its consumer groups",
    ),
    field(
        "application[].principals",
        Kind::Texts,
        Absent,
        Used,
        "who it logs in as",
    ),
    field(
        "application[].hooks",
        Kind::Table,
        Absent,
        Used,
        "executables that stop and start it",
    ),
    field(
        "application[].hooks.stop",
        Kind::Path,
        Absent,
        Used,
        "stops it",
    ),
    field(
        "application[].hooks.start",
        Kind::Path,
        Absent,
        Used,
        "starts it",
    ),
    field(
        "application[].hooks.within",
        Kind::Duration,
        Absent,
        Used,
        "the longest that one of them may take; 60s when left out",
    ),
    field(
        "msk",
        Kind::Table,
        Absent,
        Used,
        "for backend = \"msk\" alone",
    ),
    field(
        "msk.region",
        Kind::Text,
        Absent,
        Used,
        "AWS region of the MSK cluster",
    ),
    field(
        "msk.cluster_arn",
        Kind::Text,
        Absent,
        Used,
        "the MSK cluster",
    ),
    field(
        "msk.subnets",
        Kind::Texts,
        Absent,
        Used,
        "two or three, where the replicators run",
    ),
    field(
        "msk.security_groups",
        Kind::Texts,
        Absent,
        Used,
        "what they may reach; the VPC's own group when left out",
    ),
    field(
        "msk.role_arn",
        Kind::Text,
        Absent,
        Used,
        "the role they assume",
    ),
    field(
        "msk.source_bootstrap",
        Kind::Hosts,
        Absent,
        Used,
        "the listener that MSK Replicator uses; source.bootstrap when left out",
    ),
    field(
        "msk.source_auth",
        Kind::Table,
        Absent,
        Used,
        "how MSK Replicator logs in there; as source.auth when left out",
    ),
    field(
        "msk.source_auth.mechanism",
        MECHANISMS,
        Absent,
        Used,
        "scram-sha-256 or scram-sha-512",
    ),
    field(
        "msk.source_auth.username",
        Kind::Text,
        Absent,
        Used,
        "who MSK Replicator logs in as",
    ),
    field(
        "msk.source_auth.password",
        Kind::Secret,
        Absent,
        Used,
        "its password, by reference",
    ),
    field(
        "msk.source_ca",
        Kind::Text,
        Absent,
        Used,
        "PEM file of the authorities, or \"public\"; as source.tls when left out",
    ),
    field(
        "msk.secrets",
        Kind::Texts,
        Absent,
        Used,
        "one (when left out), two, or the ARNs of one or two that are there",
    ),
    field(
        "msk.kms_key",
        Kind::Text,
        Absent,
        Used,
        "key of the secrets; the account's own when left out",
    ),
    field(
        "msk.compression",
        Kind::Text,
        Absent,
        Used,
        "NONE, GZIP, SNAPPY, LZ4 (when left out) or ZSTD",
    ),
    field(
        "msk.names",
        Kind::Table,
        Absent,
        Used,
        "names of the replicators",
    ),
    field(
        "msk.names.forward",
        Kind::Text,
        Absent,
        Used,
        "the one to MSK; NAME-forward when left out",
    ),
    field(
        "msk.names.reverse",
        Kind::Text,
        Absent,
        Used,
        "the one back; NAME-reverse when left out",
    ),
    field(
        "msk.logs",
        Kind::Table,
        Absent,
        Used,
        "where the replicators log",
    ),
    field(
        "msk.logs.cloudwatch",
        Kind::Text,
        Absent,
        Used,
        "name of a log group",
    ),
    field(
        "msk.logs.s3",
        Kind::Text,
        Absent,
        Used,
        "bucket, and a prefix behind a / where one is wanted",
    ),
    field(
        "msk.logs.firehose",
        Kind::Text,
        Absent,
        Used,
        "delivery stream",
    ),
    field(
        "msk.tags",
        Kind::Labels,
        Absent,
        Used,
        "tags of what we make",
    ),
    field(
        "msk.ask",
        Kind::Duration,
        Absent,
        Used,
        "how often AWS is asked about something that takes its time; 15s when left out",
    ),
    field(
        "msk.patience",
        Kind::Duration,
        Absent,
        Used,
        "how long a replicator is followed before the command ends and leaves it to itself; 90m when left out",
    ),
];

/// The key of that path.
pub fn find(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

/// The known key nearest to `key` in the table `parent`, or failing that the place where `key` belongs.
pub fn nearest(parent: &str, key: &str) -> Option<String> {
    let siblings: Vec<&str> = FIELDS
        .iter()
        .filter_map(|field| child(parent, field.path))
        .collect();
    let near = |name: &&&str| strsim::damerau_levenshtein(name, key);
    let best = siblings.iter().min_by_key(near).copied();
    if let Some(best) = best
        && strsim::damerau_levenshtein(best, key) <= 1 + key.len() / 3
    {
        return Some(best.to_owned());
    }
    let elsewhere = FIELDS
        .iter()
        .find(|field| field.path.rsplit('.').next() == Some(key) && field.path.contains('.'));
    elsewhere.map(|field| field.path.to_owned()).or_else(|| {
        siblings
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)))
            .map(|best| (*best).to_owned())
    })
}

/// The key's own name if `path` stands directly in the table `parent`.
fn child<'a>(parent: &str, path: &'a str) -> Option<&'a str> {
    let rest = if parent.is_empty() {
        path
    } else {
        path.strip_prefix(parent)?.strip_prefix('.')?
    };
    (!rest.contains(['.', '['])).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_a_known_table() {
        for field in FIELDS {
            if let Some((parent, _)) = field.path.rsplit_once('.') {
                let parent =
                    find(parent.trim_end_matches("[]")).expect("the parent is in the table");
                assert!(
                    matches!(parent.kind, Kind::Table | Kind::Tables),
                    "{}",
                    field.path
                );
            }
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_own_kind_and_allowed() {
        for field in FIELDS {
            if let Value(text) = field.fallback {
                let value = field.kind.read(&field.kind.parse(text)).expect(field.path);
                if let Only(allowed) | Embedded(allowed) = field.standing {
                    assert!(
                        allowed.contains(&value.to_string().as_str()),
                        "{}",
                        field.path
                    );
                }
            }
        }
    }

    #[test]
    fn nearest_prefers_the_same_table_then_the_same_key_elsewhere() {
        assert_eq!(nearest("", "nmae").as_deref(), Some("name"));
        assert_eq!(
            nearest("replication", "two_ways").as_deref(),
            Some("two_way")
        );
        assert_eq!(nearest("", "shards").as_deref(), Some("replication.shards"));
        assert!(nearest("scope", "zzzzzzzz").is_some());
    }
}
