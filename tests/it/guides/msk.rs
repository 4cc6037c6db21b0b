//! docs/guides/self-managed-to-msk.md: three applications go to MSK, one comes back and goes again, all is cleaned up; under load, on a
//! fake AWS whose replicators copy between two real clusters.

use std::{fs, thread};

use super::{
    Shell,
    company::{Company, TOPICS, announced, cluster, loosely},
    name,
};
use crate::{
    phases::applications::PARTITIONS,
    support::{
        self,
        aws::{
            Aws,
            carrier::{Carrier, Place},
            clusters::Cluster,
        },
        kafka::{Kafka, MIGRATOR, Version},
    },
};

const PAGE: &str = "docs/guides/self-managed-to-msk.md";

#[test]
fn the_guide_from_a_self_managed_cluster_to_msk_and_the_way_back() {
    let (external, msk) = thread::scope(|scope| {
        let external = scope.spawn(|| cluster("guide-external", Version::V3_9));
        let msk = cluster("guide-msk", Version::V4_1);
        (external.join().expect("it starts"), msk)
    });
    for topic in TOPICS {
        external.create_topic(topic, PARTITIONS, &[]);
        external.wait_for_partitions(topic, PARTITIONS);
    }
    let place = support::scratch("guide-msk");
    let company = Company::start(place.path(), &external, &msk);
    let aws = Aws::start();
    let arn = aws.add_cluster(Cluster::standard("my-cluster"));
    aws.add_log_group("/msk/replicator/shop");
    let side = |kafka: &Kafka, id: &str| Place {
        id: id.to_owned(),
        bootstrap: kafka.bootstrap(),
    };
    let id = external.metadata().cluster_id;
    let _carrier = Carrier::attach(&aws, side(&external, &id), side(&msk, "msk"));
    let file = |name: &str, text: &str| {
        fs::write(place.path().join(name), text).expect("the scratch directory is writable");
    };
    for (name, kafka) in [("external.pem", &external), ("msk.pem", &msk)] {
        file(
            name,
            &fs::read_to_string(kafka.ca()).expect("it has an authority"),
        );
    }
    file("migrator.password", MIGRATOR.1);
    let page = fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE));
    let page = page.expect("the page is there");
    let shown = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let names = vec![
        name("kafka1.example.com:9096", &external),
        name("b-1.my-cluster.example.com:9096", &msk),
        ("arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/1d9d7b4a-2c3e-4f5a-9b8c-7d6e5f4a3b2c-2".to_owned(), arn),
    ];
    let text = names.iter().fold(
        shown.expect("it shows a file").to_owned(),
        |text, (shown, real)| text.replace(shown, real),
    );
    file("migration.toml", &text);
    let mut shell = Shell::start_with(place.path(), aws.environment());
    let printed = super::run_loosely(PAGE, &mut shell, &names, loosely);
    for said in &printed {
        assert!(!said.contains("error["), "{said}");
    }
    let announced = announced(&printed.concat());
    for (name, again) in company.judge() {
        let announced = announced.get(name).copied().unwrap_or(0);
        eprintln!("{name}: {announced} announced, {again} read again");
        assert!(again <= announced, "{name}: {again} of {announced}");
    }
    // Nothing is left that the page says is gone.
    assert_eq!(aws.replicators(), []);
}
