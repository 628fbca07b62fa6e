# Sourced by the test scripts: Debian packages, without the servers that come with them.

# install_debian LOG PACKAGES...: installs them when it may, and says what to install when it may not.
install_debian() {
    local log=$1
    shift
    [ $# -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "tests: missing; run: sudo apt-get install $*" >&2
        exit 69
    fi
    echo "tests: installing $*"
    without_services apt_install "$@" >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2 && exit 69; }
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install --yes --no-install-recommends "$@"
}

# Debian starts a server that it installs, on the default port. The tests start their own: forbid it for the while,
# where the machine has no rule of its own.
without_services() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e $policy ]; then
        "$@" || status=$?
    else
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
        "$@" || status=$?
        rm -f $policy
    fi
    return $status
}
