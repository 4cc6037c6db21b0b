//! Commands on such a world, each in a process of its own that may be killed.

use super::*;

/// One command, in a process of its own: `None` is that it was killed.
pub(super) struct Command<'a> {
    pub(super) to: Side,
    pub(super) hooks: bool,
    pub(super) shared: &'a [&'a str],
    pub(super) said: Said,
    pub(super) waits: Waits,
}

/// What comes is waited for; nothing has to stand still for a time.
pub(super) const PATIENT: Waits = Waits {
    quiet: Duration::ZERO,
    hook: Duration::from_secs(20),
    person: Duration::from_secs(20),
    drain: Duration::from_secs(20),
    positions: Duration::from_secs(20),
    still: Duration::ZERO,
    pause: Duration::ZERO,
};

/// What does not come is not waited for long.
pub(super) const HASTY: Waits = Waits {
    hook: Duration::from_millis(20),
    person: Duration::from_millis(20),
    drain: Duration::from_millis(20),
    positions: Duration::from_millis(20),
    ..PATIENT
};

impl Command<'_> {
    pub(super) fn to(to: Side) -> Self {
        Self {
            to,
            hooks: true,
            shared: &[],
            said: Said::default(),
            waits: PATIENT,
        }
    }

    pub(super) async fn run(&self, sim: &Sim) -> Option<Result<(Next, Ended), Failure>> {
        let kept = sim.lock().kept.clone();
        sim.lock().operations = 0;
        let mut journal = Journal::after(&kept, Kept(sim)).expect("every prefix is legal");
        let state = journal.state().clone();
        let application = application(self.hooks);
        let next = course::next(&state, &application.name, self.to);
        // Our own engine's moves are those that freeze, too.
        let (freezes, frozen) = {
            let inner = sim.lock();
            (inner.engine, inner.frozen[index(self.to)])
        };
        let only = |is_so: bool| if is_so { freeze() } else { Vec::new() };
        let of = Move {
            engine: engine_of(sim, self.to),
            freeze: only(freezes),
            frozen: only(frozen),
            ..made_of(self.to, &state, self.hooks, self.shared)
        };
        let plan = course::plan_of(&state, next, || match self.to {
            Side::Target => cutover::plan(&of),
            Side::Source => rollback::plan(&of),
        });
        let course = match next {
            Next::GoOn(number) | Next::Undo(number) => state.courses.get(number as usize),
            Next::Nothing | Next::Begin | Next::Replace(_) => None,
        };
        let begun = begun(course);
        let (events, _told) = Events::channel();
        let deeds = Deeds {
            world: sim,
            events: &events,
            application: &application,
            to: standing::goal(&plan.phase).unwrap(),
            plan: &plan,
            waits: self.waits,
            said: &self.said,
            begun,
            placed: Mutex::default(),
            command: "kafka-migrate cutover --app order-status",
        };
        let mut executor = Executor {
            journal: &mut journal,
            effects: &deeds,
            events: &events,
            stop: &|| false,
        };
        tokio::select! {
            ended = course::run(&mut executor, next, &plan) => Some(ended.map(|ended| (next, ended))),
            () = sim.killed.notified() => None,
        }
    }

    /// The same command again and again, until it has nothing to do or is over.
    pub(super) async fn insist(&self, sim: &Sim) -> Ended {
        for _ in 0..20 {
            sim.lock().kill_at = None;
            sim.lock().fail_at = None;
            if let Some(Ok((_, ended))) = self.run(sim).await {
                return ended;
            }
        }
        panic!("it never ends");
    }
}
