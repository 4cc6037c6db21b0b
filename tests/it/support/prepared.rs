//! What all brokers of one version begin with, made once in the build directory: the archive of their classes, and formatted storage.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use base64::Engine as _;

use super::{
    kafka::{Kafka, Version},
    load, maven,
};

/// The file that `kafka-storage format` writes beside who the broker is: features, and the logins it was given.
const BOOTSTRAP: &str = "bootstrap.checkpoint";

/// Classes of a running broker as the JVM keeps them when it ends: the next ones start with half of the work. An archive that another Java made is
/// not used by this one, and no harm.
pub fn classes(version: Version) -> PathBuf {
    made_once(version, "classes.jsa", |archive| {
        let broker = Kafka::spec("classes")
            .version(version)
            .archiving(archive)
            .start();
        // What a broker needs of its first clients.
        broker.create_topic("first", 1, &[]);
        load::write_transactions(&broker, "first", 2, 1);
        broker.stop(0);
    })
}

/// Storage for a broker, as `kafka-storage format` leaves it behind.
pub fn format(kafka: &Kafka, index: usize, cluster: &str, data: &Path) {
    let kind = if kafka.is_secure() { "secure" } else { "plain" };
    let bootstrap = made_once(kafka.version(), &format!("{kind}.checkpoint"), |file| {
        let scratch = super::scratch("format");
        kafka.run_format(scratch.path());
        let written = scratch.path().join("data").join(BOOTSTRAP);
        fs::copy(written, file).expect("the build directory is writable");
    });
    fs::create_dir(data).expect("the scratch directory is writable");
    fs::copy(bootstrap, data.join(BOOTSTRAP)).expect("the scratch directory is writable");
    let (node, directory) = (index + 1, fresh_id());
    let who =
        format!("version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory}\n");
    fs::write(data.join("meta.properties"), who).expect("the scratch directory is writable");
}

/// An id as Apache Kafka makes them: one that begins with a dash would be taken for an option.
pub fn fresh_id() -> String {
    std::iter::repeat_with(|| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4())
    })
    .find(|id| !id.starts_with('-'))
    .expect("the iterator has no end")
}

/// The file of that name for this version. Where it is not there, `make` writes it, in one process and thread only; if it writes none, it stays empty.
fn made_once(version: Version, name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let jars = maven::jars(version);
    let home = jars.parent().expect("they are in the version's directory");
    let file = home.join(name);
    if file.exists() {
        return file;
    }
    let lock = File::create(home.join(format!("{name}.lock"))).expect("it is writable");
    lock.lock().expect("file locks work in the build directory");
    if !file.exists() {
        let unfinished = home.join(format!("{name}.unfinished"));
        drop(fs::remove_file(&unfinished));
        make(&unfinished);
        if !unfinished.exists() {
            File::create(&unfinished).expect("the build directory is writable");
        }
        fs::rename(&unfinished, &file).expect("the build directory is writable");
    }
    file
}
