# `clawpool.exe` on one SQLite file.

# Several times: what fails one time in three is not reliable.
check_demo() {
    local exe time
    exe=$(program demo)
    for time in 1 2 3; do
        quietly wine "$exe" demo >"$folder/demo.txt" || { tail -n 30 "$folder/demo.txt"; return 1; }
        cat "$folder/output"
    done
}

pool_size() { quietly wine "$1" --url "http://127.0.0.1:$2" autoscaler status | awk '$1 == "main" { print $2; exit }'; }
has_size() { [ "$(pool_size "$1" "$2")" = "$3" ]; }

# A pool grows with its load and shrinks when it is gone; what an operator asks has answers meanwhile.
check_up_with_pools() {
    local port exe config url id
    port=$(free_port)
    exe=$(program pools)
    config=$(settings pools "$port" <<'END'
[[pools]]
name = "main"
min = 1
max = 4
slots = 3
reserved = 1
[autoscale]
every = "1s"
policies = []
forecast = { mode = "off" }
target = { drain = "5s", settle = "5s", cooldown_out = "1s", cooldown_in = "1s" }
END
    )
    start pools "$exe" --config "$config" up
    until_true healthy "$port" || { tail "$folder/pools.log"; return 1; }
    until_true has_size "$exe" "$port" 1
    url="http://127.0.0.1:$port"
    enqueue_many "$port" 150 '{"kind": "clawpool.sleep", "payload": {"ms": 500}}' >"$folder/ids"
    until_true has_size "$exe" "$port" 4 || { quietly wine "$exe" --url "$url" autoscaler status; return 1; }
    echo "grown to 4"
    quietly wine "$exe" --url "$url" autoscaler status
    quietly wine "$exe" --url "$url" queues
    quietly wine "$exe" --url "$url" workers list
    until_true has_size "$exe" "$port" 1 || { quietly wine "$exe" --url "$url" autoscaler status; return 1; }
    echo "shrunk to 1"
    quietly wine "$exe" --url "$url" autoscaler history --limit 50 | tee "$folder/history"
    if grep -E ' ([5-9]|[0-9]{2,}) ->|-> ([5-9]|[0-9]{2,}) ' "$folder/history"; then
        echo "counted more than 4" && return 1
    fi
    while read -r id; do until_true is "$port" "$id" completed; done <"$folder/ids"
    echo "$(wc -l <"$folder/ids") tasks completed"
}

# Every other command at least answers.
check_commands() {
    local port exe config url id
    port=$(free_port)
    exe=$(program commands)
    config=$(settings commands "$port" </dev/null)
    url="http://127.0.0.1:$port"
    quietly wine "$exe" --config "$config" config check
    quietly wine "$exe" --config "$config" config dump | head -n 3
    start commands "$exe" --config "$config" up --workers 1
    until_true healthy "$port" || { tail "$folder/commands.log"; return 1; }
    ask() { echo "> $1 ${*:2}" && quietly wine "$exe" --url "$url" "$@" | head -n 6; }
    ask health
    id=$(enqueue "$exe" "$port" clawpool.noop '{}')
    until_true is "$port" "$id" completed
    ask tasks show "$id"
    ask tasks list
    id=$(enqueue "$exe" "$port" no.such.kind '{}' --ttl 1s)
    until_true is "$port" "$id" dead
    ask dead list
    ask dead requeue "$id"
    ask workers list
    ask workers crashes
    ask tasks cancel "$id" || true
    ask autoscaler pause
    ask enqueue clawpool.noop '{}' --delay 1h
    ask explain CP-1201
    quietly wine "$exe" completions powershell >"$folder/completions" && wc -l <"$folder/completions"
    quietly wine "$exe" man "$(windows_path "$folder/man")"
    find "$folder/man" -name '*.1' | wc -l
}

check_bad_input() {
    local port exe config
    port=$(free_port)
    exe=$(program bad)
    config=$(settings bad "$port" </dev/null)
    python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
    pids+=($!)
    until_true curl --silent "http://127.0.0.1:$port/"
    refused "127.0.0.1:$port" wine "$exe" --config "$config" up --workers 1
    until_true gone 'bad[.]exe'
    refused CP-10 wine "$exe" --config "$config" --set worker.slots=0 up
    refused nowhere.toml wine "$exe" --config 'Z:\nowhere.toml' up
    refused 'start one with' wine "$exe" --url http://127.0.0.1:9 queues
}
