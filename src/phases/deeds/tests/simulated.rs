//! A world without clusters: where the application runs, what was called, and where the process is killed or something fails.

use super::*;

/// The world: where the application runs, what was called, what arrives, and when the process is killed next.
#[derive(Default)]
pub(super) struct Sim {
    pub(super) inner: Mutex<Inner>,
    pub(super) killed: Notify,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) kept: Vec<Line>,
    /// Runs on the source, on the target.
    pub(super) runs: [bool; 2],
    /// It ran on both sides at once.
    pub(super) split: bool,
    /// It was started where its positions had not been looked at since it stopped.
    pub(super) blind: bool,
    pub(super) placed: bool,
    pub(super) calls: Vec<(Hook, Side, u32)>,
    /// Looks until all has arrived, anew after each stop.
    pub(super) behind: u32,
    pub(super) behind_for: u32,
    pub(super) place: Option<Place>,
    pub(super) stray: bool,
    pub(super) fails: Option<(Hook, Side)>,
    pub(super) operations: usize,
    pub(super) kill_at: Option<(usize, bool)>,
    pub(super) fail_at: Option<usize>,
    /// Our own engine copies: who has authority is what its ledgers say, the forward one's first.
    pub(super) engine: bool,
    pub(super) authority: [Option<Side>; 2],
    /// Both directions wrote positions at once.
    pub(super) doubly: bool,
    /// It may not write on the source, on the target.
    pub(super) frozen: [bool; 2],
    /// It was started where it may not write.
    pub(super) shut: bool,
}

impl Inner {
    /// Whom a direction follows.
    pub(super) fn followed(&self, direction: usize) -> Side {
        self.authority[direction].unwrap_or(Side::Source)
    }
}

pub(super) fn index(side: Side) -> usize {
    usize::from(side == Side::Target)
}

impl Sim {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// One operation: killed before it, or `change` happens, or killed after it; or it fails.
    pub(super) async fn operation<T>(
        &self,
        change: impl FnOnce(&mut Inner) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (dies, fails) = {
            let inner = &mut *self.lock();
            let now = inner.operations;
            inner.operations += 1;
            let dies = inner.kill_at.filter(|(at, _)| *at == now);
            (dies, inner.fail_at == Some(now))
        };
        if matches!(dies, Some((_, false))) {
            self.killed.notify_one();
            return pending().await;
        }
        if fails {
            return Err(Failure::new(Exit::Target, "K201", "made to fail"));
        }
        let answer = change(&mut self.lock());
        if dies.is_some() {
            self.killed.notify_one();
            return pending().await;
        }
        answer
    }
}

pub(super) struct Kept<'a>(pub(super) &'a Sim);

impl Store for Kept<'_> {
    async fn keep(&mut self, line: &Line) -> Result<(), Failure> {
        let line = line.clone();
        self.0
            .operation(|inner| {
                inner.kept.push(line);
                Ok(())
            })
            .await
    }
}

pub(super) fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

impl Carrier for Sim {
    async fn attends(&self, _from: Side) -> Result<String, Failure> {
        self.operation(|_| Ok("here".to_owned())).await
    }

    async fn behind(&self, _from: Side, _below: &Ends) -> Result<Vec<Behind>, Failure> {
        self.operation(|inner| {
            if inner.behind == 0 {
                return Ok(Vec::new());
            }
            inner.behind -= 1;
            let what = "up to 9".to_owned();
            Ok(vec![Behind { at: at(), what }])
        })
        .await
    }

    async fn positions(
        &self,
        from: Side,
        group: &str,
        _below: &Ends,
    ) -> Result<Vec<Position>, Failure> {
        let group = group.to_owned();
        self.operation(|inner| {
            inner.placed = inner.behind == 0;
            // Nobody carries them where nobody follows that side.
            let carries = !inner.engine || inner.followed(index(from)) == from;
            let not_carried = (!carries).then(|| Place::NotYet("nobody follows".to_owned()));
            let place = not_carried.or(inner.place.clone()).unwrap_or(Place::Known {
                exact: 10,
                stands: Some(8),
                again: 2,
                skips: false,
            });
            let at = at();
            Ok(vec![Position {
                group,
                at,
                committed: 10,
                place,
            }])
        })
        .await
    }

    async fn written(
        &self,
        on: Side,
        since: &Ends,
    ) -> Result<BTreeMap<TopicPartition, u64>, Failure> {
        let since = since.clone();
        self.operation(|inner| {
            let count = u64::from(inner.stray && on == Side::Source);
            Ok(since.into_keys().map(|at| (at, count)).collect())
        })
        .await
    }

    async fn declare(&self, application: &str, to: Side) -> Result<String, Failure> {
        for direction in hears(to) {
            let direction = usize::from(direction == Direction::Reverse);
            self.operation(|inner| {
                inner.authority[direction] = Some(to);
                inner.doubly |=
                    (inner.followed(0), inner.followed(1)) == (Side::Source, Side::Target);
                Ok(())
            })
            .await?;
        }
        Ok(application.to_owned())
    }

    async fn is_declared(&self, _application: &str, to: Side) -> Result<bool, Failure> {
        self.operation(|inner| {
            let is_so = [0, 1].iter().all(|way| inner.followed(*way) == to);
            Ok(!inner.engine || is_so)
        })
        .await
    }

    async fn has_left(&self, from: Side) -> Result<bool, Failure> {
        self.operation(|inner| Ok(inner.engine && inner.followed(index(from)) != from))
            .await
    }

    async fn strand(&self, _topics: &[String]) -> Result<String, Failure> {
        self.operation(|_| Ok("it waits".to_owned())).await
    }

    async fn is_stranded(&self, _topics: &[String]) -> Result<bool, Failure> {
        self.operation(|_| Ok(true)).await
    }

    async fn synced_ms(&self) -> Result<Option<i64>, Failure> {
        Ok(None)
    }

    fn improves(&self) -> bool {
        true
    }

    fn advice(&self) -> String {
        "look".to_owned()
    }
}

impl World for Sim {
    type Carrier = Self;

    fn carrier(&self) -> &Self {
        self
    }

    async fn gates(&self, _application: &str, _hold: bool) -> Result<String, Failure> {
        self.operation(|_| Ok("open".to_owned())).await
    }

    async fn groups(&self, on: Side, _of: &Patterns) -> Result<Vec<GroupNow>, Failure> {
        self.operation(|inner| {
            Ok(vec![GroupNow {
                name: "order-status".to_owned(),
                members: usize::from(inner.runs[index(on)]),
                clients: Vec::new(),
                committed: [(at(), 10)].into(),
            }])
        })
        .await
    }

    async fn ends(&self, _on: Side, of: &Patterns) -> Result<Vec<EndNow>, Failure> {
        let topic = of.texts()[0].clone();
        self.operation(|_| {
            Ok(vec![EndNow {
                at: TopicPartition::new(topic.as_str(), 0),
                start: 0,
                end: 10,
                stable: 10,
            }])
        })
        .await
    }

    async fn writers(&self, _on: Side, _of: &[TopicPartition]) -> BTreeMap<TopicPartition, String> {
        BTreeMap::new()
    }

    async fn times(
        &self,
        _on: Side,
        before: &Ends,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let before = before.clone();
        self.operation(|_| Ok(before.into_keys().map(|at| (at, 7)).collect()))
            .await
    }

    async fn freeze(&self, on: Side, all: &[Frozen]) -> Result<(), Failure> {
        assert_eq!(all, freeze());
        self.operation(|inner| {
            inner.frozen[index(on)] = true;
            Ok(())
        })
        .await
    }

    async fn lift(&self, on: Side, all: &[Frozen]) -> Result<(), Failure> {
        assert_eq!(all, freeze());
        self.operation(|inner| {
            inner.frozen[index(on)] = false;
            Ok(())
        })
        .await
    }

    async fn frost(&self, on: Side, _all: &[Frozen]) -> Result<Frost, Failure> {
        self.operation(|inner| {
            Ok(Frost {
                denies_all: inner.frozen[index(on)],
                has_ours: inner.frozen[index(on)],
            })
        })
        .await
    }

    async fn call(&self, call: &Call) -> Result<String, Failure> {
        let call = call.clone();
        self.operation(|inner| {
            inner.calls.push((call.hook, call.side, call.attempt));
            if inner.fails == Some((call.hook, call.side)) {
                return Err(Failure::new(Exit::Stopped, "K452", "the hook ended with 1"));
            }
            match call.hook {
                Hook::Stop => {
                    inner.runs[index(call.side)] = false;
                    inner.behind = inner.behind_for;
                    inner.placed = false;
                }
                Hook::Start => {
                    inner.runs[index(call.side)] = true;
                    inner.shut |= inner.frozen[index(call.side)];
                    // Where it had been it goes on; elsewhere only by positions that were looked at.
                    let is_back = call.step == STOP;
                    inner.blind |= !is_back && !inner.placed;
                }
            }
            inner.split |= inner.runs == [true, true];
            Ok("exit 0".to_owned())
        })
        .await
    }
}

pub(super) fn freeze() -> Vec<Frozen> {
    vec![Frozen {
        principal: "User:CN=shop,O=company".into(),
        topic: "order_status".into(),
    }]
}

pub(super) fn application(hooks: bool) -> Application {
    let patterns = |text: &str| Patterns::of(&[text.to_owned()]).unwrap();
    Application {
        name: "order-status".into(),
        reads: patterns("orders"),
        writes: patterns("order_status"),
        groups: patterns("order-status"),
        hooks: Hooks {
            stop: hooks.then(|| "stop.sh".into()),
            start: hooks.then(|| "start.sh".into()),
            ..Hooks::default()
        },
        ..Application::default()
    }
}

pub(super) fn made_of(to: Side, state: &State, hooks: bool, shared: &[&str]) -> Move {
    Move {
        migration: "orders".into(),
        application: application(hooks),
        to,
        clusters: ["Aaa".into(), "Bbb".into()],
        journal: state.summary(),
        settings: "none".into(),
        topics: vec!["orders".into(), "order_status".into()],
        shared: shared.iter().map(ToString::to_string).collect(),
        groups: vec!["order-status".into()],
        waived: Vec::new(),
        engine: None,
        freeze: Vec::new(),
        frozen: Vec::new(),
    }
}

/// What a plan has to know of the engine.
pub(super) fn engine_of(sim: &Sim, to: Side) -> Option<Engine> {
    let inner = sim.lock();
    let follows = [0, 1].iter().all(|way| inner.followed(*way) == other(to));
    inner.engine.then_some(Engine {
        two_way: true,
        has_groups: true,
        writes: false,
        follows,
    })
}

/// A world in which it runs on the source, with our own engine.
pub(super) fn sim_with(engine: bool) -> Sim {
    let sim = sim();
    sim.lock().engine = engine;
    sim
}

/// A world in which it runs on the source.
pub(super) fn sim() -> Sim {
    let sim = Sim::default();
    let begun = Record::Begun(Head {
        migration: "orders".into(),
        id: uuid::Uuid::nil(),
        source: "Aaa".into(),
        target: "Bbb".into(),
    });
    {
        let inner = &mut *sim.lock();
        inner.kept.push(Line::after(None, begun));
        inner.runs = [true, false];
        inner.behind_for = 2;
    }
    sim
}
