# Sourced by tests/windows/run: what several checks need. They run in $folder, with the programs that were built.

# Waits up to a minute for a command to succeed.
until_true() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "in vain: $*"
    return 1
}

# A path as Windows writes it, in TOML's single quotes or on a command line.
windows_path() { printf 'Z:%s' "${1//\//\\}"; }

# A copy of a program (clawpool) under a name of its own, by which its processes can be found.
program() {
    cp "$programs/${2:-clawpool}.exe" "$folder/$1.exe"
    cp "$work/shims/pdh.dll" "$folder/"
    echo "$folder/$1.exe"
}

# A program of tests/windows in C, built.
helper() {
    x86_64-w64-mingw32-gcc -O0 -o "$folder/$2.exe" "tests/windows/$1.c"
    windows_path "$folder/$2.exe"
}

# The embedded profile in a folder of its own; more settings come from standard input.
settings() {
    local name=$1 port=$2
    {
        printf "embedded.data = '%s'\napi.listen = \"127.0.0.1:%s\"\n" "$(windows_path "$folder/$name-data")" "$port"
        cat
    } >"$folder/$name.toml"
    windows_path "$folder/$name.toml"
}

# A Windows program in the background, its log in $folder/NAME.log; ended with the check.
start() {
    local name=$1
    shift
    wine "$@" 2>"$folder/$name.log" </dev/null &
    pids+=($!)
}

# A real Redis and a real RabbitMQ for the check, as CLAWPOOL_TEST_REDIS and CLAWPOOL_TEST_RABBITMQ.
start_servers() {
    local redis rabbitmq
    redis=$(free_port) rabbitmq=$(free_port)
    export ERL_EPMD_PORT
    ERL_EPMD_PORT=$(free_port)
    epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 &
    pids+=($!)
    tests/servers.sh redis "$folder/redis$redis" "$redis" >"$folder/redis.log" 2>&1 &
    pids+=($!) && wait_for redis $! "$redis" "$folder/redis.log"
    tests/servers.sh rabbitmq "$folder/rabbitmq$rabbitmq" "$rabbitmq" >"$folder/rabbitmq.log" 2>&1 &
    pids+=($!) && wait_for rabbitmq $! "$rabbitmq" "$folder/rabbitmq.log"
    export CLAWPOOL_TEST_REDIS=redis://127.0.0.1:$redis/0
    export CLAWPOOL_TEST_RABBITMQ=amqp://guest:guest@127.0.0.1:$rabbitmq/%2f
}

running() { pgrep -f "$1" >/dev/null; }
gone() { ! pgrep -f "$1" >/dev/null; }
healthy() { curl --silent --fail --max-time 2 "http://127.0.0.1:$1/health" >/dev/null; }
# At once: not to be repeated.
answers() {
    curl --silent --fail --max-time 60 "http://127.0.0.1:$1/health" >/dev/null && return
    echo "nobody answers on port $1"
    return 1
}
state() { curl --silent --max-time 5 "http://127.0.0.1:$1/v1/tasks/$2" | grep -o '"state":"[a-z]*"' | head -n 1; }
is() { [ "$(state "$1" "$2")" = "\"state\":\"$3\"" ]; }
enqueue() { quietly wine "$1" --url "http://127.0.0.1:$2" enqueue "${@:3}" | head -n 1; }

# As many tasks as said of one kind and payload, by one request; their ids.
enqueue_many() {
    local port=$1 count=$2 task=$3 number
    for ((number = 0; number < count; number++)); do echo "$task,"; done |
        sed '1s/^/[/; $s/,$/]/' >"$folder/tasks.json"
    curl --silent --fail --header 'content-type: application/json' --data "@$folder/tasks.json" \
        "http://127.0.0.1:$port/v1/tasks" | grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' | sort -u
}

# By way of a file: Wine's own services, which the first program starts, would hold a pipe open for as long as they live.
quietly() {
    local status=0
    "$@" >"$folder/output" 2>"$folder/errors" </dev/null || status=$?
    cat "$folder/output" "$folder/errors" | tr -d '\r'
    [ $status -ne 124 ] || echo "no answer, and ended after its time: $*"
    return $status
}

# refused WORDS COMMAND...: it fails, and says the words.
refused() {
    local words=$1
    shift
    if quietly "$@" >"$folder/refusal"; then
        echo "was not refused: $*" && cat "$folder/refusal" && return 1
    fi
    sed -n 1,3p "$folder/refusal"
    grep -q -- "$words" "$folder/refusal"
}

end_started() {
    local index
    # The last started first: RabbitMQ signs off at its epmd.
    for ((index = ${#pids[@]} - 1; index >= 0; index--)); do
        kill "${pids[index]}" 2>/dev/null || true
        wait "${pids[index]}" 2>/dev/null || true
    done
}
