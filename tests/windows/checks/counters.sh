# The performance counters. Wine takes them from a program and gives them to nobody, and its lodctr does nothing; so a
# stand-in looks at what it is given, at the strings in the program, and keeps the registry.

PERFLIB='HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Perflib\_V2Providers'

# The key of the provider, and the program whose strings name its counters.
registered() { wine reg query "$PERFLIB" /s </dev/null 2>/dev/null | tr -d '\r' | grep -i "clawpool.exe"; }
unregistered() { ! registered >/dev/null; }

# In place of Wine's own ones, for this check.
stand_in() {
    local system=$WINEPREFIX/drive_c/windows/system32 tool
    helper lodctr lodctr >/dev/null
    for tool in lodctr unlodctr; do
        [ -e "$folder/$tool.own" ] || cp "$system/$tool.exe" "$folder/$tool.own"
        cp "$folder/lodctr.exe" "$system/$tool.exe"
    done
}

stand_down() {
    local tool
    for tool in lodctr unlodctr; do cp "$folder/$tool.own" "$WINEPREFIX/drive_c/windows/system32/$tool.exe"; done
}

check_counters() {
    local port status=0
    port=$(free_port)
    place_program
    echo "> with the lodctr of Wine"
    service install | tee "$folder/said"
    grep -q 'no performance counters of it' "$folder/said"
    service uninstall
    stand_in
    (set -e; counters_of_services "$port") || status=$?
    stand_down
    return $status
}

counters_of_services() {
    echo "> with a stand-in"
    # Wine takes its own programs where nobody says otherwise.
    export WINEDLLOVERRIDES='lodctr.exe,unlodctr.exe=n'
    service install --set "api.listen=127.0.0.1:$1"
    registered
    service install --name second
    service uninstall --name second
    registered >/dev/null && echo "they stay as long as a service is there"
    service start
    answers "$1"
    if grep -h 'performance counters' "$WINEPREFIX/drive_c/ProgramData/Clawpool/clawpool/logs/"*; then
        echo "the system did not take the counters" && return 1
    fi
    quietly wine "$EXE" --set "api.listen=127.0.0.1:$1" doctor | grep '^counters' || return 1
    service uninstall
    unregistered && echo "and are gone with the last one"
}
