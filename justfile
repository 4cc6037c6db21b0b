# Short names for the usual commands; `just` lists them.

default:
    @just --list --unsorted

# Everything that needs no broker: formatting, lints, documentation, unit tests.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
    cargo test --locked --lib
    cargo test --locked --test it -- layers documents hostile

# Every test, with real Kafka clusters.
test:
    cargo test --locked

# Everything a change has to pass, as CI runs it.
ci:
    .ci/run

fmt:
    cargo fmt

# Write the generated parts of the documents anew: the tree and the import table.
rewrite:
    KAFKA_MIGRATE_REWRITE=tree cargo test --locked --test it layers

# Fill the README's screen from a real run of the demo.
screen:
    KAFKA_MIGRATE_REWRITE=screen cargo test --locked --test it documents

# The longer mode of the kill test.
kills count="300":
    KAFKA_MIGRATE_KILLS={{count}} cargo test --locked --test it kills -- --nocapture

# The crash suite between simulated clusters, seed after seed, until it is stopped or one fails.
soak:
    KAFKA_MIGRATE_CRASH_SECONDS=31536000 cargo test --locked --test it killed_anywhere -- --nocapture

# Ten bugs, planted one by one into the engine: the crash suite has to find each. `just planted 04 07` tries these alone.
planted *bugs:
    scripts/planted {{bugs}}

# Licences, advisories, banned crates; needs cargo-deny.
deny:
    cargo deny --locked check
