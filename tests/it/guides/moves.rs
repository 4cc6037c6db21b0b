//! docs/guides/move-and-return.md: three applications move with our own engine, one comes back and goes again, and all is cleaned up; under load.

use std::{fs, path::Path, thread};

use super::{
    Shell,
    company::{Company, TOPICS, announced, cluster, loosely},
    name,
};
use crate::{
    phases::applications::PARTITIONS,
    support::{
        self,
        kafka::{MIGRATOR, Version},
    },
};

const PAGE: &str = "docs/guides/move-and-return.md";

#[test]
fn the_guide_of_moves_with_our_own_engine_and_the_way_back() {
    let (old, new) = thread::scope(|scope| {
        let old = scope.spawn(|| cluster("guide-old", Version::V3_9));
        let new = cluster("guide-new", Version::V4_1);
        (old.join().expect("it starts"), new)
    });
    for topic in TOPICS {
        old.create_topic(topic, PARTITIONS, &[]);
        old.wait_for_partitions(topic, PARTITIONS);
    }
    let place = support::scratch("guide-moves");
    let company = Company::start(place.path(), &old, &new);
    let file = |name: &str, text: &str| {
        fs::write(place.path().join(name), text).expect("the scratch directory is writable");
    };
    for (name, kafka) in [("old.pem", &old), ("new.pem", &new)] {
        let authority = fs::read_to_string(kafka.ca());
        file(name, &authority.expect("it has an authority"));
    }
    file("migrator.password", MIGRATOR.1);
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE));
    let page = page.expect("the page is there");
    let shown = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let names = vec![
        name("old.example.com:9096", &old),
        name("new.example.com:9096", &new),
    ];
    let text = names.iter().fold(
        shown.expect("it shows a file").to_owned(),
        |text, (shown, real)| text.replace(shown, real),
    );
    file("migration.toml", &text);
    let mut shell = Shell::start(place.path());
    let printed = super::run_loosely(PAGE, &mut shell, &names, loosely);
    for said in &printed {
        assert!(!said.contains("error["), "{said}");
    }
    let announced = announced(&printed.concat());
    for (name, again) in company.judge() {
        let announced = announced.get(name).copied().unwrap_or(0);
        eprintln!("{name}: {announced} announced, {again} read again");
        assert_eq!(again, announced, "{name}");
    }
    for kafka in [&old, &new] {
        let topics = kafka.metadata().topics.into_iter();
        let ours = topics.filter(|(topic, _)| topic.starts_with("kafka-migrate."));
        assert_eq!(
            ours.count(),
            0,
            "nothing is left that the page says is gone"
        );
    }
}
