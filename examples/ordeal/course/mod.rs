//! Two real clusters, a source with everything a topic can hold, an engine that is killed again and again while brokers go and come back,
//! topics that must stop; and what must be true of all of it in the end.

mod blows;
mod disk;
mod fill;
mod judge;
mod transactions;
mod traps;

use std::{collections::BTreeMap, thread, time::Instant};

use crate::support::{
    Dice,
    kafka::Kafka,
    load::Load,
    seed,
    tool::{Access, Migration},
};

use blows::{Blows, move_leaders, roll};
use fill::{GROWN, HELD_BACK, MIXED, TRANSACTIONS};
use judge::{Faults, Sprung, Stopped};
use traps::{Clusters, Verdict};

/// How large an ordeal is to be.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Brokers of each cluster.
    pub brokers: usize,
    /// How often the engine is killed.
    pub kills: usize,
    /// Records of the largest topic before anything is copied.
    pub records: u64,
    /// Records a second that are written all the time.
    pub per_second: u64,
}

/// Exit codes of `replicate`: a person must decide; a cluster could not be reached just then.
const ATTENTION: i32 = 10;
const UNREACHABLE: [i32; 3] = [4, 5, 9];
/// Exit codes of `verify`: they differ; a topic that is named is not on the source.
const DIFFERS: i32 = 8;
const MISSING: i32 = 4;

/// Librdkafka, the second reader, takes a second for each new topic, so many are compared at the same time.
const VERIFY: [&str; 3] = ["verify", "--at-once", "16"];

/// Characters of a reason that are shown: brokers add much to some.
const REASON: usize = 160;

/// Goes through all of it, prints one table, and answers what is wrong.
pub fn run(plan: Plan) -> Vec<String> {
    let began = Instant::now();
    let say = |text: &str| println!("{:>6.1} s  {text}", began.elapsed().as_secs_f64());
    let seed = seed();
    println!("KAFKA_MIGRATE_SEED={seed}");
    let mut dice = Dice::new(seed);

    say("two clusters start");
    let clusters = start(plan.brokers);
    let Clusters { source, target } = &clusters;
    say("the source is filled");
    let traps = traps::all();
    thread::scope(|scope| {
        scope.spawn(|| traps.iter().for_each(|trap| trap.lay(&clusters)));
        fill::fill(source, target, plan.records);
    });
    let open = transactions::Open::begin(source, HELD_BACK, "billing-7", 5);
    let loader = Load::to(&[MIXED, (GROWN.0, 1)]).keep_writing(source, plan.per_second);
    let transactions = transactions::Writer::start(source, TRANSACTIONS);
    let migration = Migration::new(
        "ordeal",
        Access::Plain(source),
        Access::Plain(target),
        // A topic that is gone is missed only where it is named.
        &["clean-*", "stop-*", traps::GONE],
    );

    let mut blows = Blows::default();
    let mut faults = Faults::new();
    let first = plan.kills.div_ceil(2);
    say("the engine is killed while the leaders of both clusters move");
    let moved = thread::scope(|scope| {
        let moving = move_leaders(scope, &clusters);
        blows.strike(&migration, first, &mut dice);
        moving.map(|moving| moving.join().expect("the leader moves"))
    });
    for (side, (from, to)) in ["source", "target"].iter().zip(&moved) {
        say(&format!(
            "{side}: the leader of {}-0 was {from}, then {to}",
            MIXED.0
        ));
    }
    caught_up(&mut blows, &migration, &[], &mut faults);
    let held_back = judge::document(&migration, &["status"]).1["open_transactions"].clone();
    if held_back[0]["topic"] != HELD_BACK || held_back[0]["transactional_id"] != "billing-7" {
        faults.push(format!("the open transaction is not named: {held_back}"));
    }

    say("what must stop partitions happens, and another topic grows");
    let sprung = spring(&traps, &clusters);
    source.grow_topic(GROWN.0, GROWN.1);
    Load::to(&[GROWN]).fill(source, 100);
    say("the engine is killed while all brokers are restarted, one after the other");
    thread::scope(|scope| {
        let rolling = roll(scope, &clusters);
        blows.strike(&migration, plan.kills - first, &mut dice);
        for rolling in rolling {
            rolling.join().expect("the brokers restart");
        }
    });

    let written = loader.stop();
    let transactions = transactions.stop();
    open.commit();
    say(&format!(
        "the load ends: {written} records and {transactions} transactions were written meanwhile; the open transaction is committed"
    ));
    caught_up(&mut blows, &migration, &[], &mut faults);
    for trap in &traps {
        if let Some(words) = trap.ask(&migration) {
            caught_up(&mut blows, &migration, &words, &mut faults);
        }
    }
    let stopped = judge::stopped(&migration);
    say("once more: nothing changes");
    caught_up(&mut blows, &migration, &[], &mut faults);
    let again = judge::stopped(&migration);
    let places = |stopped: &[Stopped]| stopped.iter().map(Stopped::place).collect::<Vec<_>>();
    if places(&stopped) != places(&again) {
        faults.push(format!(
            "what had stopped changed: {stopped:?}, then {again:?}"
        ));
    }
    faults.extend(judge::check_stops(&sprung, &stopped));
    faults.extend(judge::check_held(&sprung, &clusters));
    say("verify refuses while a topic that is gone is named, and then compares everything else");
    let refused = migration.run(&["verify"]);
    expect(
        "verify of a topic that is gone",
        refused.code(),
        MISSING,
        &mut faults,
    );
    if !refused.stderr.contains(traps::GONE) {
        faults.push(format!("verify does not name {}: {refused}", traps::GONE));
    }
    migration.edit(&format!(", {:?}", traps::GONE), "");
    let (code, report) = judge::document(&migration, &VERIFY);
    expect("verify", code, DIFFERS, &mut faults);
    say(&format!(
        "verify took {} ms; its witness: {}",
        report["took_ms"], report["witness"]
    ));
    let verdicts = judge::verdicts(&report);
    faults.extend(judge::check_verdicts(&sprung, &verdicts));
    say("replicate and verify, without the topics that stopped");
    migration.edit("[scope]\n", "[scope]\nexclude_topics = [\"stop-*\"]\n");
    let code = blows.finish(&migration, &[]);
    expect("replicate without what stopped", code, 0, &mut faults);
    let (code, report) = judge::document(&migration, &VERIFY);
    expect("verify without what stopped", code, 0, &mut faults);
    say("both sides are read without any code of kafka-migrate");
    let clean = judge::check_clean(&clusters, &mut faults);

    let compared = report["totals"]["matching"].as_u64().unwrap_or(0);
    print(&sprung, &stopped, &verdicts, &clean);
    println!(
        "\n{} kills -9, {} of them with batches in flight; exit codes of runs that ended: {:?}",
        blows.kills, blows.with_in_flight, blows.exits
    );
    println!("verify without what stopped: {compared} records, exit 0");
    check_exits(&blows, plan, &mut faults);
    println!("took {:.0} s", began.elapsed().as_secs_f64());
    faults
}

fn start(brokers: usize) -> Clusters {
    let spec = |name| {
        // So that the cleaner and deleted topics do not have to be waited for.
        Kafka::spec(name)
            .brokers(brokers)
            .set("log.cleaner.backoff.ms", "200")
            .set("log.segment.delete.delay.ms", "0")
    };
    thread::scope(|scope| {
        let source = scope.spawn(move || spec("ordeal-source").start());
        let target = spec("ordeal-target").start();
        let source = source.join().expect("the source starts");
        Clusters { source, target }
    })
}

/// Lets every trap spring. What the target holds then is what it has to hold in the end.
fn spring<'a>(traps: &'a [traps::Trap], clusters: &Clusters) -> Vec<Sprung<'a>> {
    // Logs that are cut off first: a broker then reads all of its logs again, and would cut off what is damaged itself.
    let (first, rest): (Vec<_>, Vec<_>) = traps
        .iter()
        .partition(|trap| matches!(trap.code, "K502" | "K523"));
    thread::scope(|scope| {
        for trap in first {
            scope.spawn(|| trap.spring(clusters));
        }
    });
    rest.iter().for_each(|trap| trap.spring(clusters));
    let sprung = traps.iter().map(|trap| Sprung {
        trap,
        held: trap.held(&clusters.target),
    });
    sprung.collect()
}

/// Catches up, which has to end with some partitions stopped and all others caught up.
fn caught_up(blows: &mut Blows, migration: &Migration, flags: &[String], faults: &mut Faults) {
    let code = blows.finish(migration, flags);
    expect("replicate", code, ATTENTION, faults);
}

fn expect(what: &str, found: Option<i32>, wanted: i32, faults: &mut Faults) {
    if found != Some(wanted) {
        faults.push(format!("{what}: exit {found:?} and not {wanted}"));
    }
}

/// Where a run ended by itself, it had caught up, or could not begin while a broker was away.
fn check_exits(blows: &Blows, plan: Plan, faults: &mut Faults) {
    if blows.kills != plan.kills {
        faults.push(format!("{} kills and not {}", blows.kills, plan.kills));
    }
    let strange = blows
        .exits
        .keys()
        .filter(|code| ![0, ATTENTION].contains(code) && !UNREACHABLE.contains(code));
    faults.extend(strange.map(|code| format!("a run ended with exit {code}")));
}

fn print(
    sprung: &[Sprung<'_>],
    stopped: &[Stopped],
    verdicts: &BTreeMap<String, Verdict>,
    clean: &BTreeMap<String, (usize, usize)>,
) {
    println!("\ncopied whole          partitions  records");
    for (topic, (partitions, records)) in clean {
        println!("{topic:<20}  {partitions:>10}  {records:>7}");
    }
    println!("\nstopped               code  at  what was done, and what verify says of it");
    for Sprung { trap, .. } in sprung {
        let one = stopped.iter().find(|one| one.topic == trap.topic);
        let at = one.map_or_else(|| "-".to_owned(), |one| one.source_offset.to_string());
        let code = one.map_or("none", |one| one.code.as_str());
        println!(
            "{:<20}  {code}  {at:>2}  {}",
            format!("{}-0", trap.topic),
            trap.what
        );
        let verdict = verdicts.get(trap.topic);
        let verdict =
            verdict.map_or_else(|| "nothing: it is not on the source".to_owned(), in_words);
        println!("{:<32}{verdict}", "");
        if let Some(one) = one {
            let reason: String = one.reason.chars().take(REASON).collect();
            println!("{:<32}{reason}", "");
        }
    }
}

fn in_words(verdict: &Verdict) -> String {
    if verdict.absent {
        return format!(
            "not on the target, {} not yet copied",
            verdict.not_yet_copied
        );
    }
    let counts = [
        (verdict.matching, "the same"),
        (verdict.different, "different"),
        (verdict.missing, "only on the source"),
        (verdict.extra, "only on the target"),
        (verdict.corrupt, "broken"),
        (verdict.retired, "retired"),
        (verdict.excused, "excused"),
        (verdict.not_yet_copied, "not yet copied"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
    words.join(", ")
}
