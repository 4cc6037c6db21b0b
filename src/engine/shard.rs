//! One shard for the length of a run: claims its ledger, finds an identity, copies, and begins again where that is the way on.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    identity::{Established, NotEstablished, establish},
    lease::Lease,
    ledger::{
        read::{LedgerError, Reader},
        record::{Entry, Header, Owner},
        state::Standing,
        write::{Ledger, LedgerLost},
    },
    metrics,
    pipeline::{Assignment, Ended, Session, Shared},
    settings::Stop,
    steps,
    ways::{self, Decision},
};
use crate::{error::Failure, events::Event, exit::Exit};

/// How long a start may still take once the run is to end.
const START: Duration = Duration::from_secs(15);
/// Pause before an identity is looked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// A session that lasted so long was no failure of its identity.
const LASTING: Duration = Duration::from_secs(10);
/// The longest pause between identities that are given up one after the other.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Claims in a row without a session in between.
const CLAIMS: u32 = 5;

/// What a shard is made of.
pub struct Shard {
    /// What all shards share.
    pub shared: Shared,
    /// Its ledger, read to the end.
    pub reader: Reader,
    /// Who we are.
    pub owner: Owner,
    /// What the ledger has to be.
    pub header: Header,
    /// Its partitions.
    pub assigned: Vec<Assignment>,
    /// What a person decided about partitions that had stopped.
    pub decisions: Vec<Decision>,
    /// Partitions that come later.
    pub incoming: mpsc::UnboundedReceiver<Vec<Assignment>>,
}

impl Shard {
    /// Copies until the run ends. Answers whether the shard was sealed.
    pub async fn run(mut self) -> Result<bool, Failure> {
        let lease = Lease::default();
        let mut claims = 0;
        let mut short = 0;
        let mut count = metrics::Shard::default();
        loop {
            let begun = Instant::now();
            claims += 1;
            let mut ledger = match self.claim(lease.clone()).await {
                Ok(Some(ledger)) => ledger,
                Ok(None) => return Ok(false),
                Err(LedgerLost::Fenced) if claims < CLAIMS => continue,
                Err(lost) => return Err(lost.failure()),
            };
            ledger.tell(self.shared.maps.clone());
            match self.decide(&mut ledger).await {
                Ok(()) => {}
                Err(LedgerLost::Fenced) if claims < CLAIMS => continue,
                Err(lost) => return Err(lost.failure()),
            }
            let mut began = begun;
            loop {
                let established = match self.establish(&mut ledger).await {
                    Ok(Some(established)) => established,
                    Ok(None) => return Ok(false),
                    Err(NotEstablished::Lost(LedgerLost::Fenced)) if claims < CLAIMS => break,
                    Err(error) => return Err(failure(error)),
                };
                self.shared.events.send(Event::ShardClaimed {
                    shard: ledger.shard(),
                    generation: ledger.generation(),
                    identity: established.origin.word().to_owned(),
                    took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                });
                claims = 0;
                let session = Session::new(
                    self.shared.clone(),
                    lease.clone(),
                    ledger,
                    established,
                    count,
                );
                let assigned = self.assigned.clone();
                let session_began = Instant::now();
                let (back, ended, counted) = session
                    .run(&assigned, &mut self.incoming, &mut self.assigned)
                    .await;
                count = counted;
                began = Instant::now();
                match (ended, back) {
                    (Ended::Sealed, _) => return Ok(true),
                    (Ended::Unsealed, _) => return Ok(false),
                    (Ended::Failed(failure), _) => return Err(*failure),
                    (Ended::Fence(reason, stops), Some(mut again)) => {
                        count.fences += 1;
                        self.restarted(&again, reason);
                        short = if session_began.elapsed() < LASTING {
                            short + 1
                        } else {
                            0
                        };
                        self.rest(short).await;
                        let mut stop = self.shared.stop.clone();
                        let intended = tokio::select! {
                            intended = self.intend(&mut again, stops) => intended,
                            _ = stop.wait_for(|stop| *stop != Stop::No) => return Ok(false),
                        };
                        match intended {
                            Ok(()) => ledger = again,
                            Err(LedgerLost::Fenced) => break,
                            Err(lost) => return Err(lost.failure()),
                        }
                    }
                    (Ended::Lost(LedgerLost::Fenced) | Ended::Fence(..), _) => break,
                    (Ended::Lost(lost), _) => return Err(lost.failure()),
                }
            }
            // Somebody took our epoch and did not claim: read what stands there now, and claim again.
            sleep(PAUSE).await;
        }
    }

    async fn claim(&mut self, lease: Lease) -> Result<Option<Ledger>, LedgerLost> {
        let target = self.shared.target.clone();
        let mut reader = self.reader.clone();
        let claimed = async {
            let _ = reader.catch_up(&target).await?;
            Ledger::claim(&target, reader, &self.owner, &self.header, lease).await
        };
        tokio::select! {
            claimed = claimed => claimed.map(Some),
            () = self.given_up() => Ok(None),
        }
    }

    /// Records what a person decided, before anything comes of it.
    async fn decide(&mut self, ledger: &mut Ledger) -> Result<(), LedgerLost> {
        let decisions = self.decisions.clone();
        for decision in &decisions {
            if ways::still_holds(decision, ledger.state()) {
                ledger.append(decision.entries()).await?;
                steps::reached("decision-recorded");
                self.shared.events.send(decision.event());
            }
        }
        self.decisions.clear();
        Ok(())
    }

    /// `None`: the run was asked to end meanwhile.
    async fn establish(&self, ledger: &mut Ledger) -> Result<Option<Established>, NotEstablished> {
        let scope: Vec<_> = self
            .assigned
            .iter()
            .filter(|assignment| assignment.refused.is_none())
            .map(|assignment| assignment.name.clone())
            .collect();
        let shared = &self.shared;
        let established = async {
            loop {
                let tried = establish(
                    ledger,
                    &shared.source,
                    &shared.target,
                    &scope,
                    shared.patience,
                );
                match tried.await {
                    Err(NotEstablished::Cluster(error)) if error.is_passing() => {
                        let text = format!("no identity could be had yet: {error}");
                        shared.events.send(Event::Trouble { text });
                        sleep(PAUSE).await;
                        self.intend(ledger, Vec::new()).await?;
                    }
                    established => return established,
                }
            }
        };
        tokio::select! {
            established = established => established.map(Some),
            () = self.given_up() => Ok(None),
        }
    }

    /// A planned stop lets a start come to its end, so that it can be sealed; not for ever, and not when it has to be at once.
    async fn given_up(&self) {
        let mut stop = self.shared.stop.clone();
        if stop.wait_for(|stop| *stop != Stop::No).await.is_ok() {
            let now = stop.wait_for(|stop| *stop == Stop::Now);
            drop(tokio::time::timeout(START, now).await);
        }
    }

    /// In mid-run nobody touches the coordinator before the ledger has just taken a word from us: two engines would knock each other's
    /// fences over. An outage of the target is waited out.
    async fn intend(&self, ledger: &mut Ledger, stops: Vec<Entry>) -> Result<(), LedgerLost> {
        loop {
            match ledger.look().await {
                Err(LedgerLost::Read(LedgerError::Cluster { source, .. }))
                    if source.is_passing() =>
                {
                    let text = format!("the ledger cannot be read for the moment: {source}");
                    self.shared.events.send(Event::Trouble { text });
                    sleep(PAUSE).await;
                }
                looked => break looked?,
            }
        }
        let fences = ledger.state().standing(Standing::Open);
        let mut entries = stops;
        entries.push(Entry::Intent { fences });
        ledger.append(entries).await
    }

    /// Rests before another identity, longer each time: a target that refuses one after the other is not helped by haste.
    async fn rest(&self, in_a_row: u32) {
        let pause = Duration::from_millis(50 << in_a_row.min(7)).min(LONGEST_PAUSE);
        let mut stop = self.shared.stop.clone();
        tokio::select! {
            () = sleep(if in_a_row > 1 { pause } else { Duration::ZERO }) => {}
            _ = stop.wait_for(|stop| *stop != Stop::No) => {}
        }
    }

    fn restarted(&self, ledger: &Ledger, reason: String) {
        self.shared.events.send(Event::ShardRestarted {
            shard: ledger.shard(),
            reason,
        });
    }
}

fn failure(error: NotEstablished) -> Failure {
    match error {
        NotEstablished::Lost(lost) => lost.failure(),
        NotEstablished::Cluster(error) => error
            .failure()
            .cause("while looking for a producer id to write under"),
        NotEstablished::Collisions => Failure::new(
            Exit::Target,
            "K518",
            "every producer id that the target hands out is already in use on partitions in scope",
        )
        .hint("producers were moved between the clusters without being restarted: restart them"),
    }
}
