# Every recipe is also a plain command; `just` only remembers it.

# What CI runs: formatting, lints, every test, on servers of its own.
test *args:
    tests/run {{args}}

# Two thousand tasks, crashes included, and a ledger that must balance.
demo:
    cargo run --profile demo -- demo

# The embedded profile on 127.0.0.1:7070.
up *args:
    cargo run --release -- up {{args}}

# Redis and RabbitMQ for single tests: prints what to export, stays until Ctrl-C.
servers:
    tests/run --servers-only

# Faults injected into running pools, against an outside ledger: `just campaign --seed 2`, `just campaign --soak 20m`.
campaign *args:
    tests/campaign/run {{args}}

# Every decoder at a door: `just fuzz 600`.
fuzz *args:
    tests/fuzz/run {{args}}

# The Windows programs, under Wine (Debian; installs what it needs).
windows *checks:
    tests/windows/run {{checks}}

# docker-compose.yml on an engine of its own (Debian, root; installs what it needs).
compose *checks:
    tests/compose/run {{checks}}

# Archives for Linux and Windows with checksums, manual pages, completions and the default configuration.
release:
    release/build
    release/try

lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Licences, bans and sources of every dependency (needs cargo-deny).
deny:
    cargo deny check bans licenses sources

# Measures: `just load drain`, `just load --quick`.
load *args:
    cargo run --release -p clawpool-load -- {{args}}

# What a task costs without any broker: the codec, the classification, the arbiter.
bench *args:
    cargo bench --bench task_path -- {{args}}
