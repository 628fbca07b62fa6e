# Sourced by tests/compose/run: the services of docker-compose.yml under a project of their own.

export COMPOSE_PROJECT_NAME=clawpooltest CLAWPOOL_IMAGE=clawpool:test
compose_program="docker compose"

compose() { $compose_program --env-file "$folder/.env" "$@"; }

# The image from our own Dockerfile, and .env by the program in it: nothing else is needed on a user's machine.
prepare() {
    local size base
    free_ports
    echo
    echo "== image"
    quiet image docker build --tag "$CLAWPOOL_IMAGE" .
    size=$(docker image inspect --format '{{.Size}}' "$CLAWPOOL_IMAGE")
    base=$(docker image inspect --format '{{.Size}}' debian:bookworm-slim)
    echo "the image adds $(((size - base) / 1000000)) MB to its base"
    docker image inspect --format 'user {{.Config.User}}, stop signal {{.Config.StopSignal}}' "$CLAWPOOL_IMAGE"
    init
    # What a run that was cut off left behind has other passwords.
    down
    echo ".env has mode $(stat -c %a "$folder/.env") and the keys $(sed -n 's/=.*//p' "$folder/.env" | tr '\n' ' ')"
    [ "$(stat -c %a "$folder/.env")" = 600 ]
}

init() {
    docker run --rm --user "$(id -u):$(id -g)" --volume "$folder:/out" --volume "$DOCKER_SOCKET:/var/run/docker.sock" \
        "$CLAWPOOL_IMAGE" clawpool init "${1:-/out/.env}"
}

# Two neighbours, for two dispatchers.
free_ports() {
    first_port=$(free_port)
    while (exec 3<>"/dev/tcp/127.0.0.1/$((first_port + 1))") 2>/dev/null; do first_port=$(free_port); done
    export CLAWPOOL_PORTS=$first_port-$((first_port + 1)) DOCKER_SOCKET=${DOCKER_HOST#unix://}
    GRAFANA_PORT=$(free_port)
    export GRAFANA_PORT
}

# The project's containers, by name: all, or those of one service.
names() {
    docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
        ${1:+--filter "label=com.docker.compose.service=$1"} --format '{{.Names}}' | sort
}

count() { names "$1" | grep -vc draining || true; }

# Everything is up, and each container's health check says so.
up() {
    compose up --detach --no-build "$@" >"$folder/up.log" 2>&1 || { tail -n 20 "$folder/up.log"; return 1; }
    until_true all_healthy
}

all_healthy() {
    [ -n "$(names)" ] && ! docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
        --format '{{.Status}}' | grep -qv '(healthy)'
}

down() { compose --profile watch down --volumes --remove-orphans --timeout 5 "$@" >"$folder/down.log" 2>&1; }

# Waits up to four minutes for a command to succeed.
until_true() {
    local tries
    for ((tries = 0; tries < 480; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.5
    done
    echo "in vain: $*"
    docker ps --all --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --format '{{.Names}}: {{.Status}}'
    return 1
}

# none COMMAND: it must fail. (A plain `!` would not end a check.)
none() { if "$@"; then return 1; fi; }

# says FILE PATTERN: what was said says why, and what to do.
says() { grep -E -m 1 "$2" "$1" || { echo "nothing about $2 in:"; tail -n 20 "$1"; return 1; }; }
