//! What is deleted from a topic while preflight looks at it: it looks again, at what is left.

use std::time::Duration;

use kafka_migrate::sandbox::{Action, Rule, When};
use kafka_protocol::messages::ApiKey;

use super::{assert_says, document};
use crate::support::{simulated::Pair, tool::PATIENCE, wait};

const TOPIC: &str = "shop-sums-repartition";
/// How long the look is on its way: longer than the records take to go.
const UNDER_WAY: Duration = Duration::from_secs(3);

#[test]
fn a_topic_whose_front_goes_meanwhile_is_looked_at_from_where_it_begins_by_then() {
    let pair = Pair::new("trimmed", TOPIC);
    pair.write(0..20);
    let faults = pair.source().faults();
    let late = Rule::new(ApiKey::Fetch, When::Nth(1), Action::Delay(UNDER_WAY));
    let rule = faults.add(late.of_topic(TOPIC));
    let preflight = pair.migration().command(&["--json", "preflight"]).start();
    wait::until("it looks", PATIENCE, || faults.count(rule) == 1);
    pair.delete(15);
    let said = document(&preflight.wait(PATIENCE));
    for gate in ["G112", "G113"] {
        assert_says(&said, gate, "pass", &[]);
    }
}
