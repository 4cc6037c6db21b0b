//! One rule suite, two worlds: every rule that the sandbox claims is asked of the sandbox and of real Apache Kafka, over sockets.
//!
//! A rule is a function that speaks raw requests on topics of its own, so that all of them share a broker. What differs from the rule's
//! text is noted, and the rule goes on; a rule that cannot be asked in some world says so with a reason.

mod batches;
mod cleaned;
mod codes;
mod commits;
mod committed;
mod coordinated;
mod deciding;
mod each;
mod expired;
mod fences;
mod fetching;
mod groups;
mod idempotence;
mod instances;
mod limits;
mod line;
mod logins;
mod moved;
mod odd;
mod offsets;
mod operators;
mod produce;
mod rebalances;
mod refusals;
mod restarted;
mod rights;
mod scram;
mod sessions;
mod settings;
mod shown;
mod slow;
mod stage;
mod staged;
mod standing;
mod stored;
mod topics;
mod transactions;
mod traps;
mod unfinished;
mod versions;

use std::{
    any::Any,
    cell::RefCell,
    fmt::{Debug, Write as _},
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::{Instant, SystemTime},
};

use self::stage::{Operator, Stage};
pub use self::{
    operators::{Brokers, SETTINGS as OPERATED_SETTINGS, Simulated},
    stage::Event,
};

/// A rule's ids and sentence, and how to ask.
pub type Rule = (&'static str, fn(&World));

/// All of them, in the table's order.
pub const RULES: &[&[Rule]] = &[
    produce::RULES,
    stored::RULES,
    limits::RULES,
    idempotence::RULES,
    fetching::RULES,
    sessions::RULES,
    fences::RULES,
    traps::RULES,
    transactions::RULES,
    committed::RULES,
    offsets::RULES,
    topics::RULES,
    settings::RULES,
    groups::RULES,
    rebalances::RULES,
    instances::RULES,
    commits::RULES,
    staged::RULES,
    odd::RULES,
    versions::RULES,
    slow::RULES,
];

/// Those that only a world with access rules and users can be asked.
pub const GUARDED: &[&[Rule]] = &[
    rights::RULES,
    deciding::RULES,
    refusals::RULES,
    coordinated::RULES,
    shown::RULES,
    logins::RULES,
    scram::RULES,
];

/// Those that need two brokers and what only their operator can do: what happens, and what is asked meanwhile.
pub const OPERATED: &[(&[Event], &[&[Rule]])] = &[
    (&[], &[moved::RULES]),
    (
        &[Event::Stopped, Event::Started],
        &[restarted::CLEAN, unfinished::CLEAN],
    ),
    (
        &[Event::Killed, Event::Started],
        &[restarted::KILLED, unfinished::KILLED],
    ),
    (&[Event::Stands, Event::Goes], &[standing::RULES]),
];

/// Those that wait for a broker's own clock or cleaner. They are asked beside the others, of topics that only broker 1 has.
pub const IN_TIME: &[&[Rule]] = &[cleaned::RULES, expired::RULES];

/// So many rules of one world are asked at the same time.
const AT_ONCE: usize = 6;

/// Whose behaviour is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    V3_9,
    V4_1,
}

/// Who may do everything in a guarded world.
pub const ADMIN: &str = "admin";

/// Everyone who may log in to a guarded world: some with one right each, of topics and of the cluster, and some for rules of their own.
pub fn users() -> Vec<String> {
    let one_right = (2..=12).flat_map(|number| [format!("may{number}"), format!("over{number}")]);
    let own = (0..USERS).map(|number| format!("user{number}"));
    one_right.chain(own).chain([ADMIN.to_owned()]).collect()
}

/// How many users rules may take for themselves.
const USERS: u32 = 20;

/// What somebody logs in with.
pub fn password(user: &str) -> String {
    format!("{user}-secret")
}

/// Brokers to be asked: simulated or real.
pub struct World {
    name: String,
    /// Where its brokers listen, by their ids.
    brokers: Vec<String>,
    release: Release,
    /// Does it have access rules, and ask for a login?
    guarded: bool,
    /// How many of [`users`] are taken.
    taken: AtomicU32,
    /// Parts names of one run from those of another.
    run: u128,
    names: AtomicU32,
    /// Where brokers can be stopped.
    operator: Option<Box<dyn Operator>>,
    stage: Stage,
}

/// Why a rule was left out; carried by a panic that no hook sees.
struct LeftOut(&'static str);

thread_local! {
    /// What differed in the rule that runs on this thread.
    static DIFFERENCES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl World {
    pub fn new(name: &str, bootstrap: &str, release: Release) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            name: name.to_owned(),
            brokers: bootstrap.split(',').map(str::to_owned).collect(),
            release,
            guarded: false,
            taken: AtomicU32::new(0),
            run: since.expect("it is after 1970").as_millis(),
            names: AtomicU32::new(0),
            operator: None,
            stage: Stage::default(),
        }
    }

    /// The same, with somebody who may stop brokers.
    pub fn operated(self, operator: impl Operator + 'static) -> Self {
        Self {
            operator: Some(Box::new(operator)),
            ..self
        }
    }

    fn operator(&self) -> &dyn Operator {
        self.operator.as_deref().expect("the world has an operator")
    }

    /// Waits until the next event has happened to broker 2.
    fn next(&self) {
        self.stage.wait();
    }

    /// The same, with an authorizer and a listener that asks for a login.
    pub fn guarded(self) -> Self {
        Self {
            guarded: true,
            ..self
        }
    }

    /// Somebody who may log in, and whom no other rule knows.
    fn user(&self) -> String {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        assert!(number < USERS, "more users are wanted than there are");
        format!("user{number}")
    }

    /// A name nobody else has, for a topic, a group or a transactional id.
    fn unique(&self, what: &str) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        format!("{what}-{}-{number}", self.run)
    }

    /// Leaves the rule out in every other world.
    fn only(&self, releases: &[Release], why: &'static str) {
        if !releases.contains(&self.release) {
            resume_unwind(Box::new(LeftOut(why)));
        }
    }

    fn is_41(&self) -> bool {
        self.release == Release::V4_1
    }
}

/// Notes a difference between what a broker did and what the rule says.
#[track_caller]
fn is<T: PartialEq + Debug>(what: &str, seen: T, expected: T) {
    if seen != expected {
        let place = Location::caller();
        let file = place.file().rsplit('/').next().unwrap_or_default();
        let line = format!(
            "{file}:{}: {what}: {seen:?}, not {expected:?}",
            place.line()
        );
        DIFFERENCES.with_borrow_mut(|all| all.push(line));
    }
}

/// The same for an error code, by its name.
#[track_caller]
fn code(what: &str, seen: i16, expected: i16) {
    is(what, codes::name(seen), codes::name(expected));
}

/// How a rule ended in one world.
enum Ending {
    Kept,
    LeftOut(&'static str),
    Broken(Vec<String>),
}

fn ask(rule: fn(&World), world: &World) -> Ending {
    DIFFERENCES.with_borrow_mut(Vec::clear);
    let ended = catch_unwind(AssertUnwindSafe(|| rule(world)));
    let mut differences = DIFFERENCES.take();
    if let Err(panic) = ended {
        match panic.downcast::<LeftOut>() {
            Ok(left) if differences.is_empty() => return Ending::LeftOut(left.0),
            Ok(left) => differences.push(left.0.to_owned()),
            Err(panic) => differences.push(words(&*panic)),
        }
    }
    if differences.is_empty() {
        Ending::Kept
    } else {
        Ending::Broken(differences)
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Asks every rule in one world, several at a time. The last ones are the slow ones: they begin first.
fn column(rules: &[Rule], world: &World) -> Vec<Ending> {
    line::wait_until_ready(world);
    let next = AtomicUsize::new(rules.len());
    let work = || {
        let mut ended = Vec::new();
        while let Ok(at) =
            next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| at.checked_sub(1))
        {
            ended.push((at - 1, ask(rules[at - 1].1, world)));
        }
        ended
    };
    let mut all: Vec<(usize, Ending)> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        each.into_iter()
            .flat_map(|thread| thread.join().expect("a rule's panic is caught"))
            .collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, ending)| ending).collect()
}

/// Asks every one of these rules in every world, the worlds side by side. Answers with the table; panics with it if a rule was broken in any.
/// Where `RULES_ONLY` is set, only rules whose text has it.
pub fn run_all(rules: &[&[Rule]], worlds: &[World]) -> String {
    let wanted = std::env::var("RULES_ONLY").unwrap_or_default();
    let rules: Vec<Rule> = rules.concat();
    let all = rules.len();
    let rules: Vec<Rule> = rules
        .into_iter()
        .filter(|rule| rule.0.contains(&wanted))
        .collect();
    let began = Instant::now();
    let columns = columns(worlds, |world| column(&rules, world));
    told(&rules, all, worlds, &columns, began)
}

/// Asks whatever needs an operator, in every world that has one, the worlds side by side. Answers as [`run_all`] does.
pub fn run_operated(worlds: &[World]) -> String {
    let wanted = std::env::var("RULES_ONLY").unwrap_or_default();
    let chosen = |rules: &[&[Rule]]| -> Vec<Rule> {
        let all = rules.concat().into_iter();
        all.filter(|rule| rule.0.contains(&wanted)).collect()
    };
    let acts: Vec<_> = OPERATED
        .iter()
        .map(|(events, rules)| (*events, chosen(rules)))
        .filter(|(_, rules)| !rules.is_empty())
        .collect();
    let in_time = chosen(IN_TIME);
    let all = OPERATED.iter().map(|(_, rules)| rules.concat().len());
    let all = all.sum::<usize>() + IN_TIME.concat().len();
    let began = Instant::now();
    let columns = columns(worlds, |world| {
        line::wait_until_ready(world);
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| column(&in_time, world));
            let acts = acts.iter();
            let mut ended: Vec<_> = acts
                .flat_map(|(events, rules)| stage::play(world, events, rules))
                .collect();
            ended.extend(beside.join().expect("a world that answers"));
            ended
        })
    });
    let mut rules: Vec<Rule> = acts.into_iter().flat_map(|(_, rules)| rules).collect();
    rules.extend(in_time);
    told(&rules, all, worlds, &columns, began)
}

fn columns(worlds: &[World], ask: impl Fn(&World) -> Vec<Ending> + Sync) -> Vec<Vec<Ending>> {
    std::thread::scope(|scope| {
        let each: Vec<_> = worlds
            .iter()
            .map(|world| {
                let ask = &ask;
                scope.spawn(move || ask(world))
            })
            .collect();
        each.into_iter()
            .map(|thread| thread.join().expect("a world that answers"))
            .collect()
    })
}

/// The table; panics with it if a rule was broken in any world.
fn told(
    rules: &[Rule],
    all: usize,
    worlds: &[World],
    columns: &[Vec<Ending>],
    began: Instant,
) -> String {
    let mut table = String::from("| rule |");
    let mut notes = String::new();
    for world in worlds {
        let _ = write!(table, " {} |", world.name);
    }
    let _ = writeln!(table, "\n|---|{}", "---|".repeat(worlds.len()));
    for (at, (text, _)) in rules.iter().enumerate() {
        let _ = write!(table, "| {text} |");
        for (world, column) in worlds.iter().zip(columns) {
            match &column[at] {
                Ending::Kept => table.push_str(" ok |"),
                Ending::LeftOut(why) => {
                    let _ = write!(table, " left out: {why} |");
                }
                Ending::Broken(differences) => {
                    table.push_str(" FAILED |");
                    let _ = writeln!(notes, "{text}, in {}:", world.name);
                    for difference in differences {
                        let _ = writeln!(notes, "    {difference}");
                    }
                }
            }
        }
        table.push('\n');
    }
    let _ = writeln!(
        table,
        "\n{} of {all} rules in {} worlds, {} s.",
        rules.len(),
        worlds.len(),
        began.elapsed().as_secs()
    );
    assert!(notes.is_empty(), "\n{table}\n{notes}");
    table
}
