//! AWS in this process: Amazon MSK's control plane, Secrets Manager, CloudWatch, CloudWatch Logs and STS on one loopback port.
//!
//! Its contract is AWS's: what it takes and answers is held against AWS's published models (`models/`), what those leave open
//! against a list of our own (`limits.rs`). Nothing leaves this machine, and no replicator copies unless somebody [`Carries`].
#![allow(missing_docs, reason = "the names say it where no comment stands")]

#[cfg(feature = "rdkafka")]
pub mod carrier;
mod cbor;
pub mod clusters;
mod desk;
pub mod faults;
mod http;
mod limits;
mod logs;
mod metrics;
pub mod model;
mod protocol;
mod refusal;
pub mod replicator;
mod replicators;
#[cfg(feature = "aws")]
pub mod sdk;
mod secrets;
mod signature;
pub mod validate;
mod world;

use std::{
    process::Command,
    sync::{Arc, Mutex, MutexGuard, Weak},
    thread,
    time::Duration,
};

use serde_json::Value;

use clusters::Cluster;
use faults::{Fault, Which};
use http::{Reply, Request, Server};
use refusal::{Refusal, Trouble};
use replicator::{CreatedReplicator, Failure, Life};
use replicators::Turn;
use signature::Signed;
use world::World;

/// The account.
pub const ACCOUNT: &str = "123456789012";
/// The user of the access key.
pub const USER: &str = "migrator";
/// The region in which a test's clusters are. The others exist and are empty.
pub const REGION: &str = "us-east-1";
/// The access key that is accepted.
pub const ACCESS_KEY: &str = "AKIAEXAMPLEMIGRATOR1";
/// Its secret.
pub const SECRET_KEY: &str = "not/a/secret/of/anybody/0123456789abcdef";
/// A session token that has expired.
pub const EXPIRED: &str = "expired";

/// Whoever does a replicator's work: told when it starts to run, when what it copies is changed, and when it ends.
///
/// It is told before the call that made it so is answered, and may itself use the fake.
pub trait Carries: Send + Sync {
    fn begin(&self, replicator: &CreatedReplicator);

    /// Its topics, groups or logs are others now.
    fn change(&self, replicator: &CreatedReplicator) {
        self.end(&replicator.arn);
        self.begin(replicator);
    }

    fn end(&self, arn: &str);
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `kafka`, `secretsmanager`, `cloudwatch`, `logs`, `sts`.
    pub service: &'static str,
    pub operation: String,
    pub region: String,
    /// Under the names of the wire; what stands in path and query too.
    pub input: Value,
    /// The output, or the code of the refusal. A connection that was closed has the code `Cut`.
    pub answer: Result<Value, String>,
}

/// CloudWatch reports late: a minute counts as complete when it began so long ago.
const DELAY: i64 = 120_000;

/// Whoever reports numbers while the fake lives.
#[derive(Clone)]
pub struct Publisher(Weak<Shared>);

impl Publisher {
    /// What a metric says now, in the place of what it said before in the same minute. It is dated as the newest minute that counts
    /// as complete, for tests cannot wait until this one does.
    pub fn report(&self, metric: &str, dimensions: &[(&str, &str)], value: f64) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        let mut world = shared.world();
        let (region, desk) = world.at_home();
        let at = desk.now() - DELAY;
        region.metrics.replace(metric, dimensions, at, value);
    }
}

struct Shared {
    world: Mutex<World>,
    carrier: Mutex<Option<Arc<dyn Carries>>>,
    /// Held while the carrier is told, so that it is told in order.
    telling: Mutex<()>,
}

/// The fake. Dropping it ends it, and fails the test if an answer of its own did not fit AWS's model.
pub struct Aws {
    server: Server,
    shared: Arc<Shared>,
}

impl Aws {
    /// Starts one, with nothing in it.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new()),
            carrier: Mutex::new(None),
            telling: Mutex::new(()),
        });
        let serving = Arc::clone(&shared);
        Self {
            server: Server::start(move |request| serving.serve(&request)),
            shared,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// What a process needs to find the fake and to log in to it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // Nothing of the person's who runs the tests.
            ("AWS_CONFIG_FILE", "/nonexistent/config".to_owned()),
            (
                "AWS_SHARED_CREDENTIALS_FILE",
                "/nonexistent/credentials".to_owned(),
            ),
        ]
    }

    /// Gives a command that environment, and takes from it every other variable of AWS's.
    pub fn give_to(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment());
    }

    /// Lets the fake's clock go on.
    pub fn advance(&self, time: Duration) {
        let mut world = self.world();
        world.desk.advance(time);
        world.settle();
        drop(world);
        self.shared.tell();
    }

    /// What the fake's clock shows, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.world().desk.now()
    }

    /// Answers lists in pages of so many items.
    pub fn pages_of(&self, items: usize) {
        self.world().desk.page = items;
    }

    /// Adds a cluster; answers its ARN.
    pub fn add_cluster(&self, cluster: Cluster) -> String {
        let mut world = self.world();
        let (region, desk) = world.at_home();
        region.clusters.add(cluster, desk)
    }

    /// Changes a cluster.
    pub fn change_cluster(&self, arn: &str, change: impl FnOnce(&mut Cluster)) {
        let mut world = self.world();
        let cluster = world.at_home().0.clusters.get_mut(arn);
        change(cluster.unwrap_or_else(|| panic!("there is no cluster {arn}")));
    }

    /// How long replicators are in the states that pass.
    pub fn life(&self, life: Life) {
        self.world().at_home().0.replicators.life = life;
    }

    /// The next replicator of this name fails.
    pub fn will_fail(&self, name: &str, failure: Failure) {
        let mut world = self.world();
        let failures = &mut world.at_home().0.replicators.failures;
        failures.insert(name.to_owned(), failure);
    }

    /// The running replicator of this name fails now.
    pub fn fail(&self, name: &str, code: &str, message: &str) {
        let mut world = self.world();
        let (region, desk) = world.at_home();
        let now = desk.now();
        region.replicators.fail(name, code, message, now);
        drop(world);
        self.shared.tell();
    }

    /// DescribeReplicator gives external clusters back as they were sent.
    pub fn describes_all(&self) {
        self.world().at_home().0.replicators.describes_all = true;
    }

    /// Name, ARN and state of every replicator, without being a look at it.
    pub fn replicators(&self) -> Vec<(String, String, &'static str)> {
        self.world().at_home().0.replicators.states()
    }

    /// The replicator of this name.
    pub fn replicator(&self, name: &str) -> Option<CreatedReplicator> {
        self.world().at_home().0.replicators.created(name)
    }

    /// From now on this one does the replicators' work.
    pub fn carried_by(&self, carrier: Arc<dyn Carries>) {
        let mut place = self.shared.carrier.lock();
        *place.as_deref_mut().expect("nobody panics with this lock") = Some(carrier);
    }

    /// For whoever reports numbers from elsewhere.
    pub fn publisher(&self) -> Publisher {
        Publisher(Arc::downgrade(&self.shared))
    }

    /// Adds a log group.
    pub fn add_log_group(&self, name: &str) {
        let mut world = self.world();
        let (region, desk) = world.at_home();
        region.logs.add(name, desk.now());
    }

    /// Writes a line to a log group, now.
    pub fn log(&self, group: &str, stream: &str, message: &str) {
        let mut world = self.world();
        let (region, desk) = world.at_home();
        region.logs.write(group, stream, desk.now(), message);
    }

    /// Publishes a point of a metric, now.
    pub fn publish(&self, metric: &str, dimensions: &[(&str, &str)], value: f64) {
        self.publish_at(self.now(), metric, dimensions, value);
    }

    /// Publishes a point of a metric, at a time in milliseconds since 1970.
    pub fn publish_at(&self, at: i64, metric: &str, dimensions: &[(&str, &str)], value: f64) {
        let mut world = self.world();
        let metrics = &mut world.at_home().0.metrics;
        metrics.publish(metric, dimensions, at, value);
    }

    /// Forgets every point of a metric.
    pub fn forget(&self, metric: &str) {
        self.world().at_home().0.metrics.forget(metric);
    }

    /// GetMetricData says this of a metric (`InternalError`, `Forbidden`) and gives no point.
    pub fn metric_status(&self, metric: &str, status: &'static str) {
        let mut world = self.world();
        let statuses = &mut world.at_home().0.metrics.statuses;
        statuses.insert(metric.to_owned(), status);
    }

    /// These calls meet a fault. `operation`: `CreateReplicator`, `kafka.TagResource`, `kafka.*` or `*`.
    pub fn fault(&self, operation: &str, which: Which, fault: Fault) {
        self.fault_if(operation, which, |_| true, fault);
    }

    /// The same, for calls whose input fits.
    pub fn fault_if(
        &self,
        operation: &str,
        which: Which,
        when: impl Fn(&Value) -> bool + Send + 'static,
        fault: Fault,
    ) {
        self.world().script.add(operation, which, when, fault);
    }

    /// No call meets a fault any more.
    pub fn heal(&self) {
        self.world().script.clear();
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.world().record.clone()
    }

    /// Every request of an operation so far.
    pub fn requests_of(&self, operation: &str) -> Vec<Recorded> {
        let mut all = self.requests();
        all.retain(|one| one.operation == operation);
        all
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.world().record.clear();
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // It ends its work while there still is somebody to publish to.
        let carrier = self.shared.carrier.lock().map(|mut place| place.take());
        if let Ok(Some(carrier)) = carrier {
            for (_, arn, _) in self.replicators() {
                carrier.end(&arn);
            }
        }
        let wrong = std::mem::take(&mut self.world().wrong);
        if !thread::panicking() {
            assert!(
                wrong.is_empty(),
                "the fake answered what AWS's models do not have: {wrong:?}"
            );
        }
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics with this lock")
    }

    /// Tells the carrier what happened, with no lock held that it may need.
    fn tell(&self) {
        let in_order = self.telling.lock().expect("nobody panics with this lock");
        let turns = self.world().turns();
        let carrier = self
            .carrier
            .lock()
            .expect("nobody panics with this lock")
            .clone();
        if let Some(carrier) = carrier {
            for turn in turns {
                match turn {
                    Turn::Begins(replicator) => carrier.begin(&replicator),
                    Turn::Changes(replicator) => carrier.change(&replicator),
                    Turn::Ends(arn) => carrier.end(&arn),
                }
            }
        }
        drop(in_order);
    }

    fn serve(&self, request: &Request) -> Reply {
        let Some(signed) = Signed::read(request) else {
            return Reply::Answer(world::unsigned());
        };
        let Some(service) = model::signed_for(&signed.service) else {
            return Reply::Answer(world::no_service(&signed.service));
        };
        let refuse = |refusal: &Refusal| Reply::Answer(protocol::encode_refusal(service, refusal));
        let stranger = if signed.access_key != ACCESS_KEY {
            Some(Trouble::UnknownKey)
        } else if request.header("x-amz-security-token") == Some(EXPIRED) {
            Some(Trouble::ExpiredToken)
        } else if !signed.is_by(SECRET_KEY, request) {
            Some(Trouble::BadSignature)
        } else {
            None
        };
        let decoded = protocol::decode_request(service, request);
        if let Some(trouble) = stranger {
            let refusal = Refusal::trouble(service, &trouble);
            if let Ok((operation, input)) = decoded {
                let answer = Err(refusal.code.clone());
                self.world()
                    .note(service, &operation.name, &signed.region, input, answer);
            }
            return refuse(&refusal);
        }
        let (operation, input) = match decoded {
            Ok(decoded) => decoded,
            Err(refusal) => return refuse(&refusal),
        };
        let mut world = self.world();
        let fault = world.script.meet(service.name, &operation.name, &input);
        if let Some(Fault::Late(time)) = fault {
            drop(world);
            thread::sleep(time);
            world = self.world();
        }
        let refused = fault
            .as_ref()
            .and_then(|fault| fault.refusal(service, &operation.name));
        let undone = matches!(fault, Some(Fault::CutBefore | Fault::SilentBefore));
        let answer = match refused {
            Some(refusal) => Err(refusal),
            None if undone => Err(Refusal::of("Cut", "")),
            None => world.perform(service, operation, &signed.region, &input),
        };
        let noted = answer.clone().map_err(|refusal| refusal.code);
        world.note(service, &operation.name, &signed.region, input, noted);
        drop(world);
        self.tell();
        match fault {
            Some(Fault::CutBefore | Fault::CutAfter) => return Reply::Cut,
            Some(Fault::SilentBefore | Fault::SilentAfter) => return Reply::Silence,
            _ => {}
        }
        match answer {
            Ok(output) => Reply::Answer(protocol::encode_output(service, operation, &output)),
            Err(refusal) => refuse(&refusal),
        }
    }
}
