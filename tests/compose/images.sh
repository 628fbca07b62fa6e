# Sourced by tests/compose/run: images under the names of the public ones, made from Debian packages of the machine's own
# mirror and this machine's Rust toolchain. What is there already is not made again.

export DOCKER_BUILDKIT=0

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The mirror that the machine itself installs from.
mirror() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } |
        sed -nE 's|^(URIs: *\|deb +(\[[^]]*\] +)?)(https?://[^ ]*/debian)/?( .*)?$|\3|p' | head -n 1
}

# base_image WORK SUITE NAME: a Debian of that suite.
base_image() {
    local root=$1/roots/$2
    have_image "$3" && return
    mkdir -p "$1/roots"
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase --include=ca-certificates "$2" "$root" "$(mirror)" >"$1/roots/$2.log" 2>&1 ||
        { tail -n 5 "$1/roots/$2.log" >&2 && return 1; }
    # A mirror may lag behind more than a suite in motion allows.
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90mirror"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar -C "$root" --one-file-system -c . | docker import --change 'CMD ["bash"]' - "$3" >/dev/null
    rm -rf --one-file-system "$root"
}

# stand_in NAME KIND [BUILD ARGUMENTS]: from tests/compose/images/KIND.
stand_in() {
    local name=$1 kind=$2
    shift 2
    have_image "$name" || quiet "$kind" docker build --tag "$name" "$@" - <"tests/compose/images/$kind"
}

# The image that the Dockerfile builds with.
rust_image() {
    local name=rust:1.95-slim-bookworm context=$1/rust
    have_image "$name" && return
    rm -rf "$context" && mkdir -p "$context/toolchain"
    cp -a "$(rustc --print sysroot)"/{bin,lib,libexec} "$context/toolchain/"
    cp -L "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$context/certificates"
    quiet rust docker build --tag "$name" --file tests/compose/images/rust "$context"
    rm -rf "$context"
}

# quiet NAME COMMAND: its output only when it fails.
quiet() {
    local log
    log=$(mktemp)
    "${@:2}" >"$log" 2>&1 || { echo "compose: $1 failed:" >&2; tail -n 30 "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
}

# Everything that the checks need: Debian 12's programs, and those of the next releases for the newer brokers.
make_images() {
    base_image "$work" bookworm debian:bookworm-slim
    base_image "$work" trixie debian:trixie
    base_image "$work" sid debian:sid
    rust_image "$work"
    stand_in redis:7 redis
    stand_in redis:8 redis --build-arg BASE=debian:trixie
    stand_in valkey:9 redis --build-arg BASE=debian:sid --build-arg PACKAGES=valkey-server --build-arg SERVER=valkey
    stand_in rabbitmq:3-management rabbitmq
    stand_in rabbitmq:4-management rabbitmq --build-arg BASE=debian:trixie
    stand_in rabbitmq:4.3-management rabbitmq --build-arg BASE=debian:sid
    stand_in prom/prometheus:v2.53.0 prometheus --build-arg BASE=debian:trixie
    compose_2
}

# Compose 2, from the next Debian release: a program without dependencies.
compose_2() {
    export DOCKER_CONFIG=$work/config
    mkdir -p "$DOCKER_CONFIG/cli-plugins"
    [ -x "$DOCKER_CONFIG/cli-plugins/docker-compose" ] || quiet compose docker run --rm \
        --volume "$DOCKER_CONFIG/cli-plugins:/out" debian:trixie sh -c 'cd /tmp && apt-get update -qq &&
            apt-get download docker-compose && dpkg -x docker-compose_*.deb x &&
            cp "$(find x -path "*cli-plugins/docker-compose")" /out/'
}
