# Sourced by tests/compose/run: a container engine of our own, with its own folders and its own socket, stopped by its
# process id. What an engine leaves behind in the machine's network is undone.

# start_engine WORK RUN: images and volumes in WORK/engine; the socket in RUN, because its path must be short.
start_engine() {
    local tries
    engine_work=$1 engine_run=$2
    if ip link show docker0 >/dev/null 2>&1; then
        echo "compose: docker0 exists: stop this machine's own engine first (when none runs: ip link delete docker0)" >&2
        return 69
    fi
    engine_before=$(forwarding)
    mkdir -p "$engine_work/engine" "$engine_run"
    export DOCKER_HOST=unix://$engine_run/docker.sock
    engine_up
    for ((tries = 0; tries < 150; tries++)); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$(cat "$engine_run/pid" 2>/dev/null || echo 0)" 2>/dev/null || [ $tries -lt 50 ] || break
        sleep 0.2
    done
    echo "compose: the engine does not start:" >&2
    tail -n 20 "$engine_run/log" >&2
    return 1
}

engine_up() {
    setsid dockerd --data-root "$engine_work/engine" --exec-root "$engine_run/exec" --pidfile "$engine_run/pid" \
        --host "$DOCKER_HOST" >>"$engine_run/log" 2>&1 </dev/null &
}

# end_engine [SIGNAL]: by its process id; its own containerd ends with it.
end_engine() {
    local pid
    pid=$(cat "$engine_run/pid" 2>/dev/null) || return 0
    kill "-${1:-TERM}" "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
}

forwarding() {
    sysctl -n net.ipv4.ip_forward
    iptables -S FORWARD | head -n 1
}

# Everything down, and the network as it was: without the engine's chains and bridge, and with the policy from before.
stop_engine() {
    end_engine
    ip link delete docker0 2>/dev/null || true
    # shellcheck disable=SC2086
    set -- $engine_before
    iptables-save | grep -vi docker | sed "s/^:FORWARD DROP/:FORWARD $4/" | iptables-restore
    sysctl -q -w "net.ipv4.ip_forward=$1"
}
