//! Follows the source as long as a run lasts: looks at settings and at rules, each at its own pace, and at once where somebody asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{Made, Wanted};
use crate::{
    clock,
    cluster::{Source, Target},
    engine::{
        groups::desk::{Desk, Opened},
        held::Holds,
        ledger::{
            record::{Answer, Entry, Request, Steer},
            synced::{Brought, Fate, Report, Synced, Writes},
        },
    },
    events::{Event, Events},
    model::{acl::Rule, scope::Scope},
};

/// The shortest pause, whatever the file says.
const LEAST: Duration = Duration::from_millis(100);
/// How soon it is tried again after something failed.
const SOON: Duration = Duration::from_secs(2);
/// How long nothing is tried again that failed and does not pass by itself.
pub(super) const LATER: Duration = Duration::from_secs(60);
/// A report is recorded anew at least so often, so that its age tells something.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Lines of each list that a report keeps.
const KEPT: usize = 200;

/// Who follows the source, for one run.
pub struct Follower {
    /// The cluster that is read.
    pub source: Source,
    /// The cluster that is written.
    pub target: Target,
    /// What follows.
    pub wanted: Wanted,
    /// Which topics.
    pub scope: Scope,
    /// Topics whose retention is held open.
    pub holds: Holds,
    /// Topics that this run makes.
    pub made: Made,
    /// To the ledger.
    pub desk: Desk,
    /// Where to say what happens.
    pub events: Events,
    /// Told when both were looked at once.
    pub looked: watch::Sender<bool>,
}

/// What is known while it follows.
pub(super) struct Following {
    pub(super) with: Follower,
    opened: watch::Receiver<Option<Opened>>,
    asked: watch::Receiver<Vec<Request>>,
    pub(super) synced: Synced,
    pub(super) report: Report,
    told: Option<(Report, Instant)>,
    settings_trouble: Option<String>,
    rules_trouble: Option<String>,
    /// Topics of this run that are not on record yet.
    pub(super) made: BTreeMap<String, Vec<Brought>>,
    /// Rules that the target refused, when, and why: not tried again for a while.
    pub(super) refused_rules: BTreeMap<Rule, (Instant, String)>,
    /// What the target refused: not told again.
    pub(super) refused: BTreeSet<String>,
}

impl Follower {
    /// Follows until it is dropped.
    pub async fn run(self) {
        let (opened, asked) = (self.desk.openings(), self.desk.asked());
        let mut following = Following {
            with: self,
            opened,
            asked,
            synced: Synced::default(),
            report: Report::default(),
            told: None,
            settings_trouble: None,
            rules_trouble: None,
            made: BTreeMap::new(),
            refused_rules: BTreeMap::new(),
            refused: BTreeSet::new(),
        };
        if following.opened.wait_for(Option::is_some).await.is_err() {
            return;
        }
        following.opened.mark_changed();
        let now = Instant::now();
        let first = |every: Option<Duration>| every.map(|_| now);
        let mut settings = first(following.with.wanted.settings);
        let mut rules = first(following.with.wanted.acls);
        loop {
            following.take_up();
            if settings.is_some_and(|due| due <= Instant::now()) {
                settings = following.settings_turn().await;
            }
            let asked = following.heed().await;
            if (rules.is_some() && !asked.is_empty())
                || rules.is_some_and(|due| due <= Instant::now())
            {
                rules = following.rules_turn().await;
                following.answer(asked).await;
            }
            following.tell().await;
            following
                .with
                .looked
                .send_if_modified(|looked| !std::mem::replace(looked, true));
            let next = settings.into_iter().chain(rules).min();
            let again = next.unwrap_or_else(|| Instant::now() + LATER);
            tokio::select! {
                () = sleep_until(again) => {}
                changed = following.asked.changed() => if changed.is_err() {
                    sleep(SOON).await;
                },
                changed = following.opened.changed() => match changed {
                    Ok(()) => following.opened.mark_changed(),
                    Err(_) => sleep(SOON).await,
                },
            }
        }
    }
}

impl Following {
    /// A session that begins has read the ledger, also what another engine may have written meanwhile.
    fn take_up(&mut self) {
        if self.opened.has_changed().unwrap_or(false)
            && let Some(opened) = &*self.opened.borrow_and_update()
        {
            self.synced = opened.synced.clone();
        }
    }

    /// Settings and rules are changed only while the ledger is surely ours.
    pub(super) fn is_held(&self) -> bool {
        let opened = self.opened.borrow();
        opened.as_ref().is_some_and(|one| one.lease.holds())
    }

    /// To the ledger; answers whether it stands there for certain.
    pub(super) async fn record(&mut self, entries: Vec<Entry>) -> bool {
        if entries.is_empty() {
            return true;
        }
        let stands = self.with.desk.record(entries.clone()).await;
        if stands {
            entries.iter().for_each(|entry| self.synced.take(entry));
        }
        stands
    }

    async fn settings_turn(&mut self) -> Option<Instant> {
        let every = self.with.wanted.settings?;
        let looked = self.follow_settings().await;
        let (trouble, next) = self.outcome(looked, every, "settings of topics");
        tell(&self.with.events, &mut self.settings_trouble, trouble);
        Some(next)
    }

    async fn rules_turn(&mut self) -> Option<Instant> {
        let every = self.with.wanted.acls?;
        let looked = self.follow_rules().await;
        let (trouble, next) = self.outcome(looked, every, "access rules");
        tell(&self.with.events, &mut self.rules_trouble, trouble);
        self.count_users().await;
        Some(next)
    }

    /// What came of a look, and when the next one is due.
    fn outcome(
        &self,
        looked: Result<(), Trouble>,
        every: Duration,
        what: &str,
    ) -> (Option<String>, Instant) {
        let now = Instant::now();
        match looked {
            Ok(()) => (None, now + every.max(LEAST)),
            Err(Trouble { text, passes }) => {
                let pause = if passes { SOON } else { LATER };
                let text = format!("{what} do not follow the source for the moment: {text}");
                (Some(text), now + pause.min(every))
            }
        }
    }

    /// Records where applications write, as somebody asks. The answer comes once rules are as they should be.
    async fn heed(&mut self) -> Vec<Request> {
        let asked = self.asked.borrow_and_update().clone();
        let mut taken = Vec::new();
        for request in asked {
            let Steer::Writes { application, side } = &request.steer else {
                continue;
            };
            let writes = Entry::Writes(Writes {
                application: application.clone(),
                side: *side,
                by: request.by.clone(),
                at_ms: clock::unix_millis(),
            });
            // What was refused is tried once more.
            self.refused_rules.clear();
            if self.record(vec![writes]).await {
                taken.push(request);
            }
        }
        taken
    }

    async fn answer(&mut self, asked: Vec<Request>) {
        for request in asked {
            let Steer::Writes { application, side } = &request.steer else {
                continue;
            };
            let known = self
                .with
                .wanted
                .writers
                .iter()
                .any(|(name, _)| name == application);
            let waits = format!("waits for the cutover of {application}");
            let said = match (&self.rules_trouble, known) {
                (_, false) => format!("this engine's file names no application {application}"),
                (Some(trouble), _) => trouble.clone(),
                (None, true) => {
                    let refused =
                        self.report.rules.iter().filter(|one| {
                            one.fate == Fate::Refused && !one.reason.starts_with(&waits)
                        });
                    super::released(application, *side, refused.count())
                }
            };
            let answer = Entry::Answer(Answer {
                id: request.id,
                said: said.clone(),
                at_ms: clock::unix_millis(),
            });
            if self.record(vec![answer]).await {
                let text = format!("{said}, says {}", request.by);
                self.with.events.send(Event::Steered { text });
            }
        }
    }

    /// Tells what the target refuses, once each.
    pub(super) fn tell_refused(&mut self, what: &str, texts: Vec<String>) {
        let texts = texts.into_iter();
        let mut new = texts.filter(|text| self.refused.insert(text.clone()));
        let Some(first) = new.next() else {
            return;
        };
        let more = match new.count() {
            0 => String::new(),
            more => format!("; and {more} more, `kafka-migrate status` lists them"),
        };
        let text = format!("the target does not take {what}: {first}{more}");
        self.with.events.send(Event::Trouble { text });
    }

    async fn count_users(&mut self) {
        let missing = super::look::users_missing(&self.with.source, &self.with.target).await;
        let missing = missing.inspect_err(|error| tracing::debug!(%error, "logins cannot be seen"));
        let missing = missing.ok();
        self.report.users_lacking = missing
            .as_ref()
            .map(|all| u32::try_from(all.len()).unwrap_or(u32::MAX));
        self.report.users_missing = missing.unwrap_or_default();
    }

    /// Records how everything stands, where that is news or the last word is old.
    async fn tell(&mut self) {
        let mut report = self.report.clone();
        let troubles = self.settings_trouble.iter().chain(&self.rules_trouble);
        report.troubles = troubles.cloned().collect();
        report.settings.truncate(KEPT);
        report.rules.truncate(KEPT);
        report.users_missing.truncate(KEPT);
        let is_news = self.told.as_ref().is_none_or(|(told, at)| {
            let same = Report {
                settings_ms: told.settings_ms,
                rules_ms: told.rules_ms,
                ..report.clone()
            };
            same != *told || at.elapsed() >= TOLD_EVERY
        });
        if is_news && self.record(vec![Entry::Synced(report.clone())]).await {
            self.told = Some((report, Instant::now()));
        }
    }
}

/// Why something does not follow the source.
pub(super) struct Trouble {
    /// In words.
    pub(super) text: String,
    /// It may be over in a moment.
    pub(super) passes: bool,
}

impl From<crate::cluster::Error> for Trouble {
    fn from(error: crate::cluster::Error) -> Self {
        Self {
            passes: error.is_passing(),
            text: error.to_string(),
        }
    }
}

impl Trouble {
    /// The ledger does not say what would have to stand there.
    pub(super) fn of_ledger() -> Self {
        Self {
            text: "the ledger is not at hand".to_owned(),
            passes: true,
        }
    }
}

fn tell(events: &Events, last: &mut Option<String>, trouble: Option<String>) {
    if let Some(text) = &trouble
        && last.as_ref() != Some(text)
    {
        events.send(Event::Trouble { text: text.clone() });
    }
    *last = trouble;
}
