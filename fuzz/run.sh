#!/usr/bin/env bash
# Runs every fuzz target: fuzz/run.sh SECONDS JOBS [NAME]. A finding is written to build/fuzz/findings and fails the run.
#
# Up to 60 seconds it is a test: it begins with testdata alone and with a fixed random seed, so that two runs try the same
# inputs in the same order (a faster machine gets further) and a change is not blamed for what chance found in old code.
# Longer it is a search: random seeds, and the corpus stays in build/fuzz/corpus and grows from run to run.
set -euo pipefail
seconds=$1 jobs=$2 only=${3:-}
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/build/fuzz
mkdir -p "$folder/findings"

one() {
    local name=$1 corpus=$folder/corpus/$1 seeds=$root/testdata/fuzz/$1 random_seed=0 # 0: libFuzzer draws one
    if [ "$seconds" -le 60 ]; then
        corpus=$folder/corpus_of_test/$1 random_seed=1
        rm -rf "$corpus"
    fi
    mkdir -p "$corpus"
    local inputs=("$corpus")
    [ -d "$seeds" ] && inputs+=("$seeds")
    # Targets that read whole captures take the small ones of testdata as they are.
    case $name in fuzz_pcap | fuzz_pcapng | fuzz_packet) inputs+=("$root/testdata/captures/runtime") ;; esac
    if ASAN_OPTIONS=allocator_may_return_null=1 "$folder/$name" -max_total_time="$seconds" -seed="$random_seed" -max_len=65536 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$folder/findings/$name-" "${inputs[@]}" >"$folder/$name.log" 2>&1; then
        printf 'ok    %-18s %s runs in %s s\n' "$name" "$(awk '/number_of_executed_units/ {print $2}' "$folder/$name.log")" "$seconds"
    else
        printf 'FAIL  %s: see build/fuzz/%s.log\n' "$name" "$name"
        tail -n 30 "$folder/$name.log"
        return 1
    fi
}
export -f one
export seconds folder root

names=()
for source in "$root"/fuzz/fuzz_*.cc; do
    name=$(basename "$source" .cc)
    [ -z "$only" ] || [ "$only" = "$name" ] && names+=("$name")
done
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -c 'one {}'
