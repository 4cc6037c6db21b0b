//! What the steps of that plan do: each looks before it acts, so that any of them can be killed and done again.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::sleep;

use super::{
    keep::{self, State, Text},
    look::{self, Seen, removal},
    plan::{CERTIFICATES, FORWARD, FORWARD_RUNS, LOGIN, REVERSE, REVERSE_RUNS},
    sent::kept,
};
use crate::{
    aws::{Clients, replicators},
    clock::BootInstant,
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::{msk::Msk, numbers},
    msk::{self, Described, Direction, Documents, Lifecycle, Place, Standing, differences},
    run::step::{Effects, Step},
};

/// A role that was made just now cannot be assumed at once: for so long a refusal is asked again, unless there is less patience.
const SETTLING: Duration = Duration::from_secs(60);

/// What the steps do.
pub struct Deeds {
    clients: Clients,
    msk: Msk,
    seen: Seen,
    events: Events,
    stop: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Deeds {
    /// On the strength of what was seen; `stop` is asked while something is waited for.
    pub fn new(
        clients: Clients,
        msk: Msk,
        seen: Seen,
        events: Events,
        stop: Box<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        Self {
            clients,
            msk,
            seen,
            events,
            stop,
        }
    }

    /// The documents with the ARNs that the secrets have by now.
    async fn documents(&self) -> Result<Documents, Failure> {
        let wanted = &self.seen.wanted;
        let kept = keep::kept(&self.clients, &self.msk, &wanted.migration, &wanted.id).await?;
        let arn = |text| {
            let one = kept.iter().find(|one| one.text == text);
            one.and_then(|one| one.arn.clone())
        };
        let place = Place {
            secrets: Standing::of(&self.msk, arn(Text::Login), arn(Text::Certificates)),
            ..self.seen.place.clone()
        };
        Documents::render(&self.msk, &place, wanted.templates.as_deref())
    }

    async fn described(&self, direction: Direction) -> Result<Option<Described>, Failure> {
        let name = &self.seen.documents.request(direction).replicator_name;
        match replicators::find(&self.clients, name).await? {
            Some(arn) => replicators::describe(&self.clients, &arn).await,
            None => Ok(None),
        }
    }

    /// Made, being made or being changed, and with nothing that an update would change.
    async fn is_as_asked(&self, direction: Direction) -> Result<bool, Failure> {
        let Some(described) = self.described(direction).await? else {
            return Ok(false);
        };
        let lives = match described.lifecycle {
            Lifecycle::Creating | Lifecycle::Running | Lifecycle::Updating => true,
            Lifecycle::Failed | Lifecycle::Deleting | Lifecycle::Other(_) => false,
        };
        let differ = differences(&described, self.seen.documents.request(direction));
        Ok(lives && !differ.iter().any(|one| one.can_be_changed))
    }

    async fn make(&self, step: &Step, direction: Direction) -> Result<String, Failure> {
        let documents = self.documents().await?;
        let request = documents.request(direction);
        let mut done = "";
        if let Some(there) = self.described(direction).await? {
            look::refuse_foreign(&there, &self.seen.wanted)?;
            match there.lifecycle {
                Lifecycle::Failed | Lifecycle::Deleting => {
                    replicators::delete(&self.clients, &there).await?;
                    self.gone(step, &there).await?;
                    done = "the one that failed was removed; ";
                }
                Lifecycle::Creating
                | Lifecycle::Running
                | Lifecycle::Updating
                | Lifecycle::Other(_) => {
                    return Box::pin(self.change(step, direction, &documents)).await;
                }
            }
        }
        let begun = BootInstant::now();
        loop {
            match replicators::create(&self.clients, request).await {
                Ok(arn) => return Ok(format!("{done}{arn}")),
                // A request whose answer was lost has made it, or somebody else has: what is there says which.
                Err(failure) => {
                    let there = self.described(direction).await?;
                    let is_ours = there.as_ref().is_some_and(|there| {
                        let wanted = &self.seen.wanted;
                        msk::is_ours(&there.tags, &wanted.migration, &wanted.id) == Some(true)
                    });
                    if is_ours {
                        return Ok(format!("{done}{}", there.unwrap_or_default().arn));
                    }
                    if let Some(there) = &there {
                        look::refuse_foreign(there, &self.seen.wanted)?;
                    }
                    if !is_of_the_role(&failure)
                        || begun.elapsed() >= SETTLING.min(self.msk.patience)
                    {
                        return Err(explained(failure));
                    }
                }
            }
            self.wait(
                &step.name,
                "a role that was made just now to be assumable",
                begun,
            )
            .await?;
        }
    }

    async fn change(
        &self,
        step: &Step,
        direction: Direction,
        documents: &Documents,
    ) -> Result<String, Failure> {
        let request = documents.request(direction);
        let name = &request.replicator_name;
        let begun = BootInstant::now();
        loop {
            let Some(there) = self.described(direction).await? else {
                return Err(vanished(name));
            };
            let differ = differences(&there, request);
            let changes: Vec<&str> = differ
                .iter()
                .filter(|one| one.can_be_changed)
                .map(|one| one.what)
                .collect();
            if changes.is_empty() {
                return Ok("as it has to be".to_owned());
            }
            match there.lifecycle {
                // An update is refused while it is made or changed.
                Lifecycle::Running => {
                    replicators::update(&self.clients, &there, request).await?;
                    return Ok(format!("changed: {}", changes.join(", ")));
                }
                Lifecycle::Failed => return Err(failed(&there)),
                _ => {}
            }
            self.patience(&there, begun)?;
            let what = format!(
                "{name}, which is {}, before it can be changed",
                there.lifecycle
            );
            self.wait(&step.name, &what, begun).await?;
        }
    }

    /// Waits until List no longer shows it.
    async fn gone(&self, step: &Step, described: &Described) -> Result<(), Failure> {
        let begun = BootInstant::now();
        while replicators::find(&self.clients, &described.name)
            .await?
            .is_some()
        {
            self.patience(described, begun)?;
            let what = format!("the removal of {}", described.name);
            self.wait(&step.name, &what, begun).await?;
        }
        Ok(())
    }

    /// Follows a replicator until it runs.
    async fn runs(&self, step: &Step, direction: Direction) -> Result<String, Failure> {
        let request = self.seen.documents.request(direction);
        let name = &request.replicator_name;
        let begun = BootInstant::now();
        loop {
            let there = self.is_at_work(direction).await?;
            if there.lifecycle == Lifecycle::Running {
                return Ok(format!("{name} runs"));
            }
            self.patience(&there, begun)?;
            let what = format!("{name} is {}, about half an hour in all", there.lifecycle);
            self.wait(&step.name, &what, begun).await?;
        }
    }

    /// Neither failed nor gone, or on its way out.
    pub(super) async fn is_at_work(&self, direction: Direction) -> Result<Described, Failure> {
        let name = &self.seen.documents.request(direction).replicator_name;
        let Some(there) = self.described(direction).await? else {
            return Err(vanished(name));
        };
        match there.lifecycle {
            Lifecycle::Failed => Err(failed(&there)),
            Lifecycle::Deleting => Err(vanished(name).cause("somebody is removing it")),
            _ => Ok(there),
        }
    }

    fn patience(&self, there: &Described, begun: BootInstant) -> Result<(), Failure> {
        if begun.elapsed() < self.msk.patience {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Stopped,
            "K328",
            format!(
                "{} is still {} after {}",
                there.name,
                there.lifecycle,
                numbers::time(begun.elapsed())
            ),
        )
        .hint("AWS allows half an hour; nothing is lost, the same command goes on waiting")
        .next("kafka-migrate replicate"))
    }

    /// Says what is waited for, and waits until AWS is to be asked again.
    pub(super) async fn wait(
        &self,
        step: &str,
        what: &str,
        begun: BootInstant,
    ) -> Result<(), Failure> {
        self.events.send(Event::StepWaits {
            step: step.to_owned(),
            said: what.to_owned(),
            waited_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let until = BootInstant::now();
        // A person who wants to leave does not wait for the next question.
        while until.elapsed() < self.msk.ask {
            if (self.stop)() {
                return Err(Failure::new(
                    Exit::Stopped,
                    "K329",
                    format!("stopped while waiting, as asked: {what}"),
                )
                .hint("AWS goes on without us; the same command goes on waiting")
                .next("kafka-migrate replicate"));
            }
            sleep(self.msk.ask.min(Duration::from_millis(100))).await;
        }
        Ok(())
    }
}

impl Effects for Deeds {
    async fn perform(&self, step: &Step, _: u32) -> Result<String, Failure> {
        let keep = async |text| {
            let place = &self.seen.place;
            let (arn, how) = keep::keep(&self.clients, &self.msk, place, text).await?;
            Ok(format!("{how}: {arn}"))
        };
        match step.name.as_str() {
            LOGIN => keep(Text::Login).await,
            CERTIFICATES => keep(Text::Certificates).await,
            FORWARD => Box::pin(self.make(step, Direction::Forward)).await,
            REVERSE => Box::pin(self.make(step, Direction::Reverse)).await,
            _ => Err(step.is_unknown()),
        }
    }

    async fn keeps(&self, step: &Step) -> Result<BTreeMap<String, String>, Failure> {
        let direction = match step.name.as_str() {
            FORWARD => Direction::Forward,
            REVERSE => Direction::Reverse,
            _ => return Ok(BTreeMap::new()),
        };
        Ok(kept(Box::pin(self.documents()).await?.request(direction)))
    }

    async fn holds(&self, step: &Step) -> Result<bool, Failure> {
        let holds = async |text| {
            let wanted = &self.seen.wanted;
            let (migration, id) = (&wanted.migration, &wanted.id);
            let kept = keep::kept(&self.clients, &self.msk, migration, id).await?;
            Ok(kept
                .iter()
                .any(|one| one.text == text && one.state == State::Same))
        };
        match step.name.as_str() {
            LOGIN => holds(Text::Login).await,
            CERTIFICATES => holds(Text::Certificates).await,
            FORWARD => self.is_as_asked(Direction::Forward).await,
            REVERSE => self.is_as_asked(Direction::Reverse).await,
            _ => Err(step.is_unknown()),
        }
    }

    async fn undo(&self, step: &Step, _: u32) -> Result<String, Failure> {
        Err(step.is_unknown())
    }

    async fn attest(&self, step: &Step) -> Result<String, Failure> {
        match step.name.as_str() {
            FORWARD_RUNS => self.runs(step, Direction::Forward).await,
            REVERSE_RUNS => self.runs(step, Direction::Reverse).await,
            _ => Err(step.is_unknown()),
        }
    }
}

/// Does AWS say that the role is not to be assumed? Its words are not published.
fn is_of_the_role(failure: &Failure) -> bool {
    let texts = failure.causes.iter().chain([&failure.message]);
    let words = ["assume", "serviceexecutionrolearn"];
    texts
        .map(|text| text.to_lowercase())
        .any(|text| words.iter().any(|word| text.contains(word)))
}

fn explained(failure: Failure) -> Failure {
    match is_of_the_role(&failure) {
        true => failure
            .hint("the role has to trust kafka.amazonaws.com: `kafka-migrate plan replicate` prints its trust policy")
            .hint("a role that was made a moment ago can take a minute"),
        false => failure,
    }
}

fn failed(there: &Described) -> Failure {
    let (code, message) = there.state_info.clone().unwrap_or_default();
    let advice = msk::of_state(&code, &message);
    let said = match (code.is_empty(), message.is_empty()) {
        (true, true) => "AWS does not say why".to_owned(),
        (false, false) => format!("AWS says: {message} ({code})"),
        _ => format!("AWS says: {code}{message}"),
    };
    Failure::new(
        Exit::Attention,
        "K322",
        format!("the replicator {} failed", there.name),
    )
    .cause(said)
    .cause(advice.cause)
    .hint(advice.cure)
    .hint("a replicator that failed is not repaired: once the cause is gone the same command removes it and makes it anew")
    .next(format!("kafka-migrate replicate   (or leave it: {})", removal(there)))
}

fn vanished(name: &str) -> Failure {
    Failure::new(
        Exit::Attention,
        "K327",
        format!("the replicator {name} is gone"),
    )
    .hint("somebody removed it, or another account or region is asked; the same command makes it again")
    .next("kafka-migrate replicate")
}
