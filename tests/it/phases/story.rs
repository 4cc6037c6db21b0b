//! The story, through the library: order status goes over and comes back, then all three go over, in several orders, under load.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_migrate::{
    cluster::{Cluster, Source, Target},
    error::Failure,
    events::{Event, Events},
    model::{
        application::{Application, Hooks},
        connection::{Auth, Connection},
        names::Side,
        patterns::Patterns,
        scope::Scope,
    },
    phases::{
        by_content::{ByContent, MSK_MARK},
        carrier::other,
        course::{self, Next},
        cutover,
        deeds::{self, Deeds, Said, Waits},
        live::{Gates, Live},
        moving::Move,
        rollback, standing, waves,
    },
    run::{
        executor::{Ended, Executor},
        hooks::Kept,
        journal::{Journal, Line, Store, fold},
        state::{Head, Record},
    },
};

use super::{
    applications::{Applications, PARTITIONS, Work, partition_of},
    judged::judge,
};
use crate::support::{
    Dice,
    copier::{Begin, Copier, Direction, Exchange},
    kafka::Kafka,
    scratch, seed, shared_pair, unique, wait,
};

/// Gates have tests of their own.
struct Open;

impl Gates for Open {
    async fn ask(&self, _application: &str, _hold: bool) -> Result<String, Failure> {
        Ok("open".to_owned())
    }
}

/// Lines of a journal, kept in memory.
#[derive(Clone)]
struct InMemory(Arc<Mutex<Vec<Line>>>);

impl Store for InMemory {
    async fn keep(&mut self, line: &Line) -> Result<(), Failure> {
        self.0
            .lock()
            .expect("nobody panics with it")
            .push(line.clone());
        Ok(())
    }
}

/// Both clusters, a copier each way, three applications, and the journal of their migration.
struct Company {
    topics: [String; 2],
    all: Vec<Application>,
    applications: Applications,
    copiers: Vec<Copier>,
    kept: InMemory,
    connections: [Connection; 2],
    runtime: tokio::runtime::Runtime,
    /// Announced for each application, by what moved it: records to be read again.
    announced: BTreeMap<String, u64>,
    /// Counted of each after its moves, by what records say: records given a second time.
    measured: BTreeMap<String, u64>,
    _directory: tempfile::TempDir,
}

const NAMES: [&str; 3] = ["orders", "order-status", "customer-notification"];

impl Company {
    fn new(source: &'static Kafka, target: &'static Kafka, per_second: u64) -> Self {
        let directory = scratch("company");
        let [orders, status] = ["orders", "order_status"].map(unique);
        for topic in [&orders, &status] {
            source.create_topic(topic, PARTITIONS, &[]);
            source.wait_for_partitions(topic, PARTITIONS);
        }
        let groups = [unique("order-status"), unique("customer-notification")];
        let work = [
            Work::Writes {
                to: orders.clone(),
                per_second,
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
        let named: Vec<(&str, Work)> = NAMES.into_iter().zip(work).collect();
        let applications = Applications::new(directory.path(), source, target, &named);
        let patterns = |names: &[&String]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            Patterns::of(&names).expect("they are names")
        };
        let described = [
            (patterns(&[]), patterns(&[&orders]), patterns(&[])),
            (
                patterns(&[&orders]),
                patterns(&[&status]),
                patterns(&[&groups[0]]),
            ),
            (patterns(&[&status]), patterns(&[]), patterns(&[&groups[1]])),
        ];
        let hooks = Hooks {
            stop: Some(applications.hook("stop")),
            start: Some(applications.hook("start")),
            within: Duration::from_secs(60),
        };
        let all = NAMES
            .into_iter()
            .zip(described)
            .map(|(name, (reads, writes, groups))| Application {
                name: name.to_owned(),
                reads,
                writes,
                groups,
                hooks: hooks.clone(),
                ..Application::default()
            })
            .collect();
        let head = Record::Begun(Head {
            migration: "orders".into(),
            id: uuid::Uuid::nil(),
            source: "the source".into(),
            target: "the target".into(),
        });
        let kept = InMemory(Arc::new(Mutex::new(vec![Line::after(None, head)])));
        let mut company = Self {
            copiers: copiers(
                source,
                target,
                &[&orders, &status],
                &[&groups[0], &groups[1]],
            ),
            topics: [orders, status],
            all,
            applications,
            kept,
            connections: [(Side::Source, source), (Side::Target, target)]
                .map(|(side, kafka)| connection(side, kafka)),
            runtime: tokio::runtime::Runtime::new().expect("it starts"),
            announced: BTreeMap::new(),
            measured: BTreeMap::new(),
            _directory: directory,
        };
        for name in NAMES {
            company.applications.start(name, "source");
            company.announced.insert(name.to_owned(), 0);
            company.measured.insert(name.to_owned(), 0);
        }
        company.wait_for_more(200);
        company
    }

    fn application(&self, name: &str) -> &Application {
        let mut all = self.all.iter();
        all.find(|one| one.name == name)
            .expect("it is one of the three")
    }

    /// Waits until the last of the three has been given so many more.
    fn wait_for_more(&self, count: usize) {
        let given = || -> usize {
            let last = self.applications.processed[NAMES[2]].lock();
            last.expect("nobody panics with it")
                .values()
                .map(Vec::len)
                .sum()
        };
        let before = given();
        wait::until(
            "records go through all three",
            Duration::from_secs(120),
            || given() >= before + count,
        );
    }

    /// Moves one application, as the commands do.
    fn move_one(&mut self, name: &str, to: Side) -> (Next, Ended) {
        self.move_for(name, to, Duration::MAX)
            .expect("nobody cuts it off")
    }

    /// The same, cut off after a time, wherever it is by then: `None`.
    fn move_for(&mut self, name: &str, to: Side, limit: Duration) -> Option<(Next, Ended)> {
        let application = self.application(name).clone();
        let (events, mut told) = Events::channel();
        let moved = self.runtime.block_on(async {
            let lines = self.kept.0.lock().expect("nobody panics with it").clone();
            let state = fold(&lines).expect("it is a journal");
            let mut journal = Journal::after(&lines, self.kept.clone()).expect("it is a journal");
            let [source, target] = &self.connections;
            let source: Cluster = (*Source::connect(source).await.expect("it answers")).clone();
            let target: Cluster = (*Target::connect(target).await.expect("it answers")).clone();
            let next = course::next(&state, name, to);
            let of = Move {
                migration: "orders".into(),
                application: application.clone(),
                to,
                clusters: ["the source".into(), "the target".into()],
                journal: state.summary(),
                settings: "none".into(),
                topics: self.topics.to_vec(),
                shared: waves::shared(&application, &self.all, &self.topics),
                groups: application.groups.texts().to_vec(),
                waived: Vec::new(),
                engine: None,
                freeze: Vec::new(),
                frozen: Vec::new(),
            };
            let plan = course::plan_of(&state, next, || match to {
                Side::Target => cutover::plan(&of),
                Side::Source => rollback::plan(&of),
            });
            let topics: globset::GlobSet = self
                .topics
                .iter()
                .fold(&mut globset::GlobSetBuilder::new(), |set, topic| {
                    set.add(globset::Glob::new(topic).expect("it is a name"))
                })
                .build()
                .expect("they are names");
            let world = Live {
                migration: "orders".into(),
                phase: plan.phase.clone(),
                carrier: ByContent::new(source.clone(), target.clone(), MSK_MARK),
                source,
                target: Some(target),
                bootstrap: [String::new(), String::new()],
                scope: Scope {
                    topics,
                    exclude_topics: globset::GlobSet::empty(),
                    literal_topics: self.topics.to_vec(),
                },
                application: application.clone(),
                kept: Kept::default(),
                gates: Open,
            };
            let course = match next {
                Next::GoOn(number) | Next::Undo(number) => state.courses.get(number as usize),
                Next::Nothing | Next::Begin | Next::Replace(_) => None,
            };
            let begun = deeds::begun(course);
            let deeds = Deeds {
                world: &world,
                events: &events,
                application: &application,
                to: standing::goal(&plan.phase).expect("it moves"),
                plan: &plan,
                waits: Waits {
                    quiet: Duration::from_millis(500),
                    still: Duration::from_secs(3),
                    pause: Duration::from_millis(200),
                    ..Waits::default()
                },
                said: &Said::default(),
                begun,
                placed: Mutex::default(),
                command: "kafka-migrate cutover",
            };
            let mut executor = Executor {
                journal: &mut journal,
                effects: &deeds,
                events: &events,
                stop: &|| false,
            };
            let run = course::run(&mut executor, next, &plan);
            let ended = tokio::time::timeout(limit, run).await.ok()?;
            let course = journal.state().courses.last().cloned();
            let placed = course.map_or(Vec::new(), |course| course.placed);
            let counted = match &ended {
                Ok(Ended::Done) => world.carrier.given_twice(other(to), &placed).await,
                _ => Vec::new(),
            };
            Some((next, ended.expect("the journal is kept"), counted))
        });
        let moved = moved.map(|(next, ended, counted)| {
            for one in &counted {
                let again = one.again.unwrap_or_else(|| panic!("{name}: {one:?}"));
                *self.measured.get_mut(name).expect("one of the three") += again;
            }
            (next, ended)
        });
        drop(events);
        while let Ok(event) = told.try_recv() {
            if let Event::Step {
                step, said, state, ..
            } = &event
                && step == "positions"
                && state == "done"
                // What was asked by a run before is counted there.
                && !said.starts_with("an earlier run")
            {
                *self.announced.get_mut(name).expect("one of the three") += announced(said);
            }
            if let Event::Step { .. } | Event::StepWaits { .. } = &event {
                eprintln!("{name} to the {to}: {event:?}");
            }
        }
        moved
    }

    /// It goes there, to the end, and runs there alone.
    fn goes(&mut self, name: &str, to: Side) {
        let (_, ended) = self.move_one(name, to);
        assert!(
            matches!(ended, Ended::Done),
            "{name} to the {to}: {ended:?}"
        );
        assert_eq!(self.applications.runs(name), [to.to_string()], "{name}");
    }

    /// Stops the writer, lets everything run through, and compares whole sequences. Answers with what each was given again.
    fn judge(&mut self) -> BTreeMap<&'static str, u64> {
        let mut given_again = BTreeMap::new();
        let lines = self.kept.0.lock().expect("nobody panics with it").clone();
        let state = fold(&lines).expect("it is a journal");
        let at = |name: &str| standing::of(&state, name).at.to_string();
        self.applications.stop(NAMES[0], &at(NAMES[0]));
        let written = self
            .applications
            .written
            .load(std::sync::atomic::Ordering::Relaxed);
        for partition in 0..PARTITIONS {
            let mut expected: Vec<u64> = (0..written)
                .filter(|number| partition_of(*number) == partition)
                .collect();
            for name in &NAMES[1..] {
                let processed = self.applications.processed[*name].clone();
                let given = || -> Vec<u64> {
                    let processed = processed.lock().expect("nobody panics with it");
                    let of = processed.get(&partition).into_iter().flatten();
                    of.map(|(number, _)| *number).collect()
                };
                wait::until(
                    &format!("{name} has read all of {partition}"),
                    Duration::from_secs(120),
                    || given().last() == expected.last() && given().len() >= expected.len(),
                );
                let given = given();
                let judged = judge(&given, &expected);
                let judged =
                    judged.unwrap_or_else(|why| panic!("{name}, partition {partition}: {why}"));
                assert_eq!(judged.lost, [0; 0], "{name}, partition {partition}");
                eprintln!(
                    "{name}, partition {partition}: {judged:?} of {}",
                    expected.len()
                );
                *given_again.entry(*name).or_default() += judged.again;
                *self.announced.get_mut(*name).expect("one of the three") = self.announced[*name]
                    .checked_sub(judged.again)
                    .unwrap_or_else(|| {
                        panic!("{name} read more again than was announced: {judged:?}")
                    });
                // The next one is given what this one wrote: all that it was given, in that order.
                expected = given;
            }
        }
        given_again
    }
}

/// `… 41 records in 3 partitions to be read again`.
fn announced(said: &str) -> u64 {
    let words: Vec<&str> = said
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.iter().position(|word| word.starts_with("record"));
    let count = at.and_then(|at| words[at - 1].parse().ok());
    count.unwrap_or_else(|| panic!("{said:?} announces nothing"))
}

/// How to reach one side.
pub fn connection(side: Side, kafka: &Kafka) -> Connection {
    Connection {
        side,
        bootstrap: kafka.bootstrap(),
        auth: Auth::None,
        tls: None,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(30),
    }
}

fn copiers(source: &Kafka, target: &Kafka, topics: &[&String], groups: &[&String]) -> Vec<Copier> {
    let exchange = Arc::new(Exchange::default());
    let names = |all: &[&String]| -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        Arc::new(move |name| all.iter().any(|one| one == name))
    };
    let forward = Direction {
        from: source.bootstrap(),
        to: target.bootstrap(),
        from_id: "the source".into(),
        to_id: "the target".into(),
        topics: names(topics),
        groups: names(groups),
        begin: Begin::Earliest,
        half: 0,
    };
    let reverse = Direction {
        from: target.bootstrap(),
        to: source.bootstrap(),
        from_id: "the target".into(),
        to_id: "the source".into(),
        begin: Begin::Latest,
        half: 1,
        ..forward.clone()
    };
    [forward, reverse]
        .into_iter()
        .map(|direction| Copier::start(direction, exchange.clone(), |_| ()))
        .collect()
}

#[test]
fn order_status_goes_over_comes_back_and_all_three_follow_in_any_order() {
    let (source, target) = shared_pair();
    for order in [[0, 1, 2], [2, 1, 0]] {
        let mut company = Company::new(source, target, 100);
        company.goes("order-status", Side::Target);
        company.wait_for_more(100);
        company.goes("order-status", Side::Source);
        company.wait_for_more(100);
        for at in order {
            company.goes(NAMES[at], Side::Target);
            company.wait_for_more(100);
        }
        let (next, _) = company.move_one("orders", Side::Target);
        assert_eq!(next, Next::Nothing);
        let announced = company.announced.clone();
        let given_again = company.judge();
        for (name, again) in given_again {
            eprintln!(
                "{name}: announced {}, counted {}, given {again}",
                announced[name], company.measured[name]
            );
            assert_eq!(company.measured[name], again, "{name}");
        }
        assert!(!company.copiers.is_empty());
        let calls = company.applications.calls();
        assert_eq!(calls.len(), 10, "{calls:?}");
    }
}

#[test]
fn cut_off_at_any_moment_it_goes_on_and_ends_on_one_side() {
    let (source, target) = shared_pair();
    let mut company = Company::new(source, target, 50);
    let mut dice = Dice::new(seed());
    for to in [Side::Target, Side::Source, Side::Target] {
        let mut cuts = 0;
        let mut ended = None;
        while ended.is_none() {
            // Later each time, so that it comes to its end.
            let limit = 100 + dice.between(0, 400) + cuts * 400;
            ended = company.move_for("order-status", to, Duration::from_millis(limit));
            assert!(
                company.applications.runs("order-status").len() < 2,
                "it runs on both sides"
            );
            cuts += 1;
        }
        let (_, ended) = ended.expect("it came to its end");
        eprintln!("to the {to}: {cuts} starts, {ended:?}");
        // Whatever turned it round was undone; then it goes the whole way.
        if !matches!(ended, Ended::Done) {
            company.goes("order-status", to);
        }
        assert_eq!(company.applications.runs("order-status"), [to.to_string()]);
        company.wait_for_more(50);
    }
    // What each cut run announced counts, so that the sum is an upper bound.
    drop(company.judge());
}
