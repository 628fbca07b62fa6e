# Sourced by tests/compose/run: the task path on other versions of the brokers, and compose 1.

# Both seams' conformance tests from outside, then the whole stack with these images.
check_newer_brokers() {
    down
    on_brokers rabbitmq:4.3-management valkey:9
    on_brokers rabbitmq:4-management redis:8
    on_brokers rabbitmq:3-management redis:7
}

on_brokers() {
    local rabbitmq redis
    rabbitmq=$(docker run --detach --hostname rabbitmq --publish 127.0.0.1::5672 --env RABBITMQ_DEFAULT_USER=clawpool \
        --env RABBITMQ_DEFAULT_PASS=outside "$1")
    redis=$(docker run --detach --publish 127.0.0.1::6379 "$2" redis-server --bind 0.0.0.0 --protected-mode no \
        --dir /data --appendonly yes --appendfsync always --save "" --maxmemory-policy noeviction)
    echo "$1 is RabbitMQ $(version "$rabbitmq" rabbitmq-server), $2 is $(version "$redis" redis-server valkey-server)"
    until_true docker exec "$rabbitmq" rabbitmq-diagnostics -q check_port_connectivity
    CLAWPOOL_TEST_RABBITMQ=amqp://clawpool:outside@$(docker port "$rabbitmq" 5672/tcp)/%2f \
        CLAWPOOL_TEST_REDIS=redis://$(docker port "$redis" 6379/tcp)/0 conformance || { docker rm -fv "$rabbitmq" "$redis"; return 1; }
    docker rm --force --volumes "$rabbitmq" "$redis" >/dev/null
    RABBITMQ_IMAGE=$1 REDIS_IMAGE=$2 up
    new_ledger
    enqueue 350
    balance
    down
}

version() { docker exec "$1" dpkg-query --show --showformat '${Version} ' "${@:2}" 2>/dev/null; }

conformance() {
    cargo test --quiet --package clawpool-backends --lib -- redis::tests rabbitmq::tests 2>&1 | tee "$folder/said" | grep 'test result' || true
    grep -q 'test result: ok' "$folder/said" || { tail -n 40 "$folder/said"; return 1; }
}

# Debian 12's own compose is version 1: other names, the same labels.
check_old_compose() {
    compose_program=docker-compose
    down
    up --scale llm=2
    enqueue 210
    ask /v1/autoscaler/browser/scale -H 'content-type: application/json' -d '{"size": 2, "for": "10m"}' >/dev/null
    until_true more_than browser 1
    until_true all_healthy
    names | tr '\n' ' '
    echo
    balance
    down
}
