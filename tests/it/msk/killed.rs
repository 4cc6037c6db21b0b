//! `cutover`, `rollback` and `cleanup` killed with `kill -9` before, in and behind every step of their plans, each time gone on with by the
//! same command: the same end as without, nothing lost, and no more read again than was announced.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use serde_json::Value;

use super::{LITERAL, READ, Scene, TOPIC, external, runtime};
use crate::{
    phases::{
        applications::{Applications, PARTITIONS, Work, partition_of},
        judged::judge,
    },
    support::{
        aws::{
            carrier::{Carrier, Place},
            faults::{Fault, Which},
        },
        kafka::Kafka,
        shared_pair,
        tool::Finished,
        wait,
    },
};

const PATIENCE: Duration = Duration::from_secs(120);
/// Who moves.
const NAME: &str = "order-status";
/// Said of positions that an earlier run has asked.
const ASKED_BEFORE: &str = "an earlier run";

/// Where the command is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    /// Behind this word of the journal.
    Word(&'static str),
    /// In its hook, `before` or `after` that has done what it is for.
    Hook(&'static str),
    /// In this call, which has had no effect, or had it.
    Call(&'static str, bool),
}

/// A place in a plan.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Which step, from 0; `None`: of the plan.
    step: Option<usize>,
    at: At,
}

/// Every place at which a plan can be cut off.
fn points(plan: &Value) -> Vec<Point> {
    let point = |step, at| Point { step, at };
    let mut all = vec![
        point(None, At::Word("runner")),
        point(None, At::Word("planned")),
    ];
    let steps = plan["steps"].as_array().expect("a plan has steps").iter();
    for (number, step) in steps.enumerate() {
        let name = step["name"].as_str().expect("a step has a name");
        let at: Vec<At> = match step["what"].as_str().expect("a step has a kind") {
            "attestation" => vec![At::Word("attested")],
            "hook" => vec![At::Hook("before"), At::Hook("after"), At::Word("done")],
            "effect" if name.starts_with("remove-replicator") => vec![
                At::Call("DeleteReplicator", false),
                At::Call("DeleteReplicator", true),
                At::Word("done"),
            ],
            "effect" if name.starts_with("remove-secret") => vec![
                At::Call("DeleteSecret", false),
                At::Call("DeleteSecret", true),
                At::Word("done"),
            ],
            "effect" => vec![At::Word("intent"), At::Word("done")],
            other => panic!("{other} is no kind of step that is killed here"),
        };
        all.extend(at.into_iter().map(|at| point(Some(number), at)));
    }
    all.push(point(None, At::Word("ended")));
    all
}

/// A word of the journal: its kind, the step that it is about, what was said.
struct Word {
    kind: String,
    step: Option<usize>,
    said: String,
}

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
    applications: Applications,
    scene: Scene,
    group: String,
    carrier: Arc<Carrier>,
}

impl Story {
    fn new() -> Self {
        let scene = Scene::new("msk-story");
        let msk = &shared_pair().1;
        let status = format!("{}-status", scene.migration.name);
        external().create_topic(&status, PARTITIONS, &[]);
        let orders = format!("{}-orders", scene.migration.name);
        external().create_topic(&orders, PARTITIONS, &[]);
        external().wait_for_partitions(&orders, PARTITIONS);
        external().wait_for_partitions(&status, PARTITIONS);
        let groups = ["order-status", "customer-notification"]
            .map(|group| format!("{}-{group}", scene.migration.name));
        let work = [
            Work::Writes {
                to: orders.clone(),
                per_second: 50,
            },
            Work::Reads {
                from: orders.clone(),
                to: Some(status.clone()),
                group: groups[0].clone(),
            },
            Work::Reads {
                from: status.clone(),
                to: None,
                group: groups[1].clone(),
            },
        ];
        let names = ["orders", NAME, "customer-notification"];
        let named: Vec<(&str, Work)> = names.into_iter().zip(work).collect();
        let directory = scene.migration.directory();
        let applications = Applications::new(directory, external(), msk, &named);
        for name in names {
            applications.start(name, "source");
        }
        let hooks =
            "hooks = { stop = \"applications/stop.sh\", start = \"applications/start.sh\" }";
        let described = format!(
            "\n[[application]]\nname = \"orders\"\nwrites = [{orders:?}]\n{hooks}\n\
             [[application]]\nname = \"order-status\"\nreads = [{orders:?}]\nwrites = [{status:?}]\ngroups = [{:?}]\n{hooks}\n\
             [[application]]\nname = \"customer-notification\"\nreads = [{status:?}]\ngroups = [{:?}]\n{hooks}\n",
            groups[0], groups[1]
        );
        let text = fs::read_to_string(scene.migration.file()).expect("it was written");
        let text = text
            .replace(
                &format!("topics = [{:?}]", scene.topic),
                &format!("topics = [{orders:?}, {status:?}]"),
            )
            .replace(
                &format!("groups = [\"{}-group\"]", scene.migration.name),
                &format!("groups = {groups:?}"),
            );
        fs::write(scene.migration.file(), text + &described).expect("it is written");
        let place = |kafka: &Kafka, id: String| Place {
            id,
            bootstrap: kafka.bootstrap(),
        };
        let allowed = external()
            .wire()
            .allow("User:order-status", (TOPIC, &orders, LITERAL), READ);
        allowed
            .expect("the broker answers")
            .expect("the ACL is taken");
        let [group, _] = groups;
        let id = external().metadata().cluster_id;
        let carrier = Carrier::attach(
            &scene.aws,
            place(external(), id),
            place(msk, "msk".to_owned()),
        );
        Self {
            scene,
            applications,
            group,
            carrier,
        }
    }

    fn given(&self, name: &str, partition: i32) -> Vec<u64> {
        let processed = self.applications.processed[name].lock();
        let processed = processed.expect("nobody panics with it");
        let of = processed.get(&partition).into_iter().flatten();
        of.map(|(number, _)| *number).collect()
    }

    /// The words of the journal on this machine.
    fn words(&self) -> Vec<Word> {
        words(&self.scene.migration.path("state/journal"))
    }

    /// The steps that the command would take.
    fn plan(&self, arguments: &[&str]) -> Value {
        let shown = self
            .scene
            .run(&[arguments, &["--dry-run", "--json"]].concat());
        shown.assert_exit(0);
        serde_json::from_str(&shown.stdout).expect("it is JSON")
    }

    /// Runs a command, and kills it at one place after the other, each time going on with the same command; then to its end. Answers with
    /// the places at which it was killed.
    fn killed_at_each(&self, arguments: &[&str]) -> Vec<Point> {
        let points = points(&self.plan(arguments));
        let base = self.words().len();
        let mut killed = Vec::new();
        for point in &points {
            if self.kill_at(arguments, point, base) {
                killed.push(*point);
            }
        }
        let steps: BTreeSet<usize> = points.iter().filter_map(|point| point.step).collect();
        let not_in = |step: &&usize| !killed.iter().any(|point| point.step == Some(**step));
        let missed: Vec<&usize> = steps.iter().filter(not_in).collect();
        // On a busy machine what is to be killed behind one step may have done all of the next one by the time it dies.
        assert!(
            missed.len() <= 2 && missed.len() * 4 <= steps.len(),
            "{arguments:?} was not killed in steps {missed:?}: {killed:?}"
        );
        self.scene.run(arguments).assert_exit(0);
        killed
    }

    /// `false`: it went by too fast, before.
    fn kill_at(&self, arguments: &[&str], point: &Point, base: usize) -> bool {
        let count = |kind: &str| {
            let words = self.words();
            let of = words.iter().skip(base);
            of.filter(|word| word.kind == kind && word.step == point.step)
                .count()
        };
        let before = match point.at {
            At::Word(kind) => count(kind),
            At::Hook(_) | At::Call(..) => 0,
        };
        let once = ["planned", "intent", "done", "ended"];
        if matches!(point.at, At::Word(kind) if once.contains(&kind)) && before > 0 {
            return false;
        }
        let (aws, applications) = (&self.scene.aws, &self.applications);
        match point.at {
            At::Word(_) => {}
            At::Hook(when) => applications.hold(when),
            At::Call(operation, has_effect) => {
                aws.forget_requests();
                let fault = match has_effect {
                    true => Fault::SilentAfter,
                    false => Fault::SilentBefore,
                };
                aws.fault(operation, Which::Next(1), fault);
            }
        }
        let mut tool = self.scene.command(arguments).start();
        let mut ended = false;
        let reached = wait::whether(PATIENCE, || {
            ended = tool.has_ended();
            ended
                || match point.at {
                    At::Word(kind) => count(kind) > before,
                    At::Hook(_) => applications.is_held(),
                    At::Call(operation, _) => !aws.requests_of(operation).is_empty(),
                }
        });
        let finished: Finished = tool.kill();
        assert!(reached, "{point:?} does not come: {finished}");
        // What wrote its last word may end before it is killed.
        assert!(
            !ended || point.at == At::Word("ended"),
            "{point:?} does not come before the end: {finished}"
        );
        match point.at {
            At::Word(_) => {}
            At::Hook(when) => applications.let_go(when),
            At::Call(..) => aws.heal(),
        }
        true
    }

    /// What was announced to be read again, since then.
    fn announced(&self, base: usize) -> u64 {
        let words = self.words();
        let of = words.iter().skip(base);
        let counts = of
            .filter(|word| word.said.contains("to be read again"))
            .filter(|word| !word.said.starts_with(ASKED_BEFORE))
            .map(|word| {
                // `… 13 records in 3 partitions to be read again`
                let words: Vec<&str> = word.said.split([' ', ',']).collect();
                let at = words.iter().position(|word| word.starts_with("record"));
                let count = at.and_then(|at| words[at - 1].parse::<u64>().ok());
                count.unwrap_or_else(|| panic!("{:?} does not say how many", word.said))
            });
        counts.max().expect("positions were asked")
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
        let calls = self.applications.calls().split_off(calls);
        let mut hooks: Vec<String> = calls
            .iter()
            .map(|call| {
                call.rsplit_once(' ')
                    .expect("it has an attempt")
                    .0
                    .to_owned()
            })
            .collect();
        hooks.dedup();
        let sides = [external(), shared_pair().1];
        let client = aws_sdk_secretsmanager::Client::new(&self.scene.aws.sdk());
        let secret = client.describe_secret().secret_id(self.scene.secret());
        let secret = runtime().block_on(secret.send()).expect("it is known");
        End {
            runs: self.applications.runs(NAME),
            hooks,
            topics: sides.map(topics).into(),
            rules: external()
                .wire()
                .access_rules(name)
                .expect("the broker answers"),
            members: sides.map(|kafka| has_members(kafka, &self.group)),
            secret: secret.deleted_date().is_none(),
            replicators: self.scene.replicators(),
            copy: self.carrier.running().len(),
        }
    }

    /// Waits until the last of the three is given so many more.
    fn wait_for_more(&self, count: usize) {
        let given = || -> usize {
            let all = (0..PARTITIONS).map(|one| self.given("customer-notification", one).len());
            all.sum()
        };
        let before = given();
        wait::until("records go through all three", PATIENCE, || {
            given() >= before + count
        });
    }

    /// Stops the writer, waits until all has gone through, and compares whole sequences. Answers with how much was read again.
    fn judge(&self) -> u64 {
        self.applications.stop("orders", "source");
        let written = self.applications.written.load(Ordering::Relaxed);
        let mut again = 0;
        for partition in 0..PARTITIONS {
            let all = (0..written).filter(|number| partition_of(*number) == partition);
            let expected: Vec<u64> = all.collect();
            wait::until("all is read", PATIENCE, || {
                self.given(NAME, partition).last() == expected.last()
            });
            let given = self.given(NAME, partition);
            let judged = judge(&given, &expected);
            let judged = judged.unwrap_or_else(|why| panic!("partition {partition}: {why}"));
            assert_eq!(judged.lost, [0; 0], "partition {partition}");
            again += judged.again;
        }
        again
    }
}

fn words(path: &Path) -> Vec<Word> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let word = |line: &str| {
        let (_, json) = line.split_once(' ').expect("a sum stands before it");
        let line: Value = serde_json::from_str(json).expect("it is JSON");
        let record = &line["record"];
        let step = record["step"].as_u64();
        Word {
            kind: record["kind"].as_str().unwrap_or_default().to_owned(),
            step: step.map(|step| usize::try_from(step).expect("few steps")),
            said: record["said"].as_str().unwrap_or_default().to_owned(),
        }
    };
    whole.lines().map(word).collect()
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
    let (scene, applications) = (&story.scene, &story.applications);
    story.wait_for_more(100);
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
        story.wait_for_more(50);
    }
    let mut kills = Vec::new();
    for (command, (from, to)) in moves
        .iter()
        .zip([("source", "target"), ("target", "source")])
    {
        let (calls, base) = (applications.calls().len(), story.words().len());
        let killed = story.killed_at_each(command);
        eprintln!("{} was killed {} times", command[0], killed.len());
        assert_eq!(story.end(calls), ends.remove(0), "{}", command[0]);
        // Killed before and after each had done what it is for, and then called once more. A kill behind the word that announces a hook may
        // find it begun: then it was called four times, or its first attempt never came to call.
        let calls = applications.calls().split_off(calls);
        let mut rest = &calls[..];
        for (hook, side) in [("stop", from), ("start", to)] {
            let named = format!("{NAME} {hook} {side} ");
            let is_it = |call: &&String| call.starts_with(&named);
            let (these, others) = rest.split_at(rest.iter().take_while(is_it).count());
            let attempts: Vec<u32> = these
                .iter()
                .map(|call| call[named.len()..].parse().expect("it has an attempt"))
                .collect();
            let ascend = attempts.windows(2).all(|two| two[0] + 1 == two[1]);
            let first = attempts.first().is_some_and(|first| *first <= 2);
            assert!(
                ascend && first && (3..=4).contains(&attempts.len()),
                "{calls:?}"
            );
            rest = others;
        }
        assert!(rest.is_empty(), "{calls:?}");
        allowed += story.announced(base);
        kills.push(killed.len());
        story.wait_for_more(50);
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
    let again = story.judge();
    eprintln!("killed {kills:?} times; {allowed} announced, {again} read again");
    assert!(again <= allowed, "{again} of {allowed}");
}
