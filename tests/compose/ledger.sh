# Sourced by tests/compose/run: producers and an outside ledger. Only what was answered with an id counts, and each of those
# must end completed.

token() { sed -n "s/^CLAWPOOL_$1_TOKEN=//p" "$folder/.env"; }

# ask PATH [CURL ARGUMENTS]: of whichever dispatcher answers, through the published ports.
ask() {
    local path=$1 port
    shift
    for port in "$first_port" $((first_port + 1)); do
        curl -sf --max-time 15 -H "Authorization: Bearer $(token ADMIN)" "$@" "http://127.0.0.1:$port$path" && return
    done
    return 1
}

# enqueue COUNT [MS] [PRIORITY]: without a priority tasks of every lane in turn; with MS each sleeps so long.
enqueue() {
    local body
    body=$(jq -nc --argjson count "$1" --argjson ms "${2:-0}" --arg priority "${3-}" \
        '[range($count) | {kind: (if $ms > 0 then "clawpool.sleep" else "clawpool.noop" end), payload: {ms: $ms},
          priority: (if $priority == "" then "P\(. % 7)" else $priority end)}]')
    ask /v1/tasks -H 'content-type: application/json' -d "$body" | jq -r '.. | .id? // empty' >>"$folder/accepted" ||
        echo "no dispatcher took a batch"
}

# records FILE: what the pool says of each id in it, one a line.
records() {
    sed "s|.*|url = \"http://127.0.0.1:$first_port/v1/tasks/&\"|" "$1" >"$folder/urls"
    curl -sf --max-time 60 --retry 10 --retry-all-errors --retry-delay 1 -H "Authorization: Bearer $(token ADMIN)" \
        -w '\n' -K "$folder/urls" | grep '^{' || true
}

# balance: every accepted id ends completed.
balance() {
    local tries left=$folder/left count
    count=$(sort -u "$folder/accepted" | wc -l)
    sort -u "$folder/accepted" >"$left"
    for ((tries = 0; tries < 180; tries++)); do
        records "$left" | jq -r 'select(.state == "completed") | .id' | sort -u >"$folder/completed"
        comm -23 "$left" "$folder/completed" >"$folder/next"
        mv "$folder/next" "$left"
        [ -s "$left" ] || { echo "ledger: $count accepted, $count completed"; return; }
        sleep 1
    done
    echo "ledger: $(wc -l <"$left") of $count accepted tasks are not completed; the first of them:"
    head -n 1 "$left" >"$folder/one" && records "$folder/one"
    return 1
}

# undisturbed: no accepted task lost a worker or needed a second attempt.
undisturbed() {
    local disturbed
    sort -u "$folder/accepted" >"$folder/all"
    disturbed=$(records "$folder/all" | jq -c 'select(.attempt > 0 or .crashes > 0 or .generation > 1)' | wc -l)
    echo "$disturbed tasks were started more than once"
    [ "$disturbed" = 0 ]
}

# Every check keeps a ledger of its own.
new_ledger() { : >"$folder/accepted"; }
