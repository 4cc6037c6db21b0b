//! A command killed with `kill -9` before, in and behind every step of its plan, each time gone on with by the same command: whoever copies.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{
    applications::Applications,
    three::{Word, words},
};
use crate::support::{
    tool::{Call, Finished},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Where a command is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// Behind this word of the journal.
    Word(&'static str),
    /// In its hook, `before` or `after` that has done what it is for.
    Hook(&'static str),
    /// In this call, which has had no effect, or had it.
    Call(&'static str, bool),
}

/// A place in a plan.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Which step, from 0; `None`: of the plan.
    pub step: Option<usize>,
    pub at: At,
    /// The call of the step behind it: what follows too fast to be killed in between is held up there.
    pub behind: Option<&'static str>,
}

/// A migration whose commands are killed.
pub trait Stage {
    /// A command on it.
    fn command(&self, arguments: &[&str]) -> Call;

    /// Whose hooks are called.
    fn applications(&self) -> &Applications;

    /// Where its journal lies on this machine.
    fn journal(&self) -> std::path::PathBuf;

    /// The call by which an effect is done, where it can be held up.
    fn call_of(&self, _effect: &str) -> Option<&'static str> {
        None
    }

    /// The next of these calls is never answered, and has had its effect or not.
    fn hold_up(&self, _call: &'static str, _has_effect: bool) {}

    /// Did it come?
    fn was_called(&self, _call: &'static str) -> bool {
        false
    }

    /// From now on all are answered.
    fn heal(&self) {}

    /// The words of its journal.
    fn words(&self) -> Vec<Word> {
        words(&self.journal())
    }

    /// Runs a command to its end.
    fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).finish()
    }

    /// The steps that a command would take.
    fn plan(&self, arguments: &[&str]) -> Value {
        let shown = self.run(&[arguments, &["--dry-run", "--json"]].concat());
        shown.assert_exit(0);
        serde_json::from_str(&shown.stdout).expect("it is JSON")
    }

    /// Every place at which a plan can be cut off.
    fn points(&self, plan: &Value) -> Vec<Point> {
        let steps = plan["steps"].as_array().expect("a plan has steps");
        let call_at = |step: usize| self.call_of(steps.get(step)?["name"].as_str()?);
        let point = |step: Option<usize>, at| Point {
            step,
            at,
            behind: step.and_then(|step| call_at(step + 1)),
        };
        let mut all = vec![
            point(None, At::Word("runner")),
            point(None, At::Word("planned")),
        ];
        for (number, step) in steps.iter().enumerate() {
            let name = step["name"].as_str().expect("a step has a name");
            let at: Vec<At> = match step["what"].as_str().expect("a step has a kind") {
                "attestation" => vec![At::Word("attested")],
                "hook" => vec![At::Hook("before"), At::Hook("after"), At::Word("done")],
                "effect" => match self.call_of(name) {
                    Some(call) => vec![
                        At::Call(call, false),
                        At::Call(call, true),
                        At::Word("done"),
                    ],
                    None => vec![At::Word("intent"), At::Word("done")],
                },
                other => panic!("{other} is no kind of step that is killed here"),
            };
            all.extend(at.into_iter().map(|at| point(Some(number), at)));
        }
        all.push(point(None, At::Word("ended")));
        all
    }

    /// Runs a command, and kills it at one place after the other, each time going on with the same command; then to its end. Answers with
    /// the places at which it was killed.
    fn killed_at_each(&self, arguments: &[&str]) -> Vec<Point> {
        let points = self.points(&self.plan(arguments));
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
        self.run(arguments).assert_exit(0);
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
        let applications = self.applications();
        match point.at {
            At::Word(_) => point
                .behind
                .into_iter()
                .for_each(|call| self.hold_up(call, false)),
            At::Hook(when) => applications.hold(when),
            At::Call(call, has_effect) => self.hold_up(call, has_effect),
        }
        let mut tool = self.command(arguments).start();
        let mut ended = false;
        let reached = wait::whether(PATIENCE, || {
            ended = tool.has_ended();
            ended
                || match point.at {
                    At::Word(kind) => count(kind) > before,
                    At::Hook(_) => applications.is_held(),
                    At::Call(call, _) => self.was_called(call),
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
            At::Hook(when) => applications.let_go(when),
            At::Word(_) | At::Call(..) => self.heal(),
        }
        true
    }
}

/// Hooks since so many calls, each once: what, where.
pub fn hooks(applications: &Applications, since: usize) -> Vec<String> {
    let calls = applications.calls().split_off(since);
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
    hooks
}

/// Killed before and after each hook of a move had done what it is for, it was then called once more. A kill behind the word that announces a hook
/// may find it begun: then it was called four times, or its first attempt never came to call.
#[track_caller]
pub fn assert_called_again(applications: &Applications, since: usize, name: &str, to: &str) {
    let from = if to == "target" { "source" } else { "target" };
    let calls = applications.calls().split_off(since);
    let mut rest = &calls[..];
    for (hook, side) in [("stop", from), ("start", to)] {
        let named = format!("{name} {hook} {side} ");
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
}
