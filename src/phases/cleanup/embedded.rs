//! What our own engine made, and how it goes: the engine itself, then settings that it holds, then both ledgers.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::{Left, Made, Removes};
use crate::{
    cluster::{Cluster, Source, Target, freeze::Freeze},
    engine::{
        held,
        ledger::{self, record::Steer},
        steer,
        told::Told,
    },
    error::Failure,
    exit::Exit,
    model::{
        direction::Direction,
        freeze::Frozen,
        names::{Side, TopicName},
        numbers,
    },
};

const ENGINE: &str = "engine";
const HELD: &str = "held-settings-of";
const FREEZE: &str = "write-freeze-on-the";
const LEDGER: &str = "ledger";
/// A heartbeat comes each second, and whoever is cut off for this long sends nothing more.
const SILENT: Duration = Duration::from_secs(12);
/// Between two looks at whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Removes what it made.
pub struct Removing {
    migration: String,
    by: String,
    source: Source,
    /// `None`: it is given up.
    target: Option<Target>,
    /// What the owners said last, and since when they have said nothing more.
    heard: Mutex<Option<(Vec<i64>, Instant)>>,
}

impl Removing {
    /// Of this migration; `by` says who, for people.
    pub fn new(migration: String, by: String, source: Source, target: Option<Target>) -> Self {
        Self {
            migration,
            by,
            source,
            target,
            heard: Mutex::default(),
        }
    }

    /// The cluster that a direction writes to; `None` if that is given up.
    fn written(&self, direction: Direction) -> Option<Target> {
        match direction {
            Direction::Forward => self.target.clone(),
            Direction::Reverse => Some(self.source.for_the_way_back()),
        }
    }

    /// The ledgers that are there.
    async fn told(&self) -> Result<Vec<(Direction, Told)>, Failure> {
        let mut all = Vec::new();
        for direction in [Direction::Forward, Direction::Reverse] {
            let Some(written) = self.written(direction) else {
                continue;
            };
            let read = match direction {
                Direction::Forward => Some(self.source.id()),
                Direction::Reverse => self.target.as_ref().map(|target| target.id()),
            };
            let told = Told::open(&self.migration, direction, read, &written).await?;
            all.extend(told.map(|told| (direction, told)));
        }
        Ok(all)
    }

    /// Has every engine ended, or is there none that lives?
    async fn has_ended(&self) -> Result<bool, Failure> {
        let told = self.told().await?;
        if told.iter().all(|(_, told)| told.has_ended()) {
            return Ok(true);
        }
        let words = told.iter().flat_map(|(_, told)| told.last_words());
        let words: Vec<i64> = words.collect();
        let mut heard = self.heard.lock().await;
        match &*heard {
            Some((before, since)) if *before == words => Ok(since.elapsed() >= SILENT),
            _ => {
                *heard = Some((words, Instant::now()));
                Ok(false)
            }
        }
    }

    async fn stop(&self) -> Result<String, Failure> {
        let told = self.told().await?;
        let living = told.iter().filter(|(_, told)| !told.has_ended());
        let living: Vec<Direction> = living.map(|(direction, _)| *direction).collect();
        // One that ends at the first word has no answer for the second.
        let said = tokio::select! {
            said = self.ask_to_end(&living) => said?,
            () = self.until_ended() => Vec::new(),
        };
        Ok(match said.is_empty() {
            true => "nothing is copied any more".to_owned(),
            false => said.join("; "),
        })
    }

    /// Asks whoever copies these ways to come to the end, and says who did not answer.
    async fn ask_to_end(&self, ways: &[Direction]) -> Result<Vec<String>, Failure> {
        let asked = ways.iter().map(async |direction| {
            let Some(written) = self.written(*direction) else {
                return Ok::<_, Failure>(None);
            };
            let (migration, by) = (&self.migration, &self.by);
            let asked = steer::ask_direction(&written, migration, *direction, Steer::Stop, by);
            let answered = Box::pin(asked).await?;
            let silent = || format!("nobody answers that copies from the {}", direction.read());
            Ok((answered.answered == 0).then(silent))
        });
        let said = futures_util::future::try_join_all(asked).await?;
        Ok(said.into_iter().flatten().collect())
    }

    /// Ends once every ledger says that its engine has. What cannot be read now is read again.
    async fn until_ended(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            let told = self.told().await;
            if told.is_ok_and(|told| told.iter().all(|(_, told)| told.has_ended())) {
                return;
            }
        }
    }

    async fn held(&self, topic: &str) -> Result<Option<ledger::record::Held>, Failure> {
        let told = self.told().await?;
        let forward = told
            .into_iter()
            .find(|(direction, _)| *direction == Direction::Forward);
        let all = forward.map_or_else(Vec::new, |(_, told)| told.held());
        Ok(all
            .into_iter()
            .find(|(name, _)| **name == *topic)
            .map(|(_, held)| held))
    }

    /// What has still to be put back, and what somebody else has changed meanwhile.
    async fn to_restore(&self, topic: &str) -> Result<(held::Changes, Vec<String>), Failure> {
        let (Some(target), Some(held)) = (&self.target, self.held(topic).await?) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let name = TopicName::from(topic);
        let all = target.topic_configs_each(std::slice::from_ref(&name)).await;
        let mut all = all.map_err(|error| error.failure())?;
        match all.remove(&name) {
            Some(Ok(now)) => Ok(held::to_restore(&held.settings, &now)),
            Some(Err(error)) if error.code() != Some(UNKNOWN_TOPIC_OR_PARTITION) => {
                Err(error.failure())
            }
            // It is gone, and its settings with it.
            Some(Err(_)) | None => Ok((Vec::new(), Vec::new())),
        }
    }

    async fn restore(&self, topic: &str) -> Result<String, Failure> {
        let (changes, left) = self.to_restore(topic).await?;
        if let (Some(target), false) = (&self.target, changes.is_empty()) {
            let changes = [(TopicName::from(topic), changes)];
            let answers = target.alter_topics(&changes).await;
            for answer in answers.map_err(|error| error.failure())? {
                answer.map_err(|error| error.failure())?;
            }
        }
        Ok(match left.is_empty() {
            true => "as they were".to_owned(),
            false => format!("left as somebody has set them: {}", left.join("; ")),
        })
    }

    /// The cluster of a side; `None` if that is given up.
    fn freeze(&self, on: Side) -> Option<Freeze> {
        let cluster: &Cluster = match on {
            Side::Source => &self.source,
            Side::Target => self.target.as_ref()?,
        };
        Some(Freeze::on(cluster, &self.migration))
    }

    /// What moves keep applications from writing there.
    async fn frozen(&self, on: Side) -> Result<Vec<Frozen>, Failure> {
        let Some(freeze) = self.freeze(on) else {
            return Ok(Vec::new());
        };
        freeze.standing().await.map_err(|error| error.failure())
    }

    async fn lift(&self, on: Side) -> Result<String, Failure> {
        let frozen = self.frozen(on).await?;
        if let Some(freeze) = self.freeze(on) {
            let lifted = freeze.lift(&frozen).await;
            lifted.map_err(|error| error.failure())?;
        }
        Ok(numbers::of(frozen.len() as u64, "denial") + " removed")
    }

    fn ledgers(&self) -> Vec<(Direction, Side)> {
        vec![
            (Direction::Forward, Side::Target),
            (Direction::Reverse, Side::Source),
        ]
    }
}

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

impl Removes for Removing {
    async fn made(&self) -> Result<Vec<Made>, Failure> {
        let told = self.told().await?;
        let mut made = Vec::new();
        let plain = |kind: &str, name: String, id: String| Made {
            kind: kind.to_owned(),
            name,
            id,
            note: String::new(),
        };
        if !told.is_empty() {
            let id = self.migration.clone();
            made.push(Made {
                note: "nothing is copied from then on, either way".to_owned(),
                ..plain(ENGINE, self.migration.clone(), id)
            });
        }
        for (_, told) in &told {
            for (topic, held) in told.held() {
                let words: Vec<String> = held.settings.iter().map(held::words).collect();
                made.push(Made {
                    note: format!("put back: {}", words.join("; ")),
                    ..plain(HELD, topic.to_string(), topic.to_string())
                });
            }
        }
        for side in [Side::Source, Side::Target] {
            let frozen = self.frozen(side).await?;
            if !frozen.is_empty() {
                let who: Vec<String> = frozen.iter().map(Frozen::to_string).collect();
                made.push(Made {
                    note: format!("from then on they may write again: {}", who.join(", ")),
                    ..plain(FREEZE, side.to_string(), side.to_string())
                });
            }
        }
        for (direction, side) in self.ledgers() {
            if told.iter().any(|(one, _)| *one == direction) {
                let name = ledger::topic(&self.migration, direction);
                made.push(Made {
                    note: format!("it is on the {side}"),
                    ..plain(LEDGER, direction.to_string(), name)
                });
            }
        }
        Ok(made)
    }

    async fn remove(&self, one: &Made) -> Result<String, Failure> {
        match one.kind.as_str() {
            ENGINE => self.stop().await,
            HELD => self.restore(&one.id).await,
            FREEZE => self.lift(side(one)?).await,
            LEDGER => {
                let direction = direction(one)?;
                let Some(written) = self.written(direction) else {
                    return Ok("given up with the target".to_owned());
                };
                let removed = written.remove_ledger(&self.migration, direction).await;
                removed.map_err(|error| error.failure())?;
                Ok("deleted".to_owned())
            }
            _ => Err(unknown(one)),
        }
    }

    async fn is_gone(&self, one: &Made) -> Result<bool, Failure> {
        match one.kind.as_str() {
            ENGINE => self.has_ended().await,
            HELD => Ok(self.to_restore(&one.id).await?.0.is_empty()),
            FREEZE => Ok(self.frozen(side(one)?).await?.is_empty()),
            LEDGER => {
                let Some(written) = self.written(direction(one)?) else {
                    return Ok(true);
                };
                let name = TopicName::from(one.id.as_str());
                let there = written.topics(Some(std::slice::from_ref(&name))).await;
                Ok(there.map_err(|error| error.failure())?.is_empty())
            }
            _ => Err(unknown(one)),
        }
    }

    fn left(&self) -> Vec<Left> {
        vec![Left {
            what: format!(
                "transactional ids that begin with kafka-migrate.{}.",
                self.migration
            ),
            how: "coordinators forget them by themselves, after a week by default".to_owned(),
        }]
    }
}

fn side(one: &Made) -> Result<Side, Failure> {
    let all = [Side::Source, Side::Target];
    let found = all.into_iter().find(|side| side.to_string() == one.name);
    found.ok_or_else(|| unknown(one))
}

fn direction(one: &Made) -> Result<Direction, Failure> {
    let all = [Direction::Forward, Direction::Reverse];
    let found = all.into_iter().find(|way| way.word() == one.name);
    found.ok_or_else(|| unknown(one))
}

fn unknown(one: &Made) -> Failure {
    Failure::new(
        Exit::Refused,
        "K497",
        format!(
            "the plan removes something that this version does not know: {} {}",
            one.kind, one.name
        ),
    )
    .hint("run the version of kafka-migrate that made the plan")
}
