# The cluster profile: Redis and RabbitMQ are real; dispatcher, autoscaler and workers are Windows programs.

check_cluster() {
    local port exe config
    port=$(free_port)
    start_servers
    exe=$(program cluster)
    config=$(settings cluster "$port" <<END
profile = "cluster"
redis.url = "$CLAWPOOL_TEST_REDIS"
rabbitmq.url = "$CLAWPOOL_TEST_RABBITMQ"
[[pools]]
name = "kept"
workers = 1
END
    )
    start dispatcher "$exe" --config "$config" dispatcher
    until_true healthy "$port" || { tail "$folder/dispatcher.log"; return 1; }
    echo "7 priorities, 20 tasks each: with clawpool-worker.exe, then with the autoscaler's worker"
    start worker "$(program cluster-worker clawpool-worker)" --config "$config"
    all_priorities "$port"
    kill $! && wait $! 2>/dev/null || true
    start autoscaler "$exe" --config "$config" autoscaler
    all_priorities "$port"
    quietly wine "$exe" --url "http://127.0.0.1:$port" workers list
    quietly wine "$exe" --url "http://127.0.0.1:$port" queues
}

all_priorities() {
    local priority id done=0
    for priority in P0 P1 P2 P3 P4 P5 P6; do
        enqueue_many "$1" 20 "{\"kind\": \"clawpool.noop\", \"payload\": {}, \"priority\": \"$priority\"}"
    done >"$folder/ids"
    while read -r id; do
        until_true is "$1" "$id" completed && done=$((done + 1))
    done <"$folder/ids"
    echo "$done of 140 tasks completed by way of Redis and RabbitMQ"
    [ $done -eq 140 ]
}
