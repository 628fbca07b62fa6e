# Sourced by tests/compose/run: the commands of docs/compose.md, as they are pasted, in a copy of the repository.

# What git knows, so that the image is the one that was built already.
clone() {
    mkdir -p "$1"
    git ls-files -z | tar --create --null --files-from - | tar --extract --directory "$1"
}

# Every command of the page, but for the one that needs Grafana's image.
pasted() {
    sed -n '/^```sh/,/^```$/p' docs/compose.md | grep -v -e '^```' -e '--profile watch'
}

check_readme() {
    local port socket=/var/run/docker.sock status=0
    down
    for port in 7070 7071; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "port $port is taken: end what listens there" && return 1
        fi
    done
    [ ! -e $socket ] || { echo "$socket exists: end this machine's own engine first" && return 1; }
    clone "$folder/clawpool"
    # The trace's mark is not taken from the environment by root's shell.
    { echo "PS4='> '; set -ex" && pasted; } >"$folder/pasted"
    ln -s "${DOCKER_HOST#unix://}" $socket
    as_pasted bash "$folder/pasted" >"$folder/said" 2>"$folder/errors" || status=$?
    as_pasted docker compose down --volumes --timeout 5 >/dev/null 2>&1 || true
    rm -f $socket
    sed -nE '/^> /s/(TOKEN=|Bearer )[0-9a-f]+/\1***/; /^> /p' "$folder/errors"
    [ $status = 0 ] || { tail -n 20 "$folder/said" "$folder/errors"; return 1; }
    says "$folder/said" '"id":'
    says "$folder/said" '^llm +paused'
}

# Nothing is set but the way to compose 2.
as_pasted() {
    (
        cd "$folder/clawpool"
        unset DOCKER_HOST DOCKER_SOCKET CLAWPOOL_IMAGE COMPOSE_PROJECT_NAME CLAWPOOL_PORTS GRAFANA_PORT
        "$@" </dev/null
    )
}
