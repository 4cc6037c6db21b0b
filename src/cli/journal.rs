//! The journal of a migration in its three places: the state directory, the target and the source.

use uuid::Uuid;

use crate::{
    cluster::{self, JournalTopic, Source, Target},
    config::Settings,
    engine::steps,
    error::Failure,
    exit::Exit,
    model::names::Side,
    run::{
        copies::{self, Copies, Topic},
        file::Local,
        journal::{Journal, Line},
        lock::RunnerLock,
        state::{Head, Record, State},
    },
};

/// What a broker answers for a topic that a login may not see.
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

/// The journal's topic on one side.
#[derive(Clone)]
pub struct Copy {
    side: Side,
    /// `None`: that side is gone, and its copy with it.
    topic: Option<JournalTopic>,
}

impl Copy {
    fn topic(&self) -> Result<&JournalTopic, Failure> {
        self.topic.as_ref().ok_or_else(|| {
            let exit = match self.side {
                Side::Source => Exit::Source,
                Side::Target => Exit::Target,
            };
            Failure::new(exit, "K487", format!("the {} is given up", self.side))
        })
    }
}

impl Topic for Copy {
    fn name(&self) -> String {
        match &self.topic {
            Some(topic) => format!("the journal {} on the {}", topic.topic(), self.side),
            None => format!("the journal on the {}", self.side),
        }
    }

    async fn exists(&self) -> Result<bool, Failure> {
        match self.topic()?.exists().await {
            // What this login may not see it cannot have written; making it fails next, and says so.
            Err(error) if error.code() == Some(TOPIC_AUTHORIZATION_FAILED) => Ok(false),
            exists => exists.map_err(|error| failed(&error)),
        }
    }

    async fn make(&self) -> Result<(), Failure> {
        self.topic()?.make().await.map_err(|error| failed(&error))
    }

    async fn append(&self, value: &[u8]) -> Result<i64, Failure> {
        let is_line = !copies::is_beat(value);
        if is_line {
            steps::reached("journal-appending");
        }
        let appended = self.topic()?.append(value).await;
        if is_line {
            steps::reached("journal-appended");
        }
        appended.map_err(|error| failed(&error))
    }

    async fn read(&self, from: i64) -> Result<(Vec<Vec<u8>>, i64), Failure> {
        self.topic()?
            .read(from)
            .await
            .map_err(|error| failed(&error))
    }
}

fn failed(error: &cluster::Error) -> Failure {
    error.failure()
}

/// The target first: where two commands race, its order decides.
fn topics(settings: &Settings, source: &Source, target: Option<&Target>) -> Vec<Copy> {
    let target = (
        Side::Target,
        target.map(|target| target.journal(&settings.name)),
    );
    let source = (Side::Source, Some(source.journal(&settings.name)));
    [target, source]
        .map(|(side, topic)| Copy { side, topic })
        .into()
}

async fn head(
    settings: &Settings,
    source: &Source,
    target: Option<&Target>,
) -> Result<Head, Failure> {
    let id = match target {
        Some(target) => target.id().to_owned(),
        // A target that is gone is the one that the journal on the source is of.
        None => {
            let topic = source.journal(&settings.name);
            let values = match topic.exists().await.map_err(|error| failed(&error))? {
                true => topic.read(0).await.map_err(|error| failed(&error))?.0,
                false => Vec::new(),
            };
            let first = values.iter().find(|value| !copies::is_beat(value));
            match first
                .and_then(|value| Line::read(value).ok())
                .map(|line| line.record)
            {
                Some(Record::Begun(head)) => head.target,
                _ => {
                    return Err(Failure::new(
                        Exit::Refused,
                        "K487",
                        "without the target nothing is known of this migration: there is no journal on the source",
                    ));
                }
            }
        }
    };
    Ok(Head {
        migration: settings.name.clone(),
        id: Uuid::new_v4(),
        source: source.id().to_owned(),
        target: id,
    })
}

/// What the journal says; nothing is changed.
pub async fn look(settings: &Settings, source: &Source, target: &Target) -> Result<State, Failure> {
    look_at(settings, source, Some(target)).await
}

/// What the journal says, where the target may be gone.
pub async fn look_at(
    settings: &Settings,
    source: &Source,
    target: Option<&Target>,
) -> Result<State, Failure> {
    let local = Local::look(&settings.state)?;
    let topics = topics(settings, source, target);
    copies::look(local, topics, &head(settings, source, target).await?).await
}

/// Its lines as far as they can be read, wherever they are, and what could not be read.
pub async fn lines(
    settings: &Settings,
    source: Option<&Source>,
    target: Option<&Target>,
) -> (Vec<Line>, Vec<String>) {
    let local = Local::look(&settings.state);
    let target = target.map(|target| (Side::Target, target.journal(&settings.name)));
    let source = source.map(|source| (Side::Source, source.journal(&settings.name)));
    let topics = target.into_iter().chain(source).map(|(side, topic)| Copy {
        side,
        topic: Some(topic),
    });
    copies::longest(local, topics.collect(), &settings.name).await
}

/// Removes it from both clusters, or from the one that is left; this machine's file stays.
pub async fn remove(
    settings: &Settings,
    source: &Source,
    target: Option<&Target>,
) -> Result<(), Failure> {
    for copy in topics(settings, source, target) {
        if let Some(topic) = &copy.topic
            && copy.exists().await?
        {
            topic.remove().await.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// Opens it for writing; see [`copies::open`].
pub async fn open(
    settings: &Settings,
    source: &Source,
    target: &Target,
    lock: &RunnerLock,
    command: &str,
) -> Result<(Journal<Copies<Copy>>, Vec<String>), Failure> {
    open_at(settings, source, Some(target), lock, command).await
}

/// Opens it for writing, where the target may be gone.
pub async fn open_at(
    settings: &Settings,
    source: &Source,
    target: Option<&Target>,
    lock: &RunnerLock,
    command: &str,
) -> Result<(Journal<Copies<Copy>>, Vec<String>), Failure> {
    let (local, lines) = Local::open(&settings.state)?;
    let topics = topics(settings, source, target);
    let head = head(settings, source, target).await?;
    copies::open(local, lines, topics, head, lock.runner(command)).await
}
