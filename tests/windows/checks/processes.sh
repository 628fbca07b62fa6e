# Worker processes: their job object, their ends, and what is said of them.

# The job object: supervisor, workers and the programs of their tasks end together, also within limits.
check_killed_supervisor_leaves_no_orphan() {
    local port exe config sleeper id
    port=$(free_port)
    exe=$(program killed)
    sleeper=$(helper sleeper sleeper-of-killed)
    config=$(settings killed "$port" <<END
[[pools]]
name = "main"
workers = 2
limits = { memory = "2 GiB", processes = 20 }
[[handlers]]
kind = "it.sleep"
exec.command = ['$sleeper']
END
    )
    wine "$exe" --config "$config" up 2>"$folder/killed.log" </dev/null &
    local supervisor=$!
    until_true healthy "$port" || { tail "$folder/killed.log"; return 1; }
    id=$(enqueue "$exe" "$port" it.sleep '{}')
    until_true running sleeper-of-killed || { tail "$folder/killed.log"; return 1; }
    echo "before the kill: $(pgrep -fc 'killed[.]exe') processes; task $(state "$port" "$id")"
    kill -9 $supervisor
    until_true gone 'killed[.]exe'
    echo "after the kill: none is left"
}

# Real faults, and the code with which Rust ends when memory is short; one pool each, so that each dies once.
check_crashes_have_names() {
    local port exe config crash how all=yes
    port=$(free_port)
    exe=$(program crashing)
    crash=$(helper crash crash)
    config=$(for how in access stack memory other; do
        printf "[[pools]]\nname = \"%s\"\nworkers = 1\ncommand = ['%s', '%s']\nrestart.policy = \"none\"\n" \
            $how "$crash" $how
    done | settings crashing "$port")
    start crashing "$exe" --config "$config" up
    until_true healthy "$port" || { tail "$folder/crashing.log"; return 1; }
    crashes() { quietly wine "$exe" --url "http://127.0.0.1:$port" workers crashes >"$folder/crashes"; }
    # In which pool, of which type.
    typed() { crashes && grep -qE " $1 +$2 " "$folder/crashes"; }
    until_true typed access segfault && until_true typed stack stack_overflow &&
        until_true typed memory out_of_memory && until_true typed other exception || all=no
    cat "$folder/crashes"
    [ $all = yes ]
}

# What a supervisor does to its workers at a shutdown.
check_worker_finishes_when_its_input_closes() {
    local port exe config id worker status=0
    port=$(free_port)
    exe=$(program piped)
    config=$(settings piped "$port" </dev/null)
    start piped "$exe" --config "$config" dispatcher
    until_true healthy "$port" || { tail "$folder/piped.log"; return 1; }
    mkfifo "$folder/input"
    CLAWPOOL_WORKER_ID=019ab000-0000-7000-8000-000000000001 \
        wine "$(program piped-worker clawpool-worker)" --config "$config" <"$folder/input" 2>"$folder/worker.log" &
    worker=$!
    exec 5>"$folder/input"
    id=$(enqueue "$exe" "$port" $SLEEP '{"ms": 3000}')
    until_true is "$port" "$id" running || { tail "$folder/worker.log"; return 1; }
    exec 5>&-
    wait $worker || status=$?
    echo "the worker left with code $status; its task: $(state "$port" "$id")"
    grep -q draining "$folder/worker.log" && [ $status -eq 0 ] && is "$port" "$id" completed
}
