# The source: lints for the Windows target, and the tests of the library under Wine.

check_clippy() { /usr/bin/cargo-clippy clippy --workspace --all-targets --quiet -- -D warnings; }

# Tests that start a redis-server or a Python of their own need a Linux program, and run in tests/run. Wine appends to a
# file in two steps, so that many writers of one log overwrite one another there.
check_library_tests() {
    local skip=() name
    start_servers
    for name in redis::tests::{lost,outage,silence,unwilling} an_idle_consumer_sends a_paused_consumer_no_longer \
        refuses_a_server absurd_headers python_example many_writers_lose; do
        skip+=(--skip "$name")
    done
    cargo test --quiet --workspace --lib -- "${skip[@]}" --test-threads 4 >"$folder/lib" 2>&1 || { tail -n 60 "$folder/lib"; return 1; }
    grep 'test result: ok' "$folder/lib"
}
