# Sourced by tests/compose/run: what docker-compose.yml promises, one function each. A check brings up what it needs.

check_no_env() {
    if $compose_program --env-file /dev/null config --quiet >"$folder/said" 2>&1; then
        echo "started without passwords"
        return 1
    fi
    says "$folder/said" 'run clawpool init'
    if init >"$folder/said" 2>&1; then
        echo "init wrote over a .env"
        return 1
    fi
    says "$folder/said" 'exists, and its passwords are in use'
}

# Of an example, or of a server's own documentation.
check_default_passwords() {
    local status=0
    sed -E 's/^(REDIS|RABBITMQ)_PASSWORD=.*/\1_PASSWORD=guest/' "$folder/.env" >"$folder/default.env"
    $compose_program --env-file "$folder/default.env" run --rm --no-deps --no-TTY dispatcher >"$folder/said" 2>&1 || status=$?
    says "$folder/said" 'redis.url.*well-known password'
    says "$folder/said" 'clawpool init'
    echo "exit code $status"
    [ $status = 78 ]
}

check_up() {
    down
    up
    docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --format '{{.Names}}: {{.Status}} {{.Ports}}' | sort
    ordered
    published
    enqueue 700
    balance
    doctor
}

# Whoever needs another was started after it was healthy.
ordered() {
    local times
    times() {
        for name in $(names "$1"); do docker inspect --format '{{.State.StartedAt}}' "$name"; done | sort
    }
    echo "first dispatcher $(times dispatcher | head -n 1)"
    [[ $(times redis | tail -n 1) < $(times dispatcher | head -n 1) ]]
    [[ $(times rabbitmq | tail -n 1) < $(times dispatcher | head -n 1) ]]
    [[ $(times dispatcher | tail -n 1) < $(times general | head -n 1) ]]
    [[ $(times dispatcher | tail -n 1) < $(times autoscaler | head -n 1) ]]
}

# Two ports, both on loopback.
published() {
    docker ps --format '{{.Ports}}' | tr ',' '\n' | grep -e '->' | tr -d ' ' | sort >"$folder/ports"
    [ "$(grep -c '^127.0.0.1:' "$folder/ports")" = 2 ]
    [ "$(wc -l <"$folder/ports")" = 2 ]
}

doctor() {
    local name
    name=$(names dispatcher | head -n 1)
    if docker exec "$name" clawpool doctor --help >/dev/null 2>&1; then
        operate doctor
    else
        echo "this version has no doctor; health says:"
        docker exec "$name" clawpool health
    fi
}

# What the engine enforces, of every container of ours.
check_hardened() {
    local name
    up
    for name in $(names); do
        docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} user={{.Config.User}} readonly={{.HostConfig.ReadonlyRootfs}} caps={{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} privileged={{.HostConfig.Privileged}} memory={{.HostConfig.Memory}} reserved={{.HostConfig.MemoryReservation}} cpus={{.HostConfig.NanoCpus}}/{{.HostConfig.CpuQuota}}' "$name"
    done | sort -u | tee "$folder/limits"
    none grep -v -E 'caps=\[ALL\] \[no-new-privileges:true\] privileged=false' "$folder/limits"
    none grep -E 'user=(0|root|)( |$)' "$folder/limits"
    [ "$(grep 'readonly=false' "$folder/limits" | cut -d' ' -f1)" = rabbitmq ]
    [ "$(grep -cE '^(critical|llm|browser|general) .* memory=4294967296 reserved=2147483648 cpus=2000000000' "$folder/limits")" = 4 ]
    name=$(names general | head -n 1)
    docker exec "$name" sh -c 'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status; id -u'
    none docker exec "$name" sh -c 'echo x >/usr/local/bin/x' 2>/dev/null
    docker exec "$name" sh -c 'grep Cap /proc/self/status' | grep -q 'CapEff:.*0000000000000000'
    # Nothing that is secret is in a layer.
    docker history --no-trunc "$CLAWPOOL_IMAGE" >"$folder/layers"
    none grep -E 'PASSWORD|TOKEN' "$folder/layers"
}

# Compose's own --scale, with the autoscaler told to leave the pools alone; told to go on, it takes them back to their min.
check_scaled_by_hand() {
    up
    operate autoscaler pause llm
    operate autoscaler pause browser
    up --scale llm=3 --scale browser=2
    names llm
    [ "$(count llm)" = 3 ]
    [ "$(count browser)" = 2 ]
    enqueue 210
    balance
    operate autoscaler resume llm
    operate autoscaler resume browser
    until_true has llm 1
    until_true has browser 1
    echo "idle: llm $(count llm), browser $(count browser)"
}

# The operator's program, inside.
operate() {
    CLAWPOOL_TOKEN=$(token ADMIN) compose exec -T -e CLAWPOOL_TOKEN dispatcher clawpool "$@"
}

has() { [ "$(count "$1")" -le "$2" ]; }
more_than() { [ "$(count "$1")" -gt "$2" ]; }

# While some are still at a task the pool shrinks: those finish it, and no task is started twice.
check_flood_and_idle() {
    local most=0 now
    up
    enqueue 200 4000 P4
    until_true more_than general 2
    enqueue 12 40000 P4
    echo "flooded: $(names general | tr '\n' ' ')"
    while [ "$(records <(tail -n 12 "$folder/accepted") | jq -r 'select(.state == "completed") | .id' | wc -l)" -lt 12 ]; do
        now=$(count general)
        [ "$now" -le $most ] || most=$now
        sleep 2
    done
    echo "at most $most containers of the service general"
    until_true has general 1
    echo "idle: $(names general | tr '\n' ' ')"
    balance
    undisturbed
    operate autoscaler history general --limit 8
}

# The engine's stop, with tasks at work: they end within stop_grace_period, and the container by itself.
check_sigterm() {
    local name
    up
    enqueue 8 12000 P4
    name=$(names general | head -n 1)
    until_true working 8
    compose stop general >"$folder/said" 2>&1
    docker inspect --format '{{.Name}} ended with code {{.State.ExitCode}}' "$name"
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$name")" = 0 ]
    balance
    undisturbed
}

working() { [ "$(records "$folder/accepted" | jq -r 'select(.state == "running") | .id' | wc -l)" = "$1" ]; }

# The driver's own test, with no autoscaler beside it.
check_driver() {
    up
    compose stop autoscaler >"$folder/said" 2>&1
    CLAWPOOL_TEST_PROJECT=$COMPOSE_PROJECT_NAME cargo test --quiet --package clawpool-server --features docker --lib -- --include-ignored \
        autoscale::driver::docker 2>&1 | tee "$folder/said" | grep -E '^(test |running|failures|thread)' || true
    grep -q 'test result: ok' "$folder/said" || { tail -n 30 "$folder/said"; return 1; }
}

# trouble POOL PATTERN: what the autoscaler says of a pool that it cannot keep.
trouble() { ask /v1/autoscaler | jq -r --arg pool "$1" '.items[] | select(.pool == $pool) | .trouble // empty' | grep -E "$2"; }

check_below_minimum() {
    up
    compose up --detach --no-build --scale general=0 >"$folder/said" 2>&1
    until_true trouble general 'start at least one'
    trouble general .
    enqueue 20 0 P4
    up
    balance
}

check_unreachable_socket() {
    up
    DOCKER_GID=4242 compose up --detach --no-build autoscaler >"$folder/said" 2>&1
    until_true trouble general 'let its user write to it'
    trouble general .
    compose stop autoscaler >"$folder/said" 2>&1
    compose run --detach --no-deps --env DOCKER_HOST=unix:///nowhere/docker.sock autoscaler >"$folder/one" 2>"$folder/said"
    until_true trouble general '/nowhere/docker.sock.*start the engine'
    trouble general .
    docker rm --force "$(tail -n 1 "$folder/one")" >/dev/null
    # The pool works on meanwhile.
    enqueue 70
    up
    balance
}

check_image_without_program() {
    up
    # It has an init process, which the engine can start; what that one says is in the log.
    CLAWPOOL_IMAGE=debian:bookworm-slim compose up --detach --no-build --no-deps llm >"$folder/said" 2>&1 || cat "$folder/said"
    until_true trouble llm 'no such program in the image.*correct the service in the compose file'
    trouble llm .
    compose logs llm >"$folder/said" 2>&1
    says "$folder/said" 'exec clawpool failed: No such file or directory'
    up
    enqueue 70
    balance
}

# Past the engine, which would take its own kill for a wish to stay stopped.
check_killed_containers() {
    local name before
    up
    for name in $(names); do
        enqueue 70
        enqueue 10 1000
        before=$(process "$name")
        kill -9 "$before"
        enqueue 70
        until_true restarted "$name" "$before"
        until_true all_healthy
        echo "killed $name; it came back"
    done
    balance || { where_is_it; return 1; }
}

# Where a task is that does not run: on its queue, with a consumer, or with a worker that does not say.
where_is_it() {
    local name
    docker exec "$(names rabbitmq)" rabbitmqctl -q list_queues name messages_ready messages_unacknowledged consumers || true
    docker exec "$(names rabbitmq)" rabbitmqctl -q list_consumers || true
    operate workers list || true
    for name in $(names llm) $(names browser); do
        echo "-- $name" && docker logs --tail 25 "$name" 2>&1
    done
}

process() { docker inspect --format '{{.State.Pid}}' "$1"; }
restarted() { [ "$(process "$1")" != 0 ] && [ "$(process "$1")" != "$2" ]; }

# As at a reboot: the engine stops all containers and starts them again, in no order.
check_engine_restart() {
    up
    enqueue 350
    enqueue 40 3000
    end_engine
    engine_up
    until_true docker info
    until_true all_healthy
    echo "the engine is back, with $(names | wc -l) containers"
    enqueue 70
    balance
    enqueue 350
    compose down --timeout 30 >"$folder/said" 2>&1
    up
    echo "down and up on the kept volumes"
    balance
}

check_watch() {
    local name expression
    up
    compose --profile watch up --detach --no-build prometheus >"$folder/said" 2>&1 || { cat "$folder/said"; return 1; }
    until_true all_healthy
    name=$(names prometheus)
    query() { docker exec "$name" promtool query instant http://127.0.0.1:9090 "$1" | tee "$folder/answer" | grep -q '=>'; }
    until_true query 'sum(up{job="clawpool"}) == 2'
    cat "$folder/answer"
    enqueue 210
    balance
    jq -r '.panels[].targets[].expr' config/watch/grafana/dashboards/clawpool.json >"$folder/expressions"
    while read -r expression; do
        until_true query "$expression" </dev/null || return 1
    done <"$folder/expressions"
    echo "each of the dashboard's $(wc -l <"$folder/expressions") queries has an answer"
    compose --profile watch config --services | grep -x grafana
}
