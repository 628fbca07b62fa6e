#!/usr/bin/env bash
# Real servers for the tests, each on its own port and in its own folder.
#
#   tests/servers.sh redis FOLDER PORT      becomes that server (exec): end it by its process id; a second call with the
#   tests/servers.sh rabbitmq FOLDER PORT   same folder is the same server started again
#   tests/servers.sh rabbitmq FOLDER PORT PEER-FOLDER PEER-PORT   a node of that running server's cluster
#
# `tests/run` sources this file for its functions. RabbitMQ needs ERL_EPMD_PORT, which `tests/run` exports.

set -euo pipefail

# Whether somebody listens on a port of 127.0.0.1.
is_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A port of 127.0.0.1 that nobody listens on, and on the one 6,000 above neither, which RabbitMQ takes as well. Both are
# below the range that outgoing connections take theirs from.
free_port() {
    local port
    while port=$((20000 + RANDOM % 6000)); do
        if ! is_taken "$port" && ! is_taken $((port + 6000)); then
            echo "$port"
            return
        fi
    done
}

become_redis() {
    local folder=$1 port=$2
    mkdir -p "$folder"
    exec redis-server --port "$port" --bind 127.0.0.1 --dir "$folder" --appendonly yes --appendfsync always --save "" \
        --maxmemory-policy noeviction
}

# The server's own script: Debian's wrapper would switch to the user rabbitmq and its folders.
rabbitmq_script() {
    local script
    for script in /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server; do
        [ -x "$script" ] && echo "$script" && return
    done
    command -v rabbitmq-server
}

become_rabbitmq() {
    local folder=$1 port=$2 peer_folder=${3-} peer_port=${4-}
    : "${ERL_EPMD_PORT:?is not set: run the tests through tests/run}"
    mkdir -p "$folder/log"
    # What it leaves when it crashes lies in its own folder.
    cd "$folder"
    folder=$PWD
    echo '[].' >"$folder/plugins"
    printf 'loopback_users = none\nlog.console = false\n' >"$folder/rabbitmq.conf"
    [ -z "$peer_folder" ] || join_cluster "$folder" "$peer_folder" "$peer_port"
    export HOME=$folder
    export RABBITMQ_NODENAME="clawpool$port@localhost"
    export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$port
    # Beside the node's own port, and likewise private.
    export RABBITMQ_DIST_PORT=$((port + 6000))
    export RABBITMQ_MNESIA_BASE=$folder/mnesia RABBITMQ_LOG_BASE=$folder/log RABBITMQ_PID_FILE=$folder/pid
    export RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf
    export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_ADVANCED_CONFIG_FILE=$folder/none
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
    # Makes the script exec the server in place of keeping a shell above it, so that its process id is the server's.
    export RUNNING_UNDER_SYSTEMD=yes
    exec "$(rabbitmq_script)"
}

# Nodes of one cluster know one another by a cookie. A node that was in the cluster before asks nobody.
join_cluster() {
    local folder=$1 peer_folder=$2 peer_port=$3
    [ -e "$folder/.erlang.cookie" ] || cp -p "$peer_folder/.erlang.cookie" "$folder/"
    cat >>"$folder/rabbitmq.conf" <<END
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = clawpool$peer_port@localhost
END
}

# Whether the server behind the port answers its first request. A listening port alone says little.
redis_answers() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'PING\r\n' >&3
        read -r -t 2 answer <&3
        [[ $answer == +PONG* ]]
    ) 2>/dev/null
}

rabbitmq_answers() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'AMQP\0\0\11\1' >&3
        # The first frame, Connection.Start, is a method frame: type 1.
        [ "$(timeout 5 head -c 1 <&3 | od -An -tu1 | tr -d ' ')" = 1 ]
    ) 2>/dev/null
}

# wait_for NAME PID PORT LOG: until NAME answers; fails with the end of its log when it died or takes too long.
wait_for() {
    local name=$1 pid=$2 port=$3 log=$4 tries
    for ((tries = 0; tries < 600; tries++)); do
        "${name}_answers" "$port" && return
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "tests: $name did not start on port $port:" >&2
    tail -n 20 "$log" >&2
    return 1
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1-} in
    redis | rabbitmq) "become_$1" "${2:?folder}" "${3:?port}" "${@:4}" ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 64 ;;
    esac
fi
