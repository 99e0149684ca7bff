# Runs in the virtual machine after probe.cc (run.sh): what hopscope tells a user on this kernel. One line for each
# expectation; at the end "ALL TOLD, lockdown MODE", or "NOT TOLD".
level=$(busybox sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/security/lockdown)
all=ALL

# look WHAT FILE PATTERN: FILE has a line of this form.
look() {
    if busybox grep -qE "$3" "$2"; then
        echo "ok    $1"
    else
        echo "FAIL  $1"
        busybox sed 's/^/      /' "$2"
        all=NOT
    fi
}
# run FILE COMMAND…: what it prints, and in the last line how it ended.
run() {
    file=$1
    shift
    "$@" > "$file" 2>&1
    echo "exit $?" >> "$file"
}

busybox nc -l -p 4711 &
server=$!
tries=0
until busybox grep -qE ':1267 0+:0000 0A' /proc/net/tcp /proc/net/tcp6 || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    busybox usleep 100000
done

run /tmp/doctor hopscope doctor
look "doctor names the lockdown mode" /tmp/doctor "lockdown $level"
run /tmp/why hopscope why 4711
run /tmp/ports hopscope ports --all
run /tmp/off hopscope why 4711 --ebpf off
run /tmp/require hopscope why 4711 --ebpf require
for file in /tmp/why /tmp/ports /tmp/off; do
    look "$(busybox basename $file): 4711 is of busybox, pid $server" $file "busybox.*$server|$server.*busybox"
    look "$(busybox basename $file): its end" $file '^exit [03]$'
done
if [ "$level" = confidentiality ]; then
    look "--ebpf require is refused" /tmp/require '^exit [^03]'
    look "--ebpf require says why" /tmp/require lockdown
else
    look "--ebpf require works" /tmp/require "busybox.*$server|$server.*busybox"
fi
for file in /tmp/doctor /tmp/why /tmp/ports /tmp/require; do
    echo "-- $file"
    busybox sed 's/^/| /' $file  # for the log
done
echo "$all TOLD, lockdown $level"
