//! A plan done in the foreground: what it says is shown, a signal stops it before its next step, and a second one cuts it off.

use std::time::Duration;

use tokio::sync::watch;

use super::{
    Global, journal, refusal,
    replicate::accompany::{Feed, accompany},
};
use crate::{
    cluster::{Source, Target},
    config::Settings,
    engine::{Stop, StopSignal, Summary},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    run::{
        copies::{Beating, Copies},
        executor::Ended,
        journal::Journal,
        lock::RunnerLock,
        signals::Signals,
    },
    ui::{Follow, Screen},
};

/// A command that was told to stop at once is cut off after this; the journal knows how far it was.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Does the work to its end. Answers with how it ended, and with where more can be said.
pub async fn foreground<F>(
    name: &str,
    global: &Global,
    screen: &Screen,
    work: impl FnOnce(Events, StopSignal) -> F,
) -> Result<(Result<Exit, Failure>, Follow), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut signals = Signals::listen()?;
    let mut follow = screen.follow(name);
    let (events, feed) = Events::channel();
    let stop = StopSignal::default();
    let (started, _begun) = watch::channel(false);
    let feed = Feed {
        events: feed,
        complete: &|command| global.complete(command),
        started,
        told: &|_| (),
    };
    let work = work(events, stop.clone());
    let work = tokio::spawn(async move { Box::pin(work).await.map(|()| Summary::default()) });
    let next = async || signals.next().await;
    let ending = accompany(work, feed, &stop, next, CUT_OFF, &mut follow).await;
    follow.close();
    let exit = match ending.signals > 1 {
        true => Exit::Interrupted,
        false => Exit::Ok,
    };
    Ok((ending.result.map(|_| exit), follow))
}

/// The journal, open for this command, and its signs of life for as long as what is answered beside it is kept.
pub async fn open_journal(
    settings: &Settings,
    (source, target): (&Source, Option<&Target>),
    lock: &RunnerLock,
    command: &str,
    events: &Events,
) -> Result<(Journal<Copies<journal::Copy>>, Beating), Failure> {
    let opened = journal::open_at(settings, source, target, lock, command);
    let (mut journal, notes) = Box::pin(opened).await?;
    for text in notes {
        events.send(Event::Trouble { text });
    }
    let beating = journal.store().beat();
    Ok((journal, beating))
}

/// Is a plan to stop before its next step?
pub fn asked_to_stop(stop: &StopSignal) -> impl Fn() -> bool + Send + Sync + use<> {
    let listen = stop.listen();
    move || *listen.borrow() != Stop::No
}

/// How a plan ended, as a command ends.
pub fn conclude(ended: Ended) -> Result<(), Failure> {
    match ended {
        Ended::Done => Ok(()),
        Ended::Undone(failure) | Ended::Attention(failure) => Err(failure),
        Ended::Stopped(before) => Err(refusal::stopped_before(&before)),
    }
}
