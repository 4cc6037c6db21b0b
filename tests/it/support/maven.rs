//! Jars of Apache Kafka, fetched once from Maven Central into the build directory.

use std::{fs, fs::File, path::PathBuf, process::Command};

use super::kafka::Version;

/// The directory that holds the jars of a broker of one version; fetches them if they are not there yet.
pub fn jars(version: Version) -> PathBuf {
    fetch(version.number(), include_str!("pom.xml"), version)
}

/// The same for its command-line tools.
pub fn tools(version: Version) -> PathBuf {
    let name = format!("tools-{}", version.number());
    fetch(&name, include_str!("tools.xml"), version)
}

/// The same for what a project file depends on, in a directory of this name.
pub fn fetch(name: &str, project: &str, version: Version) -> PathBuf {
    let kafka = super::build_directory().join("kafka");
    let home = kafka.join(name);
    let jars = home.join("jars");
    let done = home.join("complete");
    if done.exists() {
        return jars;
    }
    fs::create_dir_all(&home).expect("the build directory is writable");
    // Parallel test processes fetch once.
    let lock = File::create(kafka.join("lock")).expect("the build directory is writable");
    lock.lock().expect("file locks work in the build directory");
    if !done.exists() {
        fs::write(home.join("pom.xml"), project).expect("the build directory is writable");
        let output = Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies"])
            .arg("-f")
            .arg(home.join("pom.xml"))
            .arg(format!(
                "-Dmaven.repo.local={}",
                kafka.join("maven").display()
            ))
            .arg(format!("-Dkafka.version={}", version.number()))
            .arg(format!("-DoutputDirectory={}", jars.display()))
            .output()
            .unwrap_or_else(|error| {
                panic!("cannot run mvn ({error}): install maven and a Java 17 runtime")
            });
        assert!(
            output.status.success(),
            "mvn could not fetch Apache Kafka {}: {}{}",
            version.number(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        File::create(&done).expect("the build directory is writable");
    }
    jars
}
