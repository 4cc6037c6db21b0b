//! What happens inside, on stderr, for a bug report.

use tracing_subscriber::EnvFilter;

/// Shows every event of this program's own code from now on.
pub fn log() {
    // Fails only if it was done before, and then it is done.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("kafka_migrate=debug"))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init()
        .ok();
}
