//! A write freeze: what an application leaves it cannot write any more, whoever else goes on writing there; the denial stays on its side, and goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kafka_migrate::{
    cluster::{Source, freeze::Freeze},
    config::{self, Amazon},
    model::freeze::Frozen,
};
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    error::RDKafkaErrorCode,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use crate::{
    support::{
        kafka::{Kafka, MIGRATOR},
        load::Load,
        tool::{Migration, PATIENCE, Tool},
        unique, wait,
    },
    sync::rules,
};

const WRITE: i8 = 4;
const OF_TOPIC: i8 = 2;
const LITERAL: i8 = 3;

/// Hears what became of a record.
#[derive(Clone, Default)]
struct Told(std::sync::Arc<std::sync::Mutex<Option<Result<(), RDKafkaErrorCode>>>>);

impl ClientContext for Told {}

impl ProducerContext for Told {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let told = match result {
            Ok(record) => {
                assert!(record.offset() >= 0);
                Ok(())
            }
            Err((error, _)) => Err(error.rdkafka_error_code().expect("it has a code")),
        };
        *self.0.lock().expect("nobody panics with it") = Some(told);
    }
}

/// Writes one record as the application logs in: what became of it.
fn writes(kafka: &Kafka, topic: &str) -> Result<(), RDKafkaErrorCode> {
    let told = Told::default();
    let producer: BaseProducer<Told> = ClientConfig::new()
        .set("bootstrap.servers", kafka.secure_bootstrap().join(","))
        .set("security.protocol", "SASL_SSL")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", MIGRATOR.0)
        .set("sasl.password", MIGRATOR.1)
        .set("ssl.ca.location", kafka.ca().to_string_lossy())
        .set("message.timeout.ms", "20000")
        .create_with_context(told.clone())
        .expect("a producer can be made");
    let record: BaseRecord<'_, str, str> =
        BaseRecord::to(topic).payload("a record of the application");
    producer.send(record).expect("it is queued");
    producer.flush(PATIENCE).expect("it is answered");
    let told = told.0.lock().expect("nobody panics with it").take();
    told.expect("it was heard")
}

/// Moves it; it is started there by hand.
fn moves(migration: &Migration, command: &str, there: &Kafka, topic: &str) {
    let arguments = [command, "--app", "app", "--freeze", "--quiet-for", "500ms"];
    let arguments = [&arguments[..], &["--confirm", &migration.name]].concat();
    let moving = migration.command(&arguments).start();
    let may_start = wait::whether(PATIENCE, || moving.said().contains("only there: done"));
    assert!(may_start, "{}", moving.said());
    wait::until("it may write there", PATIENCE, || {
        writes(there, topic).is_ok()
    });
    moving.wait(PATIENCE).assert_exit(0);
}

/// A migration of this topic by one application of this principal, and another that writes there, too; its engine runs.
fn migration(source: &Kafka, target: &Kafka, topic: &str, principal: &str) -> (Migration, Tool) {
    let migration = Migration::of_topic(source, target, topic);
    crate::sync::eager(&migration);
    migration.edit(
        "[replication]\n",
        &format!(
            "\n[ready]\nhold = \"1s\"\n\n[[application]]\nname = \"app\"\nprincipals = [{principal:?}]\nwrites = [{topic:?}]\n\n\
             [[application]]\nname = \"other\"\nwrites = [{topic:?}]\n\n[replication]\ntwo_way = true\n"
        ),
    );
    let engine = crate::sync::engine(&migration);
    let ready = ["ready", "--app", "app", "--wait", "2m"];
    migration.run(&ready).assert_exit(0);
    (migration, engine)
}

#[test]
fn a_broker_that_has_died_keeps_nobody_from_freezing() {
    let source = Kafka::spec("frozen-source").brokers(3).secure().start();
    let (_, target) = rules::guarded();
    let topic = unique("frozen-dead");
    source.create_topic(&topic, 1, &[]);
    let principal = format!("User:{}", MIGRATOR.0);
    rules::allow(&source, &principal, (OF_TOPIC, &topic, LITERAL), WRITE);
    wait::until("it may write", PATIENCE, || writes(&source, &topic).is_ok());
    let (migration, engine) = migration(&source, target, &topic, &principal);
    let leads = source.leader_index(&topic, 0).expect("it is led");
    // Whoever has known all three is told by those that live, and does not wait for the one that is named for a while yet.
    let state = migration.path("state");
    let amazon = Amazon {
        tokens: None,
        secrets: BTreeMap::new(),
    };
    let file = migration.file();
    let settings = config::resolve(&file, &[], Some(&state), &BTreeMap::new(), &amazon);
    let settings = settings.expect("the settings are sound");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let cluster = runtime.block_on(Source::connect(&settings.source));
    let freeze = Freeze::on(&cluster.expect("it connects"), &migration.name);
    source.kill((leads + 1) % 3);
    let all = [Frozen {
        principal,
        topic: topic.clone(),
    }];
    let made = runtime.block_on(freeze.make(&all));
    made.expect("the brokers that live refuse it");
    let refused = Err(RDKafkaErrorCode::TopicAuthorizationFailed);
    assert_eq!(writes(&source, &topic), refused);
    let lifted = runtime.block_on(freeze.lift(&all));
    lifted.expect("the brokers that live let it");
    assert_eq!(writes(&source, &topic), Ok(()));
    moves(&migration, "cutover", target, &topic);
    assert_eq!(writes(&source, &topic), refused);
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
}

#[test]
fn what_it_leaves_it_cannot_write_while_others_can() {
    let (source, target) = rules::guarded();
    let topic = unique("frozen");
    source.create_topic(&topic, 1, &[]);
    let principal = format!("User:{}", MIGRATOR.0);
    rules::allow(source, &principal, (OF_TOPIC, &topic, LITERAL), WRITE);
    wait::until("it may write", PATIENCE, || writes(source, &topic).is_ok());
    let (migration, engine) = migration(source, target, &topic, &principal);
    // Other tests have rules there, too.
    let of = |kafka: &Kafka| -> BTreeSet<String> {
        let all = rules::rules(kafka, "").into_iter();
        all.filter(|rule| rule.contains(&topic)).collect()
    };
    let before = of(source);
    // Without its principals nobody can be kept from writing, and nothing is begun.
    let refused = [
        "cutover",
        "--app",
        "other",
        "--freeze",
        "--confirm",
        &migration.name,
    ];
    let refused = migration.run(&refused);
    refused.assert_exit(7);
    refused.assert_says("K356");
    refused.assert_says("principals");
    assert_eq!(of(source), before);
    // The other one never stops writing on the source.
    let other = Load::to(&[(&topic, 1)]).keep_writing(source, 50);
    moves(&migration, "cutover", target, &topic);
    assert_eq!(
        writes(source, &topic),
        Err(RDKafkaErrorCode::TopicAuthorizationFailed)
    );
    let made = &of(source) - &before;
    assert_eq!(made.len(), 2, "a denial and its mark: {made:#?}");
    // The engine looks at rules every moment: what is denied on the source alone is not denied on the target.
    let looked = || {
        let said = migration.run(&["--json", "status"]).stdout;
        let status: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
        status["sync"]["acls_ms"].as_i64().expect("it was looked")
    };
    let then = looked();
    let again = Duration::from_secs(150);
    wait::until("rules were looked at once more", again, || looked() > then);
    assert_eq!(writes(target, &topic), Ok(()));
    // Back: what was frozen there is let again, and the other side is frozen.
    moves(&migration, "rollback", source, &topic);
    assert_eq!(of(source), before);
    assert_eq!(writes(source, &topic), Ok(()));
    let is_refused = || writes(target, &topic) == Err(RDKafkaErrorCode::TopicAuthorizationFailed);
    assert!(is_refused());
    other.stop();
    let denials = |kafka: &Kafka| -> BTreeSet<String> {
        let all = of(kafka).into_iter();
        all.filter(|rule| rule.ends_with(" 2")).collect()
    };
    assert_eq!(denials(target).len(), 2);
    let cleanup = migration.run(&["cleanup", "--confirm", &migration.name]);
    cleanup.assert_exit(0);
    cleanup.assert_says("write-freeze");
    assert_eq!(denials(target), BTreeSet::new());
    assert_eq!(of(source), before);
    engine.wait(PATIENCE).assert_exit(9);
}
