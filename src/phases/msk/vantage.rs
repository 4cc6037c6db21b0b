//! What is seen from inside the replicators' network: looked at there, written to a file, and believed elsewhere for a day.

use std::{fs, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::sight::as_replicators;
use crate::{
    aws::place,
    clock,
    cluster::{Cluster, Source, Target},
    error::Failure,
    exit::Exit,
    model::{connection::Connection, msk::Msk, numbers},
    observe::{Known, Vantage},
};

const VERSION: u32 = 1;
/// For so long what was seen is believed.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// What was seen, as it lies in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    v: u32,
    migration: String,
    cluster_arn: String,
    at_ms: i64,
    subnet: String,
    /// Brokers that answered.
    pub reached: Vec<String>,
    /// What did not, and why.
    pub trouble: Vec<String>,
}

/// Looks from here, which has to be in one of the subnets.
pub async fn look_from_here(
    msk: &Msk,
    migration: &str,
    target: &Connection,
) -> Result<Written, Failure> {
    let here = place::subnets().await?;
    let Some(subnet) = here.iter().find(|subnet| msk.subnets.contains(subnet)) else {
        return Err(Failure::new(
            Exit::NotReady,
            "K331",
            format!(
                "this machine is in {}, which is none of the replicators'",
                here.join(", ")
            ),
        )
        .hint(format!("run this in {}", msk.subnets.join(" or "))));
    };
    let mut written = Written {
        v: VERSION,
        migration: migration.to_owned(),
        cluster_arn: msk.cluster.to_string(),
        at_ms: clock::unix_millis(),
        subnet: subnet.clone(),
        reached: Vec::new(),
        trouble: Vec::new(),
    };
    let external = as_replicators(msk);
    let (source, target) = tokio::join!(Source::connect(&external), Target::connect(target));
    match source {
        Ok(source) => written.note("external", &source).await,
        Err(error) => written
            .trouble
            .push(format!("external: {}", told(&error.failure()))),
    }
    match target {
        Ok(target) => written.note("MSK", &target).await,
        Err(error) => written
            .trouble
            .push(format!("MSK: {}", told(&error.failure()))),
    }
    Ok(written)
}

impl Written {
    async fn note(&mut self, side: &str, cluster: &Cluster) {
        for one in cluster.reach().await {
            let address = format!("{side} {}", one.address);
            match one.outcome {
                Ok(_) => self.reached.push(address),
                Err(error) => self
                    .trouble
                    .push(format!("{address}: {}", told(&error.failure()))),
            }
        }
    }

    /// Saves it.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).expect("it has string keys");
        fs::write(path, text).map_err(|error| {
            let what = format!("{} cannot be written", path.display());
            Failure::new(Exit::Usage, "K332", what).because(&error)
        })
    }
}

fn told(failure: &Failure) -> String {
    match failure.causes.first() {
        Some(cause) => format!("{} ({cause})", failure.message),
        None => failure.message.clone(),
    }
}

/// What such a file says; one that is of something else is refused, and one that is too old says nothing any more.
pub fn read(path: &Path, msk: &Msk, migration: &str) -> Result<Known<Vantage>, Failure> {
    let unusable = |why: String| {
        let what = format!("{} is no evidence that can be taken", path.display());
        Failure::new(Exit::Usage, "K333", what)
            .cause(why)
            .hint("`kafka-migrate preflight --from-here --out FILE`, run in one of the subnets, writes it")
    };
    let size = fs::metadata(path)
        .map_err(|error| unusable(error.to_string()))?
        .len();
    if size > LARGEST {
        return Err(unusable("it is larger than 1 MiB".into()));
    }
    let text = fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let written: Written =
        serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    if written.v != VERSION {
        return Err(unusable(format!("it is of version {}", written.v)));
    }
    if written.migration != migration || written.cluster_arn != msk.cluster.to_string() {
        return Err(unusable(format!(
            "it is of migration {} and {}",
            written.migration, written.cluster_arn
        )));
    }
    if !msk.subnets.contains(&written.subnet) {
        return Err(unusable(format!(
            "{} is none of `msk.subnets`",
            written.subnet
        )));
    }
    let age_ms = u64::try_from(clock::unix_millis() - written.at_ms).unwrap_or(0);
    let age = Duration::from_millis(age_ms);
    if age > DAY {
        return Ok(Known::unknown(format!(
            "what was seen in {} is {} old, and is believed for a day",
            written.subnet,
            numbers::time(age)
        )));
    }
    Ok(Known::seen(Vantage {
        subnet: written.subnet,
        age_ms,
        trouble: written.trouble,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msk::sample;

    #[test]
    fn evidence_is_believed_for_a_day_and_of_this_migration_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("vantage.json");
        let msk = sample::msk();
        let written = Written {
            v: VERSION,
            migration: "orders".into(),
            cluster_arn: msk.cluster.to_string(),
            at_ms: clock::unix_millis() - 60_000,
            subnet: "subnet-2".into(),
            reached: vec!["MSK b-1:9098".into()],
            trouble: vec!["external kafka1:9096: it timed out".into()],
        };
        let read_of = |change: fn(&mut Written)| {
            let mut written = written.clone();
            change(&mut written);
            written.save(&path).expect("it is saved");
            read(&path, &msk, "orders")
        };
        let Ok(Known::Seen { value, .. }) = read_of(|_| ()) else {
            panic!("it is young, and of this migration");
        };
        assert_eq!((&*value.subnet, value.trouble.len()), ("subnet-2", 1));
        let old = read_of(|written| written.at_ms -= 86_400_000).expect("it is readable");
        assert!(old.value().is_err(), "{old:?}");
        for change in [
            (|written| written.migration = "payments".into()) as fn(&mut Written),
            |written| written.cluster_arn = "arn:other".into(),
            |written| written.subnet = "subnet-9".into(),
            |written| written.v = 2,
        ] {
            let failure = read_of(change).expect_err("it is not of this");
            assert_eq!((failure.exit, failure.code), (Exit::Usage, "K333"));
        }
        fs::write(&path, "{").expect("it is written");
        assert!(read(&path, &msk, "orders").is_err());
    }
}
