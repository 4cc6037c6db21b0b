//! Everything of ours goes, in order, however often the command is killed; and nothing while somebody depends on it.

use std::{
    future::pending,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::*;
use crate::{
    phases::standing::Moving,
    run::{
        executor::{Ended, Executor},
        journal::{Journal, Line, Store},
        state::{Head, Record},
    },
};

/// What is there, how many looks each takes to go, and when the process is killed next.
#[derive(Default)]
struct Cloud {
    inner: Mutex<Inner>,
    killed: Notify,
}

#[derive(Default)]
struct Inner {
    kept: Vec<Line>,
    there: Vec<Made>,
    /// Being removed: looks until it is gone.
    leaving: BTreeMap<String, u32>,
    removed: Vec<String>,
    used: bool,
    slow: bool,
    operations: usize,
    kill_at: Option<(usize, bool)>,
}

impl Cloud {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    async fn operation<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let dies = {
            let inner = &mut *self.lock();
            let now = inner.operations;
            inner.operations += 1;
            inner.kill_at.filter(|(at, _)| *at == now)
        };
        if matches!(dies, Some((_, false))) {
            self.killed.notify_one();
            return pending().await;
        }
        let answer = change(&mut self.lock());
        if dies.is_some() {
            self.killed.notify_one();
            return pending().await;
        }
        answer
    }
}

impl Removes for Cloud {
    async fn made(&self) -> Result<Vec<Made>, Failure> {
        Ok(self.operation(|inner| inner.there.clone()).await)
    }

    async fn remove(&self, one: &Made) -> Result<String, Failure> {
        let id = one.id.clone();
        self.operation(|inner| {
            inner.removed.push(id.clone());
            inner.leaving.entry(id).or_insert(2);
        })
        .await;
        Ok(String::new())
    }

    async fn is_gone(&self, one: &Made) -> Result<bool, Failure> {
        let id = one.id.clone();
        let gone = self
            .operation(|inner| {
                let is_slow = inner.slow;
                if let Some(left) = inner.leaving.get_mut(&id) {
                    *left = left.saturating_sub(u32::from(!is_slow));
                    if *left == 0 {
                        inner.there.retain(|one| one.id != id);
                    }
                }
                !inner.there.iter().any(|one| one.id == id)
            })
            .await;
        Ok(gone)
    }

    fn left(&self) -> Vec<Left> {
        Vec::new()
    }
}

impl Interlock for Cloud {
    async fn nobody(&self) -> Result<String, Failure> {
        match self.operation(|inner| inner.used).await {
            false => Ok("nobody".to_owned()),
            true => Err(Failure::new(Exit::Refused, "K484", "somebody reads")),
        }
    }
}

struct Kept<'a>(&'a Cloud);

impl Store for Kept<'_> {
    async fn keep(&mut self, line: &Line) -> Result<(), Failure> {
        let line = line.clone();
        self.0.operation(|inner| inner.kept.push(line)).await;
        Ok(())
    }
}

fn made(kind: &str, name: &str) -> Made {
    Made {
        kind: kind.into(),
        name: name.into(),
        id: format!("arn:{name}"),
        note: String::new(),
    }
}

fn cloud() -> Cloud {
    let cloud = Cloud::default();
    let head = Record::Begun(Head {
        migration: "orders".into(),
        id: uuid::Uuid::nil(),
        source: "Aaa".into(),
        target: "Bbb".into(),
    });
    {
        let inner = &mut *cloud.lock();
        inner.kept.push(Line::after(None, head));
        inner.there = vec![
            made("replicator", "forward"),
            made("replicator", "reverse"),
            made("secret", "login"),
        ];
    }
    cloud
}

/// One process; `None` is that it was killed.
async fn process(cloud: &Cloud) -> Option<Result<Ended, Failure>> {
    let kept = cloud.lock().kept.clone();
    cloud.lock().operations = 0;
    let work = async {
        let mut journal = Journal::after(&kept, Kept(cloud)).expect("every prefix is legal");
        let state = journal.state().clone();
        let plan = match state.open(CLEANUP, "") {
            Some(open) => state.courses[open as usize].plan.clone(),
            None => plan(&Seen {
                migration: "orders".into(),
                clusters: ["Aaa".into(), "Bbb".into()],
                journal: state.summary(),
                settings: "none".into(),
                made: cloud.made().await?,
                abandons_target: false,
            }),
        };
        let (events, _told) = Events::channel();
        let removal = Removal {
            removes: cloud,
            interlock: cloud,
            events: &events,
            within: Duration::from_millis(20),
            pause: Duration::ZERO,
        };
        let mut executor = Executor {
            journal: &mut journal,
            effects: &removal,
            events: &events,
            stop: &|| false,
        };
        executor.run(&plan).await
    };
    tokio::select! {
        ended = work => Some(ended),
        () = cloud.killed.notified() => None,
    }
}

#[tokio::test]
async fn killed_anywhere_all_of_it_goes_and_in_its_order() {
    let all = {
        let cloud = cloud();
        process(&cloud).await.unwrap().unwrap();
        cloud.lock().operations
    };
    assert!(all > 20, "{all}");
    for kill_at in (0..all).flat_map(|at| [(at, false), (at, true)]) {
        let cloud = cloud();
        cloud.lock().kill_at = Some(kill_at);
        assert!(process(&cloud).await.is_none(), "{kill_at:?}");
        cloud.lock().kill_at = None;
        let ended = process(&cloud).await.unwrap();
        assert!(matches!(ended, Ok(Ended::Done)), "{kill_at:?}: {ended:?}");
        let inner = cloud.lock();
        assert_eq!(inner.there, [], "{kill_at:?}");
        let mut order = inner.removed.clone();
        order.dedup();
        assert_eq!(
            order,
            ["arn:forward", "arn:reverse", "arn:login"],
            "{kill_at:?}"
        );
    }
}

#[tokio::test]
async fn twice_is_harmless_and_what_is_slow_is_gone_on_with() {
    let cloud = cloud();
    cloud.lock().slow = true;
    let ended = process(&cloud).await.unwrap().unwrap();
    assert!(
        matches!(&ended, Ended::Attention(failure) if failure.code == "K485"),
        "{ended:?}"
    );
    assert_eq!(cloud.lock().removed, ["arn:forward"]);
    cloud.lock().slow = false;
    for _ in 0..2 {
        let ended = process(&cloud).await.unwrap().unwrap();
        assert!(matches!(ended, Ended::Done), "{ended:?}");
    }
    assert_eq!(cloud.lock().there, []);
}

#[tokio::test]
async fn nothing_goes_while_somebody_depends_on_it() {
    let cloud = cloud();
    cloud.lock().used = true;
    let ended = process(&cloud).await.unwrap().unwrap();
    assert!(
        matches!(&ended, Ended::Undone(failure) if failure.code == "K484"),
        "{ended:?}"
    );
    assert!(cloud.lock().removed.is_empty());
}

#[test]
fn everybody_has_to_be_on_one_side_and_nobody_on_the_other() {
    let at = |at| Standing { at, moving: None };
    let all = |all: &[(&str, Standing)]| -> BTreeMap<String, Standing> {
        let all = all.iter();
        all.map(|(name, standing)| ((*name).to_owned(), *standing))
            .collect()
    };
    let group = |side, members| {
        let group = GroupNow {
            name: "order-status".into(),
            members,
            ..GroupNow::default()
        };
        vec![(side, group)]
    };
    let over = all(&[("a", at(Side::Target)), ("b", at(Side::Target))]);
    let said = depends(&over, &group(Side::Target, 3), false).unwrap();
    assert_eq!(said, "2 applications on the target, none on the source");
    depends(&over, &group(Side::Source, 0), false).unwrap();
    let code = |standings: &_, groups: &[_], abandons| {
        depends(standings, groups, abandons).unwrap_err().code
    };
    assert_eq!(code(&over, &group(Side::Source, 1), false), "K484");
    assert_eq!(code(&over, &[], true), "K483");
    let split = all(&[("a", at(Side::Target)), ("b", at(Side::Source))]);
    assert_eq!(code(&split, &[], false), "K483");
    let between = Standing {
        at: Side::Source,
        moving: Some(Moving {
            to: Side::Target,
            plan: 0,
            is_past: false,
        }),
    };
    assert_eq!(code(&all(&[("a", between)]), &[], false), "K483");
    let home = all(&[("a", at(Side::Source))]);
    depends(&home, &group(Side::Source, 2), true).unwrap();
    assert_eq!(code(&home, &group(Side::Target, 2), false), "K484");
    // Where nothing is known of applications, groups alone tell.
    depends(&all(&[]), &group(Side::Source, 2), false).unwrap();
    assert_eq!(code(&all(&[]), &group(Side::Target, 2), false), "K484");
}
