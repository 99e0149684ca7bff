#!/usr/bin/env bash
# Runs every fuzz target: fuzz/run.sh SECONDS JOBS [NAME]. A finding is written to build/fuzz/findings and fails the run.
#
# Up to 60 seconds it is a test: all inputs of testdata must pass, then chance tries more of them for that time. A crash, a
# sanitizer's report, a hang or too much memory fails it; an input that is told differently when cut is written down and
# said, but a change is not blamed for what chance found in old code. Longer it is a search: everything fails it, and the
# corpus stays in build/fuzz/corpus and grows from run to run.
set -euo pipefail
seconds=$1 jobs=$2 only=${3:-}
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/build/fuzz
mkdir -p "$folder/findings"

one() {
    local name=$1 corpus=$folder/corpus/$1 seeds=$root/testdata/fuzz/$1 short=false
    local program=$folder/$name log=$folder/$name.log places=$folder/findings/$1-difference-
    local options=(-max_len=65536 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -artifact_prefix="$folder/findings/$name-")
    export ASAN_OPTIONS=allocator_may_return_null=1
    if [ "$seconds" -le 60 ]; then
        short=true corpus=$folder/corpus_of_test/$1
        rm -rf "$corpus"
    fi
    mkdir -p "$corpus"
    local inputs=()
    [ -d "$seeds" ] && inputs+=("$seeds")
    # Targets that read whole captures take the small ones of testdata as they are.
    case $name in fuzz_pcap | fuzz_pcapng | fuzz_packet) inputs+=("$root/testdata/captures/runtime") ;; esac
    if $short && [ ${#inputs[@]} -gt 0 ]; then
        "$program" "${options[@]}" -runs=0 "${inputs[@]}" >"$log" 2>&1 || { failed "$name"; return 1; }
        export HOPSCOPE_FUZZ_DIFFERENCES=$places
        rm -f "$places"*
    fi
    "$program" "${options[@]}" -max_total_time="$seconds" "$corpus" "${inputs[@]}" >"$log" 2>&1 || { failed "$name"; return 1; }
    printf 'ok    %-18s %s runs in %s s\n' "$name" "$(awk '/number_of_executed_units/ {print $2}' "$log")" "$seconds"
    ! compgen -G "$places*" >/dev/null || printf 'note  %s: inputs that are told differently when cut: build/fuzz/findings\n' "$name"
}
failed() {
    printf 'FAIL  %s: see build/fuzz/%s.log\n' "$1" "$1"
    tail -n 30 "$folder/$1.log"
}
export -f failed
export -f one
export seconds folder root

names=()
for source in "$root"/fuzz/fuzz_*.cc; do
    name=$(basename "$source" .cc)
    [ -z "$only" ] || [ "$only" = "$name" ] && names+=("$name")
done
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -c 'one {}'
