# `clawpool service` with Wine's service manager.

EXE='C:\Program Files\Clawpool\clawpool.exe'

# Wine's system ends with its last program, and its services with it: one program stays. Its service manager answers a
# while after the first program runs.
hold_session() {
    helper sleeper session >/dev/null
    start session "$folder/session.exe"
    until_true service_manager_answers
}

service_manager_answers() { timeout 60 wine sc query Eventlog </dev/null; }

# A system of its own, without what an earlier run may have left, running or installed. The path has a space in it: the
# service manager must be given it in quotes.
place_program() {
    local home="$WINEPREFIX/drive_c/Program Files/Clawpool"
    wineserver --kill || true
    until_true gone 'Program Files.Clawpool.clawpool'
    mkdir -p "$home" && cp "$programs/clawpool.exe" "$work/shims/pdh.dll" "$home/"
    hold_session
    service uninstall --timeout 60s >"$folder/left" || grep -q CP-1903 "$folder/left" ||
        { echo "an earlier run's service cannot be removed:" && cat "$folder/left"; return 1; }
    until_true gone 'Program Files.Clawpool.clawpool'
    rm -rf "$WINEPREFIX/drive_c/ProgramData/Clawpool"
}

# Longer than the program itself waits, and not for ever.
service() { quietly timeout 180 wine "$EXE" service "$@"; }
data_folder() { [ -e "$WINEPREFIX/drive_c/ProgramData/Clawpool/clawpool" ]; }

check_service() {
    local port id
    port=$(free_port)
    place_program
    service install --set "api.listen=127.0.0.1:$port"
    service start
    answers "$port"
    echo "it answers as soon as it is said to run"
    service status | tee "$folder/said"
    grep -q 'command *"C:.Program Files.Clawpool.clawpool.exe" service run' "$folder/said"
    id=$(enqueue "$EXE" "$port" $SLEEP '{"ms": 3000}')
    until_true is "$port" "$id" running
    # The service manager's own stop, while a task runs.
    wine sc stop clawpool >/dev/null </dev/null
    until_true gone 'Program Files.Clawpool.clawpool'
    service status || true
    service start
    answers "$port"
    echo "the task that ran when the service was told to stop: $(state "$port" "$id")"
    is "$port" "$id" completed
    wineserver --kill && until_true gone 'Program Files.Clawpool.clawpool'
    hold_session
    until_true healthy "$port"
    echo "the system went down and came up again: the service runs"
    service stop
    ls "$WINEPREFIX/drive_c/ProgramData/Clawpool/clawpool/logs"
    service uninstall
    refused CP-1903 wine "$EXE" service status
    data_folder && echo "configuration, logs and data are kept"
}

check_service_bad_input() {
    local port
    port=$(free_port)
    place_program
    refused worker.slots wine "$EXE" service install --set worker.slots=0
    refused wrokers wine "$EXE" service install -- --wrokers 3
    cp "$programs/clawpool.exe" "$work/shims/pdh.dll" "$WINEPREFIX/drive_c/users/Public/"
    refused CP-1907 wine 'C:\users\Public\clawpool.exe' service install
    if data_folder; then echo "a refused installation left its folder behind" && return 1; fi
    echo "nothing was left behind"
    refused CP-1902 wine "$EXE" service install --name Spooler
    refused CP-1905 wine "$EXE" service uninstall --name Spooler
    refused CP-1903 wine "$EXE" service start
    refused CP-1903 wine "$EXE" service stop
    service install --set "api.listen=127.0.0.1:$port"
    refused CP-1902 wine "$EXE" service install
    python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
    pids+=($!)
    until_true curl --silent "http://127.0.0.1:$port/"
    refused CP-1908 wine "$EXE" service start || { service status; return 1; }
    grep -h "127.0.0.1:$port" "$WINEPREFIX/drive_c/ProgramData/Clawpool/clawpool/logs/"* | tail -n 1
    service uninstall
}

# The commands of docs/windows.md, as they are pasted, with the default address.
check_readme() {
    local line
    place_program
    sed -n '/^```bat/,/^```$/p' docs/windows.md | grep -v '^```' >"$folder/pasted"
    [ -s "$folder/pasted" ]
    while read -r line; do
        echo "> $line"
        # shellcheck disable=SC2086
        quietly timeout 180 wine "$EXE" ${line#clawpool } || return 1
    done <"$folder/pasted"
}
