//! The ZooKeeper that brokers before KRaft need: one process on loopback, killed with its cluster.

use std::{
    fs::{self, File},
    process::Child,
};

use super::{kafka::Kafka, leash::Leash, ports::Port};

/// One server; dropping it kills it.
pub struct Zookeeper {
    port: Port,
    child: Child,
    // After the child: it is released when the child is gone.
    _leash: Leash,
}

impl Zookeeper {
    /// Starts one in the directory of this cluster, with its jars. Brokers wait for it by themselves.
    pub fn start(kafka: &Kafka) -> Self {
        let home = kafka.home().join("zookeeper");
        fs::create_dir(&home).expect("the scratch directory is writable");
        let port = Port::take();
        let settings = home.join("zookeeper.properties");
        let text = format!(
            "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n",
            home.join("data").display(),
            port.number()
        );
        fs::write(&settings, text).expect("the scratch directory is writable");
        let log = File::create(home.join("zookeeper.log")).expect("the directory is writable");
        let child = kafka
            .java("-Xmx96m")
            .arg("org.apache.zookeeper.server.ZooKeeperServerMain")
            .arg(&settings)
            .stdout(log.try_clone().expect("files can be cloned"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run java ({error}): install a Java 17 runtime"));
        let leash = Leash::on_process(child.id());
        Self {
            port,
            child,
            _leash: leash,
        }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }
}

impl Drop for Zookeeper {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
