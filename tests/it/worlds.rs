//! The rules of the sandbox, asked of it and of real Apache Kafka.

use kafka_migrate::sandbox::{ClusterPlan, Plan, Release, Sandbox};
use tokio::runtime::Runtime;

use crate::{
    rules::{self, Release as As, World},
    support::{shared_older, shared_pair},
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
    let real = |kafka: &crate::support::kafka::Kafka| {
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
    eprintln!("{}", rules::run_all(&worlds));
}
