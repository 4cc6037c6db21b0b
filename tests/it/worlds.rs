//! The rules of the sandbox, asked of it and of real Apache Kafka.

use kafka_migrate::sandbox::{ClusterPlan, Plan, Release, Sandbox};
use tokio::runtime::Runtime;

use crate::{
    rules::{self, ADMIN, Brokers, OPERATED_SETTINGS, Release as As, Simulated, World, password},
    support::{
        kafka::{Kafka, Version},
        shared_older, shared_pair,
    },
};

#[test]
fn every_rule_of_the_sandbox_holds_in_both_worlds() {
    let runtime = Runtime::new().expect("threads can be had");
    let cluster = |name: &str, release| ClusterPlan {
        release,
        ..ClusterPlan::new(name)
    };
    let plan = Plan {
        clusters: vec![
            cluster("newest", Release::V4_1),
            cluster("older", Release::V3_9),
        ],
        seed: 1,
    };
    let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
    let simulated = |name: &str| sandbox.cluster(name).expect("it runs").bootstrap();
    let (newest, older) = (shared_pair().1, shared_older());
    let real = |kafka: &Kafka| {
        let name = format!("Apache Kafka {}", kafka.version().number());
        (name, kafka.bootstrap()[0].clone())
    };
    let ((newest_name, newest), (older_name, older)) = (real(newest), real(older));
    let worlds = [
        World::new("sandbox 4.1", &simulated("newest"), As::V4_1),
        World::new(&newest_name, &newest, As::V4_1),
        World::new("sandbox 3.9", &simulated("older"), As::V3_9),
        World::new(&older_name, &older, As::V3_9),
    ];
    eprintln!("{}", rules::run_all(rules::RULES, &worlds));
}

#[test]
fn every_rule_of_rights_and_logins_holds_in_both_worlds() {
    let runtime = Runtime::new().expect("threads can be had");
    let cluster = |name: &str, release| {
        let plan = ClusterPlan {
            release,
            authorizer: true,
            super_users: vec![format!("User:{ADMIN}")],
            ..ClusterPlan::new(name)
        };
        let users = rules::users().into_iter();
        users.fold(plan, |plan, user| plan.with_user(&user, &password(&user)))
    };
    let plan = Plan {
        clusters: vec![
            cluster("newest", Release::V4_1),
            cluster("older", Release::V3_9),
        ],
        seed: 1,
    };
    let (newest, older) = std::thread::scope(|scope| {
        let older = scope.spawn(|| guarded(Version::V3_9));
        let newest = guarded(Version::V4_1);
        (newest, older.join().expect("it starts"))
    });
    let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
    let simulated = |name: &str| sandbox.cluster(name).expect("it runs").bootstrap();
    let real = |kafka: &Kafka, release| {
        let name = format!("Apache Kafka {}", kafka.version().number());
        World::new(&name, &kafka.secure_bootstrap()[0], release).guarded()
    };
    let worlds = [
        World::new("sandbox 4.1", &simulated("newest"), As::V4_1).guarded(),
        real(&newest, As::V4_1),
        World::new("sandbox 3.9", &simulated("older"), As::V3_9).guarded(),
        real(&older, As::V3_9),
    ];
    eprintln!("{}", rules::run_all(rules::GUARDED, &worlds));
}

#[test]
fn every_rule_of_restarts_leaders_and_cleaners_holds_in_both_worlds() {
    let runtime = Runtime::new().expect("threads can be had");
    let cluster = |name: &str, release| {
        let plan = ClusterPlan {
            release,
            ..ClusterPlan::new(name).with_brokers(2)
        };
        let settings = OPERATED_SETTINGS.iter();
        settings.fold(plan, |plan, (name, value)| plan.with_setting(name, value))
    };
    let plan = Plan {
        clusters: vec![
            cluster("newest", Release::V4_1),
            cluster("older", Release::V3_9),
        ],
        seed: 1,
    };
    let (newest, older) = std::thread::scope(|scope| {
        let older = scope.spawn(|| Brokers::start(Version::V3_9));
        let newest = Brokers::start(Version::V4_1);
        (newest, older.join().expect("it starts"))
    });
    let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
    let simulated = |name: &str, cluster: &str, release| {
        let operator = Simulated {
            cluster: sandbox.cluster(cluster).expect("it runs").clone(),
            runtime: runtime.handle().clone(),
        };
        World::new(name, &operator.cluster.bootstrap(), release).operated(operator)
    };
    let real = |brokers: Brokers, version: Version, release| {
        let name = format!("Apache Kafka {}", version.number());
        World::new(&name, &brokers.bootstrap(), release).operated(brokers)
    };
    let worlds = [
        simulated("sandbox 4.1", "newest", As::V4_1),
        real(newest, Version::V4_1, As::V4_1),
        simulated("sandbox 3.9", "older", As::V3_9),
        real(older, Version::V3_9, As::V3_9),
    ];
    eprintln!("{}", rules::run_operated(&worlds));
}

/// A broker that enforces access rules and asks for a login in plain text, with the rules' users. It is of this test alone: the rules change
/// what everybody may do.
fn guarded(version: Version) -> Kafka {
    let users = rules::users()
        .into_iter()
        .map(|user| format!(" user_{user}=\"{}\"", password(&user)));
    let users: String = users.collect();
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    Kafka::spec("guarded")
        .version(version)
        .secure()
        .set(
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_PLAINTEXT",
        )
        .set(
            "listener.name.secure.plain.sasl.jaas.config",
            &format!("{plain}{users};"),
        )
        .start()
}
