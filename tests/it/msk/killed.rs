//! `cutover`, `rollback` and `cleanup` killed with `kill -9` before, in and behind every step of their plans, each time gone on with by the
//! same command: the same end as without, nothing lost, and no more read again than was announced.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{LITERAL, READ, Scene, TOPIC, external, runtime};
use crate::{
    phases::{
        applications::Applications,
        kills::{Stage, assert_called_again, hooks},
        three::{Three, announced},
    },
    support::{
        aws::{
            carrier::{Carrier, Place},
            faults::{Fault, Which},
        },
        kafka::Kafka,
        shared_pair,
        tool::Call,
    },
};

/// Who moves.
const NAME: &str = "order-status";
/// What a plan has left behind.
#[derive(Debug, PartialEq)]
struct End {
    runs: Vec<&'static str>,
    /// Each hook once: what, where.
    hooks: Vec<String>,
    topics: Vec<Vec<String>>,
    rules: Vec<String>,
    /// On each side: has the group members?
    members: [bool; 2],
    /// Is the secret there to be read?
    secret: bool,
    replicators: Vec<(String, &'static str)>,
    /// How many of them copy.
    copy: usize,
}

/// A scene with the three applications of the story, of which one moves.
struct Story {
    /// Ended before their directory, which is the scene's.
    three: Three,
    scene: Scene,
    carrier: Arc<Carrier>,
}

impl Stage for Story {
    fn command(&self, arguments: &[&str]) -> Call {
        self.scene.command(arguments)
    }

    fn applications(&self) -> &Applications {
        &self.three.applications
    }

    fn journal(&self) -> PathBuf {
        self.scene.migration.path("state/journal")
    }

    fn call_of(&self, effect: &str) -> Option<&'static str> {
        if effect.starts_with("remove-replicator") {
            return Some("DeleteReplicator");
        }
        effect
            .starts_with("remove-secret")
            .then_some("DeleteSecret")
    }

    fn hold_up(&self, call: &'static str, has_effect: bool) {
        self.scene.aws.forget_requests();
        let fault = match has_effect {
            true => Fault::SilentAfter,
            false => Fault::SilentBefore,
        };
        self.scene.aws.fault(call, Which::Next(1), fault);
    }

    fn was_called(&self, call: &'static str) -> bool {
        !self.scene.aws.requests_of(call).is_empty()
    }

    fn heal(&self) {
        self.scene.aws.heal();
    }
}

impl Story {
    fn new() -> Self {
        let scene = Scene::new("msk-story");
        let msk = &shared_pair().1;
        let name = &scene.migration.name;
        let three = Three::start(scene.migration.directory(), name, external(), msk, 50);
        let text = fs::read_to_string(scene.migration.file()).expect("it was written");
        let text = text
            .replace(
                &format!("topics = [{:?}]", scene.topic),
                &format!("topics = {:?}", three.topics),
            )
            .replace(
                &format!("groups = [\"{name}-group\"]"),
                &format!("groups = {:?}", three.groups),
            );
        fs::write(scene.migration.file(), text + &three.described()).expect("it is written");
        let place = |kafka: &Kafka, id: String| Place {
            id,
            bootstrap: kafka.bootstrap(),
        };
        let allowed = external().wire().allow(
            "User:order-status",
            (TOPIC, &three.topics[0], LITERAL),
            READ,
        );
        allowed
            .expect("the broker answers")
            .expect("the ACL is taken");
        let id = external().metadata().cluster_id;
        let carrier = Carrier::attach(
            &scene.aws,
            place(external(), id),
            place(msk, "msk".to_owned()),
        );
        Self {
            three,
            scene,
            carrier,
        }
    }

    /// What was announced to be read again, since then.
    fn announced(&self, base: usize) -> u64 {
        announced(&self.words()[base..])
    }

    /// What is there; hooks since so many calls.
    fn end(&self, calls: usize) -> End {
        let name = &self.scene.migration.name;
        let topics = |kafka: &Kafka| {
            let all = kafka.metadata().topics.into_iter();
            let ours = all.filter(|(topic, _)| topic.contains(name.as_str()));
            ours.map(|(topic, leaders)| format!("{topic} {}", leaders.len()))
                .collect()
        };
        let sides = [external(), shared_pair().1];
        let client = aws_sdk_secretsmanager::Client::new(&self.scene.aws.sdk());
        let secret = client.describe_secret().secret_id(self.scene.secret());
        let secret = runtime().block_on(secret.send()).expect("it is known");
        End {
            runs: self.three.applications.runs(NAME),
            hooks: hooks(&self.three.applications, calls),
            topics: sides.map(topics).into(),
            rules: external()
                .wire()
                .access_rules(name)
                .expect("the broker answers"),
            members: sides.map(|kafka| has_members(kafka, &self.three.groups[0])),
            secret: secret.deleted_date().is_none(),
            replicators: self.scene.replicators(),
            copy: self.carrier.running().len(),
        }
    }
}

fn has_members(kafka: &Kafka, group: &str) -> bool {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .create()
        .expect("a client can be made");
    let found = client.fetch_group_list(Some(group), Duration::from_secs(30));
    let found = found.expect("the broker answers");
    found
        .groups()
        .iter()
        .any(|group| !group.members().is_empty())
}

#[test]
fn killed_at_every_step_moves_and_cleanup_end_as_without() {
    let story = Story::new();
    let (scene, applications) = (&story.scene, &story.three.applications);
    story.three.wait_for_more(100);
    scene.run(&["replicate"]).assert_exit(0);
    scene.run(&["ready", "--wait", "3m"]).assert_exit(0);
    let quick = ["--quiet-for", "500ms", "--positions-within", "2s"];
    let confirmed = ["--app", NAME, "--confirm", &scene.migration.name];
    let moves =
        ["cutover", "rollback"].map(|command| [&[command][..], &confirmed, &quick].concat());
    let mut allowed = 0;
    let mut ends = Vec::new();
    for command in &moves {
        let (calls, base) = (applications.calls().len(), story.words().len());
        scene.run(command).assert_exit(0);
        ends.push(story.end(calls));
        allowed += story.announced(base);
        story.three.wait_for_more(50);
    }
    let mut kills = Vec::new();
    for (command, to) in moves.iter().zip(["target", "source"]) {
        let (calls, base) = (applications.calls().len(), story.words().len());
        let killed = story.killed_at_each(command);
        eprintln!("{} was killed {} times", command[0], killed.len());
        assert_eq!(story.end(calls), ends.remove(0), "{}", command[0]);
        assert_called_again(applications, calls, NAME, to);
        allowed += story.announced(base);
        kills.push(killed.len());
        story.three.wait_for_more(50);
    }
    let before = story.end(applications.calls().len());
    let killed = story.killed_at_each(&["cleanup", "--confirm", &scene.migration.name]);
    kills.push(killed.len());
    let end = story.end(applications.calls().len());
    let expected = End {
        secret: false,
        replicators: Vec::new(),
        copy: 0,
        ..before
    };
    assert_eq!(end, expected);
    let again = story.three.judge("source")[NAME];
    eprintln!("killed {kills:?} times; {allowed} announced, {again} read again");
    assert!(again <= allowed, "{again} of {allowed}");
}
