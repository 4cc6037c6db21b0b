//! Settings of topics and brokers: where they come from, how they change, what is refused.

use kafka_protocol::messages::{
    alter_configs_request as whole,
    describe_configs_request::DescribeConfigsResource,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    *,
};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    ("settings: where they come from", settings),
    ("settings: set, deleted, appended, subtracted", altered),
    ("settings: what is refused", refused_settings),
    ("settings: a limit counts from its change on", followed),
    (
        "AlterConfigs: what is not named goes back to its default",
        all_settings,
    ),
    (
        "brokers' settings: what may change while they run",
        broker_settings,
    ),
];

impl Line {
    /// A setting's value, source and type.
    pub fn setting(&mut self, t: &str, name: &str) -> Option<(String, i8, i8)> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(t))
            .with_configuration_keys(Some(vec![text(name)]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.ask(4, &request);
        let one = answer.results[0].configs.first()?;
        let value = one.value.as_deref().unwrap_or_default().to_owned();
        Some((value, one.config_source, one.config_type))
    }

    /// Changes settings of a topic at once: name, operation, value.
    pub fn alter(&mut self, t: &str, changes: &[(&str, i8, Option<&str>)]) -> i16 {
        let each = changes.iter().map(|(name, operation, value)| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(t))
            .with_configs(each.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.ask(1, &request).responses[0].error_code
    }
}

const OWN: i8 = 1;

const DEFAULT: i8 = 5;

fn settings(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("set");
    line.create(
        &t,
        1,
        &[("cleanup.policy", "compact"), ("retention.ms", "5000")],
    );
    let mut set = |name: &str, value: &str, source, kind| {
        let seen = line.setting(&t, name);
        is(name, seen, Some((value.to_owned(), source, kind)));
    };
    set("cleanup.policy", "compact", OWN, 7);
    set("retention.ms", "5000", OWN, 5);
    set("compression.type", "producer", DEFAULT, 2);
    set("message.timestamp.type", "CreateTime", DEFAULT, 2);
    set("max.message.bytes", "1048588", DEFAULT, 3);
    set("segment.bytes", "1073741824", DEFAULT, 3);
    set("retention.bytes", "-1", DEFAULT, 5);
    set("delete.retention.ms", "86400000", DEFAULT, 5);
    set("unclean.leader.election.enable", "false", DEFAULT, 1);
    set("min.cleanable.dirty.ratio", "0.5", DEFAULT, 6);
    set(
        "message.timestamp.before.max.ms",
        "9223372036854775807",
        DEFAULT,
        5,
    );
    let after = if world.is_41() {
        "3600000"
    } else {
        "9223372036854775807"
    };
    set("message.timestamp.after.max.ms", after, DEFAULT, 5);
    is("unknown", line.setting(&t, "no.such.setting"), None);
}

fn altered(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut step = |change: (&str, i8, Option<&str>), value: &str, source| {
        code(change.0, line.alter(&t, &[change]), NONE);
        let mut seen = || line.setting(&t, change.0).map(|one| (one.0, one.1));
        let expected = Some((value.to_owned(), source));
        let seen = settled(&mut seen, |seen| *seen == expected);
        is(change.0, seen, expected);
    };
    step(("delete.retention.ms", 0, Some("9000")), "9000", OWN);
    step(("delete.retention.ms", 1, None), "86400000", DEFAULT);
    step(
        ("cleanup.policy", 2, Some("compact")),
        "delete,compact",
        OWN,
    );
    step(("cleanup.policy", 3, Some("delete")), "compact", OWN);
    step(("cleanup.policy", 2, Some("compact")), "compact", OWN);
    step(("cleanup.policy", 1, None), "delete", DEFAULT);
    step(("segment.bytes", 0, Some("1073741824")), "1073741824", OWN);
    step(("segment.bytes", 1, None), "1073741824", DEFAULT);
    step(("segment.bytes", 1, None), "1073741824", DEFAULT);
}

fn refused_settings(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut refused = |what: &str, changes: &[(&str, i8, Option<&str>)], expected| {
        code(what, line.alter(&t, changes), expected);
    };
    refused(
        "unknown",
        &[("no.such.setting", 0, Some("1"))],
        INVALID_CONFIG,
    );
    refused(
        "no number",
        &[("retention.ms", 0, Some("x"))],
        INVALID_CONFIG,
    );
    refused("no value", &[("retention.ms", 0, None)], INVALID_REQUEST);
    refused("no list", &[("retention.ms", 2, Some("1"))], INVALID_CONFIG);
    refused(
        "no operation",
        &[("retention.ms", 9, Some("1"))],
        UNKNOWN_SERVER_ERROR,
    );
    let twice = [
        ("retention.ms", 0, Some("1")),
        ("retention.ms", 0, Some("2")),
    ];
    refused("twice", &twice, INVALID_REQUEST);
    let half = [
        ("retention.bytes", 0, Some("77")),
        ("retention.ms", 0, Some("x")),
    ];
    refused("one of two", &half, INVALID_CONFIG);
    let seen = line.setting(&t, "retention.bytes").map(|one| one.0);
    is("none of them", seen.as_deref(), Some("-1"));
    let nowhere = world.unique("nowhere");
    let seen = line.alter(&nowhere, &[("retention.ms", 0, Some("1"))]);
    code("nowhere", seen, UNKNOWN_TOPIC_OR_PARTITION);
}

fn followed(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    is("before", line.produce(&t, batch(NOBODY, -1, 9)), (NONE, 0));
    code(
        "changed",
        line.alter(&t, &[("max.message.bytes", 0, Some("100"))]),
        NONE,
    );
    let mut send = || line.produce(&t, batch(NOBODY, -1, 9)).0;
    let seen = settled(&mut send, |code| *code != NONE);
    code("after", seen, MESSAGE_TOO_LARGE);
}

fn all_settings(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("set");
    line.create(
        &t,
        1,
        &[("retention.ms", "5000"), ("cleanup.policy", "compact")],
    );
    let one = whole::AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("7000")));
    let one = whole::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(&t))
        .with_configs(vec![one]);
    let request = AlterConfigsRequest::default().with_resources(vec![one]);
    code("set", line.ask(1, &request).responses[0].error_code, NONE);
    let mut look = || line.setting(&t, "retention.ms").map(|one| (one.0, one.1));
    let seven = Some(("7000".to_owned(), 1));
    is(
        "what is named",
        settled(&mut look, |seen| *seen == seven),
        seven,
    );
    let seen = line.setting(&t, "cleanup.policy").map(|one| (one.0, one.1));
    is("what is not", seen, Some(("delete".to_owned(), 5)));
}

fn broker_settings(world: &World) {
    let mut line = Line::to(world);
    let mut check = |name: &str, value: &str, expected| {
        let one = AlterableConfig::default()
            .with_name(text(name))
            .with_value(Some(text(value)));
        let one = AlterConfigsResource::default()
            .with_resource_type(4)
            .with_resource_name(text("1"))
            .with_configs(vec![one]);
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(vec![one])
            .with_validate_only(true);
        let seen = line.ask(1, &request).responses[0].error_code;
        code(&format!("{name}={value}"), seen, expected);
    };
    check("producer.id.expiration.ms", "2147483647", NONE);
    check("producer.id.expiration.ms", "2147483648", INVALID_REQUEST);
    check("message.max.bytes", "2000000", NONE);
    check("offsets.retention.minutes", "1", INVALID_REQUEST);
    check("transaction.partition.verification.enable", "false", NONE);
    let one = DescribeConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name(text("1"))
        .with_configuration_keys(Some(vec![text("producer.id.expiration.ms")]));
    let request = DescribeConfigsRequest::default().with_resources(vec![one]);
    let answer = line.ask(4, &request);
    let one = &answer.results[0].configs[0];
    is(
        "its default",
        (one.value.as_deref(), one.config_source),
        (Some("86400000"), 5),
    );
}
