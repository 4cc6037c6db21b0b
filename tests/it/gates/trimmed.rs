//! What is deleted from a topic while preflight looks at it: it looks again, at what is left.

use std::time::Duration;

use kafka_migrate::sandbox::{Action, ClusterPlan, Plan, Rule, Sandbox, When};
use kafka_protocol::messages::ApiKey;
use tokio::runtime::Runtime;

use super::{assert_says, document};
use crate::support::{
    codecs::{Envelope, Record, encode},
    raw::Wire,
    tool::{Migration, PATIENCE},
    wait,
};

const TOPIC: &str = "shop-sums-repartition";
/// How long the look is on its way: longer than the records take to go.
const UNDER_WAY: Duration = Duration::from_secs(3);

#[test]
fn a_topic_whose_front_goes_meanwhile_is_looked_at_from_where_it_begins_by_then() {
    let runtime = Runtime::new().expect("threads can be had");
    // Clusters serve on this runtime from now on.
    let _entered = runtime.enter();
    let plan = Plan {
        clusters: ["source", "target"].map(ClusterPlan::new).into(),
        seed: 1,
    };
    let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
    let [source, target] =
        ["source", "target"].map(|side| sandbox.cluster(side).expect("it is in the plan"));
    assert!(source.create_topic(TOPIC, 1, 1, &[]));
    let mut wire = Wire::connect(&source.bootstrap()).expect("it takes connections");
    for _ in 0..20 {
        let record = Record {
            offset: 0,
            timestamp: source.clock(),
            key: None,
            value: Some(vec![b'a'; 100]),
            headers: Vec::new(),
        };
        let batch = encode(Envelope::PLAIN, &[record]);
        let written = wire.produce(TOPIC, 0, &batch);
        written.expect("it answers").expect("it is taken");
    }
    let text = format!(
        "version = 1\nname = \"trimmed\"\n\n[source]\nbootstrap = [{:?}]\n\n[target]\nbootstrap = [{:?}]\n\n[scope]\ntopics = [{TOPIC:?}]\n",
        source.bootstrap(),
        target.bootstrap(),
    );
    let migration = Migration::from_text("trimmed", &text);
    let faults = source.faults();
    let late = Rule::new(ApiKey::Fetch, When::Nth(1), Action::Delay(UNDER_WAY));
    let rule = faults.add(late.of_topic(TOPIC));
    let preflight = migration.command(&["--json", "preflight"]).start();
    wait::until("it looks", PATIENCE, || faults.count(rule) == 1);
    let deleted = wire.delete_records(TOPIC, 0, 15);
    deleted.expect("it answers").expect("they go");
    let said = document(&preflight.wait(PATIENCE));
    for gate in ["G112", "G113"] {
        assert_says(&said, gate, "pass", &[]);
    }
}
