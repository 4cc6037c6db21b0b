//! One running cluster: its state behind a lock, its brokers' listeners, and the handle that tests and the demo hold.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

use super::{
    broker,
    faults::Faults,
    held::Held,
    plan::ClusterPlan,
    state::{Broker, Listener, State},
};

/// How often what is due is done: markers, timeouts, rebalances.
const TICK: Duration = Duration::from_millis(5);

/// A running cluster. Clones are the same cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    listener: Listener,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    faults: Faults,
    held: Mutex<Vec<Held>>,
    running: Mutex<Running>,
}

/// Tasks to end.
#[derive(Debug, Default)]
struct Running {
    ticker: Option<AbortHandle>,
    brokers: BTreeMap<i32, broker::Tasks>,
}

impl Cluster {
    pub(super) async fn start(plan: ClusterPlan, seed: u64) -> io::Result<Self> {
        if plan.address != IpAddr::V4(Ipv4Addr::LOCALHOST) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the simulation listens on 127.0.0.1 only, not on {}",
                    plan.address
                ),
            ));
        }
        let mut state = State::new(format!("simulated-{}", plan.name), plan.release, seed);
        state.settings = plan.settings;
        state.schedule_expiry();
        state.acls.enforced = plan.authorizer;
        state.acls.super_users = plan.super_users;
        for user in &plan.users {
            let salt = state.random.next().to_be_bytes();
            state.users.add(&user.name, &user.password, &salt);
        }
        state.settings_changed();
        let listener = if plan.users.is_empty() {
            Listener::Open
        } else {
            Listener::Login
        };
        let mut sockets = Vec::new();
        for at in 0..plan.brokers {
            let port = plan.ports.get(usize::from(at)).copied().unwrap_or(0);
            let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            let id = i32::from(at) + 1;
            let broker = Broker {
                port: socket.local_addr()?.port(),
                alive: true,
                sessions: Default::default(),
            };
            state.brokers.insert(id, broker);
            sockets.push((id, socket));
        }
        let cluster = Self {
            inner: Arc::new(Inner {
                name: plan.name,
                listener,
                state: Mutex::new(state),
                changes: watch::Sender::new(0),
                faults: Faults::new(seed),
                held: Mutex::default(),
                running: Mutex::default(),
            }),
        };
        for (id, socket) in sockets {
            cluster.serve(id, socket);
        }
        let ticker = tokio::spawn(cluster.clone().tick()).abort_handle();
        cluster.running().ticker = Some(ticker);
        Ok(cluster)
    }

    fn serve(&self, id: i32, socket: TcpListener) {
        let tasks = broker::Tasks::default();
        broker::listen(self.clone(), id, socket, &tasks);
        self.running().brokers.insert(id, tasks);
    }

    /// Does what is due, until the cluster is stopped.
    async fn tick(self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.with(State::due);
        }
    }

    /// Looks at the state, or changes it. Whoever waits looks again if something changed. Never held over an await.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let answer = look(&mut state);
        if std::mem::take(&mut state.dirty) {
            drop(state);
            self.inner.changes.send_modify(|changes| *changes += 1);
        }
        answer
    }

    /// Tells of every change from now on: `changed().await` ends at the next.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// How the listeners ask for a login.
    pub(super) fn listener(&self) -> Listener {
        self.inner.listener
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        let running = self.inner.running.lock();
        running.unwrap_or_else(PoisonError::into_inner)
    }

    /// What the plan calls it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// `host:port` of each broker, with commas, as clients are configured.
    pub fn bootstrap(&self) -> String {
        let state = self.state();
        let each = state.brokers.values();
        let each: Vec<String> = each.map(|one| format!("127.0.0.1:{}", one.port)).collect();
        each.join(",")
    }

    /// What goes wrong, and when.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Creates a topic with replicas on as many brokers as `factor` says. False if there is one, or nothing to make.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: usize,
        factor: usize,
        settings: &[(&str, &str)],
    ) -> bool {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = settings.collect();
        self.with(|state| {
            let able = partitions > 0 && factor > 0 && !state.topics.contains_key(name);
            if able {
                let replicas = state.spread(0, partitions, factor);
                state.create_topic(name, &replicas, settings);
            }
            able
        })
    }

    /// The batches of a partition as they are stored, also those above the high watermark; for checks that ask no broker.
    pub fn stored(&self, topic: &str, partition: i32) -> Vec<Bytes> {
        let state = self.state();
        let found = state.partition(topic, partition);
        let batches = found.map_or(&[][..], |found| found.log.batches());
        batches.iter().map(|batch| batch.bytes.clone()).collect()
    }

    /// Ends everything. Connections are cut.
    pub(super) fn stop(&self) {
        let running = std::mem::take(&mut *self.running());
        for (_, tasks) in running.brokers {
            tasks.abort();
        }
        if let Some(ticker) = running.ticker {
            ticker.abort();
        }
    }

    /// Kills a broker: its port closes, its connections are cut, its partitions move to another replica if there is one.
    ///
    /// `keep_memory` leaves it what it knew, as if it had only been cut off; else it comes back with what a snapshot holds (S7, D5).
    pub fn kill(&self, broker: i32, keep_memory: bool) {
        let tasks = self.running().brokers.remove(&broker);
        self.with(|state| state.broker_stopped(broker, keep_memory));
        if let Some(tasks) = tasks {
            tasks.abort();
        }
    }

    /// Starts a killed broker again, on its old port.
    pub async fn start_again(&self, broker: i32) -> io::Result<()> {
        let port = self.with(|state| state.brokers.get(&broker).map(|one| one.port));
        let port = port.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if self.with(|state| state.is_alive(broker)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut tries = 0;
        let socket = loop {
            match TcpListener::bind(address).await {
                // A listener that was just killed may not be closed yet.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 200 => {
                    tries += 1;
                    tokio::time::sleep(TICK).await;
                }
                bound => break bound?,
            }
        };
        self.with(|state| state.broker_started(broker));
        self.serve(broker, socket);
        Ok(())
    }

    /// Makes another replica lead a partition, one epoch later. Nothing happens if it holds no replica in sync.
    pub fn move_leader(&self, topic: &str, partition: i32, broker: i32) {
        self.with(|state| {
            let alive = state.is_alive(broker);
            if let Some(found) = state.partition_mut(topic, partition)
                && alive
                && found.isr.contains(&broker)
            {
                found.lead(broker);
            }
            state.touch();
        });
    }

    /// Loses what a partition holds from this offset on, acknowledged or not, as an unclean election does; one leader epoch later.
    pub fn lose_acknowledged(&self, topic: &str, partition: i32, to_offset: i64) {
        self.with(|state| {
            if let Some(found) = state.partition_mut(topic, partition) {
                found.lose(to_offset);
            }
            state.touch();
        });
    }

    /// Holds a partition's high watermark where it is, as followers that stopped fetching do; or lets it go on.
    pub fn hold_replication(&self, topic: &str, partition: i32, held: bool) {
        self.with(|state| {
            if let Some(found) = state.partition_mut(topic, partition) {
                found.log.hold(held);
            }
            state.touch();
        });
    }

    /// Takes a replica out of a partition's replicas in sync, or back in. The leader stays in.
    pub fn set_in_sync(&self, topic: &str, partition: i32, broker: i32, in_sync: bool) {
        self.with(|state| {
            if let Some(found) = state.partition_mut(topic, partition) {
                found.set_in_sync(broker, in_sync);
            }
            state.touch();
        });
    }

    /// Holds markers of ended transactions back, or lets them be written.
    pub fn hold_markers(&self, held: bool) {
        self.with(|state| state.transactions.held = held);
    }

    /// Has every broker forget producers whose last batch is too old, as it happens every ten minutes (S6).
    pub fn expire_producers(&self) {
        self.with(State::expire_producers);
    }

    /// Runs the log cleaner over a topic, over all of it but the last batch.
    pub fn compact(&self, topic: &str) {
        self.with(|state| state.compact(topic));
    }

    pub(super) fn hold(&self, request: Held) {
        self.held_now().push(request);
    }

    fn held_now(&self) -> MutexGuard<'_, Vec<Held>> {
        let held = self.inner.held.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests are under way that rules held (`Action::Hold`).
    pub fn held(&self) -> usize {
        self.held_now().len()
    }

    /// Lets every request take effect that is held, in the order in which they came.
    pub async fn deliver(&self) {
        let held = std::mem::take(&mut *self.held_now());
        for request in held {
            request.arrive(self).await;
        }
    }

    /// Makes the cluster's clock later.
    pub fn advance_clock(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.with(|state| state.advance_clock(by));
    }

    /// The cluster's clock in milliseconds since 1970.
    pub fn clock(&self) -> i64 {
        self.state().now_ms()
    }
}
