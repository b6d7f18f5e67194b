# Runs a server until standard input closes. The test process holds the other end, which the kernel
# closes however the process ends. Rust's destructors would not suffice: statics are not dropped,
# and none run after SIGKILL.
#
#   sh -c "$THIS" watch FOLDER SIGNAL PROGRAM ARGUMENT...
#
# SIGNAL requests an immediate shutdown. "keep" on standard input stops the server and keeps its
# folder; the end of the input also removes the folder.
folder=$1 ending=$2
shift 2

# The kernel sends SIGHUP to this process group when the test process ends while a member is
# stopped.
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
    # A stopped server handles its signals only after SIGCONT.
    kill -CONT $(family) 2>/dev/null
    wait_for_end 50
fi
if alive; then
    # Stop the server first, so that it forks no child after its children are listed.
    kill -STOP "$server"
    kill -KILL $(family) 2>/dev/null
    wait_for_end 50
fi

# The first thread of a killed server may be a zombie while others still hold its sockets; the shell
# can reap the server only after all of them have ended.
alive || wait "$server" 2>/dev/null

[ "$order" = keep ] && exit 0

# A killed Postgres leaves the shared memory segment that its lock file names.
if [ -f "$folder/data/postmaster.pid" ]; then
    set -- $(sed -n 7p "$folder/data/postmaster.pid")
    [ -n "${2:-}" ] && ipcrm -m "$2" 2>/dev/null
fi
for again in 1 2 3 4 5; do
    rm -rf "$folder" 2>/dev/null && break
    sleep 0.1
done
