# Runs a server for as long as its standard input is open, whose other end the test process holds: the kernel closes
# that end however the test process ends. Statics are not dropped, and nothing runs after SIGKILL.
#
#   sh -c "$THIS" watch FOLDER SIGNAL PROGRAM ARGUMENT...
#
# SIGNAL asks the server to end. "keep" on standard input ends the server and leaves its folder; the end of the input
# removes the folder too.
folder=$1 ending=$2
shift 2

# The kernel hangs up on this group when the test process is gone and a member of it is paused.
trap '' HUP

"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo "$server"

alive() {
    [ -e "/proc/$server" ] && ! grep -q '^State:.Z' "/proc/$server/status" 2>/dev/null
}

family() {
    echo "$server"
    cat "/proc/$server/task/"*/children 2>/dev/null
}

wait_for_end() { # TENTHS
    left=$1
    while alive && [ "$left" -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
}

order=
read -r order

if alive; then
    kill "-$ending" "$server"
    # A paused server sees no signal but this one.
    kill -CONT $(family) 2>/dev/null
    wait_for_end 50
fi
if alive; then
    # Stopped first, so that no child is born after they were counted.
    kill -STOP "$server"
    kill -KILL $(family) 2>/dev/null
    wait_for_end 50
fi

[ "$order" = keep ] && exit 0

# A Postgres that was killed leaves the shared memory segment that its lock file names.
if [ -f "$folder/data/postmaster.pid" ]; then
    set -- $(sed -n 7p "$folder/data/postmaster.pid")
    [ -n "${2:-}" ] && ipcrm -m "$2" 2>/dev/null
fi
for again in 1 2 3 4 5; do
    rm -rf "$folder" 2>/dev/null && break
    sleep 0.1
done
