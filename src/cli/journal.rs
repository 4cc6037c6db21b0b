//! The journal of a migration in its three places: the state directory, the target and the source.

use uuid::Uuid;

use crate::{
    cluster::{self, JournalTopic, Source, Target},
    config::Settings,
    engine::steps,
    error::Failure,
    model::names::Side,
    run::{
        copies::{self, Copies, Topic},
        file::Local,
        journal::Journal,
        lock::RunnerLock,
        state::{Head, State},
    },
};

/// What a broker answers for a topic that a login may not see.
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

/// The journal's topic on one side.
#[derive(Clone)]
pub struct Copy {
    side: Side,
    topic: JournalTopic,
}

impl Topic for Copy {
    fn name(&self) -> String {
        format!("the journal {} on the {}", self.topic.topic(), self.side)
    }

    async fn exists(&self) -> Result<bool, Failure> {
        match self.topic.exists().await {
            // What this login may not see it cannot have written; making it fails next, and says so.
            Err(error) if error.code() == Some(TOPIC_AUTHORIZATION_FAILED) => Ok(false),
            exists => exists.map_err(|error| failed(&error)),
        }
    }

    async fn make(&self) -> Result<(), Failure> {
        self.topic.make().await.map_err(|error| failed(&error))
    }

    async fn append(&self, value: &[u8]) -> Result<i64, Failure> {
        let is_line = !copies::is_beat(value);
        if is_line {
            steps::reached("journal-appending");
        }
        let appended = self.topic.append(value).await;
        if is_line {
            steps::reached("journal-appended");
        }
        appended.map_err(|error| failed(&error))
    }

    async fn read(&self, from: i64) -> Result<(Vec<Vec<u8>>, i64), Failure> {
        self.topic.read(from).await.map_err(|error| failed(&error))
    }
}

fn failed(error: &cluster::Error) -> Failure {
    error.failure()
}

/// The target first: where two commands race, its order decides.
fn topics(settings: &Settings, source: &Source, target: &Target) -> Vec<Copy> {
    let target = (Side::Target, target.journal(&settings.name));
    let source = (Side::Source, source.journal(&settings.name));
    [target, source]
        .map(|(side, topic)| Copy { side, topic })
        .into()
}

fn head(settings: &Settings, source: &Source, target: &Target) -> Head {
    Head {
        migration: settings.name.clone(),
        id: Uuid::new_v4(),
        source: source.id().to_owned(),
        target: target.id().to_owned(),
    }
}

/// What the journal says; nothing is changed.
pub async fn look(settings: &Settings, source: &Source, target: &Target) -> Result<State, Failure> {
    let local = Local::look(&settings.state)?;
    let topics = topics(settings, source, target);
    copies::look(local, topics, &head(settings, source, target)).await
}

/// Opens it for writing; see [`copies::open`].
pub async fn open(
    settings: &Settings,
    source: &Source,
    target: &Target,
    lock: &RunnerLock,
    command: &str,
) -> Result<(Journal<Copies<Copy>>, Vec<String>), Failure> {
    let (local, lines) = Local::open(&settings.state)?;
    let topics = topics(settings, source, target);
    let head = head(settings, source, target);
    copies::open(local, lines, topics, head, lock.runner(command)).await
}
