//! A partition of which nobody may say where it begins and ends: simulated, since real brokers would have to take the right away between two
//! requests of one run.

use kafka_migrate::sandbox::{Action, ClusterPlan, Rule, When};
use kafka_protocol::messages::ApiKey;
use tokio::runtime::Runtime;

use crate::support::{
    simulated::{Clusters, SIDES},
    tool::PATIENCE,
    wait,
};

use super::{event, stops::stopped};

/// TOPIC_AUTHORIZATION_FAILED.
const REFUSED: i16 = 29;
const SCOPE: &str = "[scope]\ntopics = [\"*\"]\n";

#[test]
fn a_partition_whose_ends_nobody_may_tell_stops_at_first_contact_and_the_others_go_on() {
    let runtime = Runtime::new().expect("threads can be had");
    for side in SIDES {
        let clusters = Clusters::new(runtime.handle(), ClusterPlan::new, "unmet", SCOPE);
        let values = |topic: &str| -> Vec<_> {
            let records = clusters.records("target", topic, 0).into_iter();
            records.filter_map(|record| record.value).collect()
        };
        let source = clusters.cluster("source");
        assert!(source.create_topic("known", 1, 1, &[]));
        clusters.write("known", 0, b"1", 0);
        let migration = &clusters.migration;
        let mut tool = migration.command(&["--json", "replicate"]).start();
        wait::until("it is copied", PATIENCE, || values("known") == [b"1"]);

        let faults = clusters.cluster(side).faults();
        let rule = Rule::new(ApiKey::ListOffsets, When::Always, Action::Error(REFUSED));
        faults.add(rule.of_topic("unmet"));
        assert!(source.create_topic("unmet", 1, 1, &[]));
        clusters.write("unmet", 0, b"3", 0);
        tool.wait_for(&event("partition-stopped"), PATIENCE);
        faults.clear();
        let told = stopped(migration);
        assert_eq!(told, [("unmet".to_owned(), "K521".to_owned())], "{side}");
        clusters.write("known", 0, b"2", 0);
        wait::until("it goes on", PATIENCE, || values("known") == [b"1", b"2"]);
        assert!(values("unmet").is_empty(), "{side}");
        tool.interrupt();
        tool.wait(PATIENCE).assert_exit(130);

        migration.catch_up();
        assert_eq!(values("known"), [b"1", b"2"], "{side}");
        assert_eq!(values("unmet"), [b"3"], "{side}");
        assert_eq!(stopped(migration), [], "{side}");
    }
}
