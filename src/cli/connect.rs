//! Both clusters at once, and the one mistake that only both together show.

use std::{future::Future, time::Duration};

use crate::{
    cluster::{self, Source, Target},
    config::Settings,
    error::Failure,
    exit::Exit,
};

/// How long the other side may still take when one has failed, so that both failures can be told.
const GRACE: Duration = Duration::from_secs(2);

/// Connects to both sides, and makes sure that they are two.
pub async fn both(settings: &Settings) -> Result<(Source, Target), Failure> {
    let (source, target) = together(
        Source::connect(&settings.source),
        Target::connect(&settings.target),
        GRACE,
    )
    .await?;
    // Clusters without an id are told apart by nobody.
    if !source.id().is_empty() && source.id() == target.id() {
        return Err(Failure::new(
            Exit::Usage,
            "K022",
            format!(
                "source and target are the same cluster (id {}): its topics would be copied into themselves",
                source.id()
            ),
        )
        .hint("correct `source.bootstrap` or `target.bootstrap`")
        .next("kafka-migrate config"));
    }
    Ok((source, target))
}

/// Waits for both; if both fail, the second failure is told as a cause of the first.
async fn together<A, B>(
    source: impl Future<Output = cluster::Result<A>>,
    target: impl Future<Output = cluster::Result<B>>,
    grace: Duration,
) -> Result<(A, B), Failure> {
    let (mut source, mut target) = (std::pin::pin!(source), std::pin::pin!(target));
    let (source, target) = tokio::select! {
        source = &mut source => match source {
            Ok(source) => (Ok(source), Some(target.await)),
            Err(error) => (Err(error), tokio::time::timeout(grace, target).await.ok()),
        },
        target = &mut target => match target {
            Ok(target) => (source.await, Some(Ok(target))),
            Err(error) => match tokio::time::timeout(grace, source).await {
                Ok(source) => (source, Some(Err(error))),
                Err(_) => return Err(error.failure()),
            },
        },
    };
    match (source, target) {
        (Ok(source), Some(Ok(target))) => Ok((source, target)),
        (Ok(_), Some(Err(error))) => Err(error.failure()),
        (Err(error), Some(Err(second))) => {
            let second = second.failure();
            Err(error
                .failure()
                .cause(format!("and {}: {}", second.code, second.message)))
        }
        (Err(error), _) => Err(error.failure()),
        (Ok(_), None) => unreachable!("the target is waited for when the source has answered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::Side;

    fn gone(side: Side) -> cluster::Error {
        cluster::Error::NoBroker { side, broker: 3 }
    }

    #[tokio::test]
    async fn both_failures_are_told_and_the_source_comes_first() {
        let source = async { Err::<(), _>(gone(Side::Source)) };
        let target = async { Err::<(), _>(gone(Side::Target)) };
        let failure = together(source, target, GRACE).await.unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Source, "K126"));
        assert_eq!(
            failure.causes.last().map(String::as_str),
            Some("and K226: the target has lost broker 3")
        );
    }

    #[tokio::test]
    async fn a_failure_does_not_wait_for_a_silent_other_side() {
        let grace = Duration::from_millis(1);
        let target = async { Err::<(), _>(gone(Side::Target)) };
        let failure = together(std::future::pending::<cluster::Result<()>>(), target, grace)
            .await
            .unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Target, "K226"));
        let source = async { Err::<(), _>(gone(Side::Source)) };
        let failure = together(source, std::future::pending::<cluster::Result<()>>(), grace)
            .await
            .unwrap_err();
        assert_eq!(failure.exit, Exit::Source);
    }

    #[tokio::test]
    async fn one_side_alone_fails_with_its_own_code() {
        let ok = async || Ok::<_, cluster::Error>(1);
        let target = async { Err::<(), _>(gone(Side::Target)) };
        assert_eq!(
            together(ok(), target, GRACE).await.unwrap_err().exit,
            Exit::Target
        );
        let source = async { Err::<(), _>(gone(Side::Source)) };
        assert_eq!(
            together(source, ok(), GRACE).await.unwrap_err().exit,
            Exit::Source
        );
        assert_eq!(together(ok(), ok(), GRACE).await.unwrap(), (1, 1));
    }
}
