//! What is there of it already: the secrets and the replicators of this migration, beside what they are asked for now.

use std::{collections::BTreeMap, path::PathBuf};

use super::keep::{Kept, Text, kept};
use crate::{
    aws::{Clients, clusters, failure::is_of_rights, replicators},
    error::Failure,
    exit::Exit,
    model::{msk::Msk, patterns::Patterns},
    msk::{
        self, Described, Difference, Direction, Documents, KafkaCluster, Lifecycle, Place, Request,
        Standing, broken, differences, lists,
    },
};

/// What the migration file asks for besides `[msk]`.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The migration's name.
    pub migration: String,
    /// The migration's id, by its journal; empty before there is one.
    pub id: String,
    /// What was sent of both clusters when a replicator was made, by the journal.
    pub sent: BTreeMap<Direction, Vec<KafkaCluster>>,
    /// Id of the external cluster.
    pub source: String,
    /// Kafka's id of the cluster of MSK.
    pub target: String,
    /// Topics to take.
    pub topics: Patterns,
    /// Topics to leave out.
    pub exclude_topics: Patterns,
    /// Groups to take.
    pub groups: Patterns,
    /// Groups to leave out.
    pub exclude_groups: Patterns,
    /// From the first record there is, or from now.
    pub from_earliest: bool,
    /// Settings of topics go along.
    pub copy_configs: bool,
    /// Access rules of topics go along.
    pub copy_acls: bool,
    /// Directions that are asked for.
    pub directions: Vec<Direction>,
    /// Where templates of the user's own lie.
    pub templates: Option<PathBuf>,
}

/// What is there, and what it should be.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the migration file asks for.
    pub wanted: Wanted,
    /// What the replicators are asked for, as documents.
    pub documents: Documents,
    /// What those were rendered from.
    pub place: Place,
    /// The secrets, in the order in which they are made.
    pub secrets: Vec<Kept>,
    /// The replicators that are there.
    pub replicators: BTreeMap<Direction, Described>,
}

/// Looks. What cannot be made so is refused here, before anything is made.
pub async fn look(clients: &Clients, msk: &Msk, wanted: Wanted) -> Result<Seen, Failure> {
    let place = place(msk, &wanted)?;
    cluster_is_there(clients, msk).await?;
    let secrets = kept(clients, msk, &wanted.migration, &wanted.id).await?;
    let found = |text| {
        let one = secrets.iter().find(|one: &&Kept| one.text == text)?;
        one.arn.clone()
    };
    let standing = Standing::of(
        msk,
        found(Text::Login).or_else(|| Some(Standing::expected(&wanted.migration, msk).login)),
        found(Text::Certificates)
            .or_else(|| Standing::expected(&wanted.migration, msk).certificates),
    );
    let place = Place {
        secrets: standing,
        ..place
    };
    let documents = Documents::render(msk, &place, wanted.templates.as_deref())?;
    refuse_broken(&documents, &wanted.directions)?;
    let mut replicators = BTreeMap::new();
    for &direction in &wanted.directions {
        let name = &documents.request(direction).replicator_name;
        let Some(arn) = replicators::find(clients, name).await? else {
            continue;
        };
        let Some(described) = replicators::describe(clients, &arn).await? else {
            continue;
        };
        refuse_foreign(&described, &wanted)?;
        replicators.insert(direction, described);
    }
    let seen = Seen {
        wanted,
        documents,
        place,
        secrets,
        replicators,
    };
    for &direction in &seen.wanted.directions {
        refuse_unchangeable(&seen, direction)?;
    }
    Ok(seen)
}

/// In another region there is no such cluster, and a secret that is made there is of no use. Whether we may look is no matter here.
async fn cluster_is_there(clients: &Clients, msk: &Msk) -> Result<(), Failure> {
    match clusters::describe(clients, &msk.cluster.to_string()).await {
        Err(failure) if !is_of_rights(&failure) => Err(failure),
        _ => Ok(()),
    }
}

impl Seen {
    /// What the replicator of that direction has otherwise than it is asked for.
    pub fn differences(&self, direction: Direction) -> Vec<Difference> {
        match self.replicators.get(&direction) {
            Some(described) => {
                let request = self.documents.request(direction);
                self.wanted.differences(direction, described, request)
            }
            None => Vec::new(),
        }
    }
}

impl Wanted {
    /// What a replicator has otherwise than it is asked for: by what the service shows, and by what was sent.
    pub(super) fn differences(
        &self,
        direction: Direction,
        is: &Described,
        request: &Request,
    ) -> Vec<Difference> {
        let mut found = differences(is, request);
        if let Some(sent) = self.sent.get(&direction) {
            found.extend(msk::resent(sent, &request.kafka_clusters));
        }
        found
    }
}

/// What the documents need besides, before any secret is there.
pub(super) fn place(msk: &Msk, wanted: &Wanted) -> Result<Place, Failure> {
    let lists = lists(
        &wanted.topics,
        &wanted.exclude_topics,
        &wanted.groups,
        &wanted.exclude_groups,
    );
    let lists = lists.map_err(|bad| {
        let failure = Failure::new(
            Exit::Usage,
            "K326",
            "the scope cannot be written as MSK Replicator takes it",
        );
        bad.iter()
            .fold(failure, |failure, one| {
                failure.cause(format!("{}: {}", one.glob, one.why))
            })
            .hint("it takes at most 100 regular expressions in a list")
    })?;
    Ok(Place {
        migration: wanted.migration.clone(),
        id: wanted.id.clone(),
        source_cluster_id: wanted.source.clone(),
        from_earliest: wanted.from_earliest,
        copy_configs: wanted.copy_configs,
        copy_acls: wanted.copy_acls,
        lists,
        secrets: Standing::expected(&wanted.migration, msk),
    })
}

fn refuse_broken(documents: &Documents, directions: &[Direction]) -> Result<(), Failure> {
    let mut found = Vec::new();
    for &direction in directions {
        for one in broken(documents.request(direction), direction) {
            found.push(format!("{direction}: {}: {}", one.place, one.why));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::Usage,
        "K325",
        "AWS would refuse the replicators that are asked for",
    );
    let failure = found.into_iter().fold(failure, Failure::cause);
    let failure = failure.hint("nothing was sent; AWS says no only after half an hour, if at all");
    Err(match documents.own.is_empty() {
        true => failure.next("kafka-migrate config"),
        false => failure.hint(format!("your own templates: {}", documents.own.join(", "))),
    })
}

/// A replicator of that name that we did not make is not touched.
pub(super) fn refuse_foreign(described: &Described, wanted: &Wanted) -> Result<(), Failure> {
    let whose = match msk::is_ours(&described.tags, &wanted.migration, &wanted.id) {
        Some(true) => return Ok(()),
        Some(false) if msk::names(&described.tags, &wanted.migration) => {
            "its tags name a migration of this name with another journal: another team's, or this one's that was lost"
        }
        Some(false) => "it belongs to another migration, by its tags",
        None => "it has no tag that says that kafka-migrate made it",
    };
    Err(Failure::new(
        Exit::Refused,
        "K321",
        format!("there is a replicator called {} already", described.name),
    )
    .cause(format!("{whose}: {}", described.arn))
    .hint("give ours other names: `msk.names.forward`, `msk.names.reverse`")
    .hint("or remove that one, if nobody needs it")
    .next(format!(
        "aws kafka describe-replicator --replicator-arn {}",
        described.arn
    )))
}

/// What no update can change is not quietly left as it is.
fn refuse_unchangeable(seen: &Seen, direction: Direction) -> Result<(), Failure> {
    let Some(described) = seen.replicators.get(&direction) else {
        return Ok(());
    };
    // One that failed is made anew anyhow.
    if described.lifecycle == Lifecycle::Failed {
        return Ok(());
    }
    let differ = seen.differences(direction);
    let fixed: Vec<&Difference> = differ.iter().filter(|one| !one.can_be_changed).collect();
    if fixed.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::Attention,
        "K323",
        format!(
            "the replicator {} was made otherwise, and AWS cannot change that",
            described.name
        ),
    );
    let failure = fixed.iter().fold(failure, |failure, one| {
        failure.cause(format!(
            "{}: it has {}, asked for is {}",
            one.what, one.is, one.wanted
        ))
    });
    Err(failure
        .hint("put the migration file back as it was, or remove the replicator and make it anew")
        .hint("a new one starts where `replication.start` says: records may be copied twice")
        .next(removal(described)))
}

/// The command that removes a replicator.
pub fn removal(described: &Described) -> String {
    format!(
        "aws kafka delete-replicator --replicator-arn {} --current-version {}",
        described.arn, described.version
    )
}
