#!/usr/bin/env python3
"""Measures hopscope against the bare libpcap loop and tshark, and its memory and start-up. See README.md.

A report, never a failing test: shared machines swing time ratios by a third. Figures are CPU time (user + system) of
whole processes; every ratio is the median of paired runs that follow each other, with the smallest and largest.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import struct
import subprocess
import sys

import sockets
from inputs import Inputs

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = ("counts", "libpcap", "tshark", "memory", "startup", "stages", "sockets")
TSHARK_FIELDS = ["-e", "frame.number", "-e", "frame.time_epoch", "-e", "tcp.stream", "-e", "spdy.type", "-e", "spdy.streamid",
                 "-e", "spdy.flags", "-e", "spdy.length", "-e", "http.request.method", "-e", "http.request.uri",
                 "-e", "http.response.code", "-e", "websocket.opcode", "-e", "websocket.payload_length"]


class Bench:
    def __init__(self, options):
        self.options = options
        tools = pathlib.Path(options.tools)
        self.measure_program, self.loop, self.stages = tools / "measure", tools / "pcap_loop", tools / "bench_stages"
        self.inputs = Inputs(tools / "gen", tools / "inputs")
        self.hopscope = pathlib.Path(options.hopscope)
        self.lines = []

    def measure(self, *command, out="/dev/null"):
        """CPU seconds, peak memory and exit code of one run."""
        done = subprocess.run([self.measure_program, out, *map(str, command)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def cpu(self, *command):
        run = self.measure(*command)
        if run["exit"] != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit code {run['exit']}")
        return run["cpu_s"]

    def paired(self, ours, theirs, pairs):
        """Ratios ours/theirs of runs that follow each other, who goes first changing each time."""
        self.cpu(*ours), self.cpu(*theirs)  # the first reader of a file pays for the page cache
        mine, other = [], []
        for i in range(pairs):
            for side in (0, 1) if i % 2 == 0 else (1, 0):
                (mine if side == 0 else other).append(self.cpu(*(ours if side == 0 else theirs)))
        return [a / b for a, b in zip(mine, other)], mine, other

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def table(self, *columns):
        self.say("| " + " | ".join(columns) + " |")
        self.say("|" + "---|" * len(columns))

    def row(self, *cells):
        self.say("| " + " | ".join(str(cell) for cell in cells) + " |")

    def analyze(self, path, form):
        return [self.hopscope, "analyze", path, "-o", form]


def spread(values, digits=2):
    return f"**{statistics.median(values):.{digits}f}** [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def verdict(met):
    return "met" if met else "NOT MET"


def section_counts(bench):
    """The bench checks itself: what hopscope tells is what the generator made."""
    bench.say("## Counts: hopscope's NDJSON against the generator's truth")
    bench.say()
    bench.table("input", "lines", "differences", "verdict")
    for name in ("mixed_20m", "tiny_2", "short_10k", "exec_coal_100m", "reord_100m"):
        given = bench.inputs.get(name)
        told, lines = {}, 0
        with subprocess.Popen(bench.analyze(given.path, "ndjson"), stdout=subprocess.PIPE) as process:
            for line in process.stdout:
                lines += 1
                event = json.loads(line)
                key = (event["kind"], event.get("type")) if event["kind"] in ("frame", "message") else (event["kind"], None)
                told[key] = told.get(key, 0) + 1
        truth = given.truth
        wanted = {("frame", kind): truth[kind] for kind in ("syn_stream", "syn_reply", "rst_stream", "ping", "goaway", "data")}
        wanted |= {("message", "binary"): truth["ws_messages"], ("message", "close"): truth["ws_close"],
                   ("http.request", None): truth["http_requests"], ("http.response", None): truth["http_responses"],
                   ("session", None): truth["sessions"], ("gap", None): 0, ("problem", None): 0}
        different = [f"{kind} {type_ or ''} {told.get((kind, type_), 0)} ≠ {count}".replace("  ", " ")
                     for (kind, type_), count in wanted.items() if told.get((kind, type_), 0) != count]
        bench.row(name, f"{lines:,}", "; ".join(different) or "none", "equal" if not different else "DIFFERENT")
    bench.say()


def section_libpcap(bench):
    """`analyze -o ndjson` against a loop that only reads the packets with libpcap."""
    quick = bench.options.quick
    goals = [("mixed_100m" if quick else "mixed_1g", 1.0), ("tiny_100m", 1.0), ("exec_gso_100m" if quick else "exec_gso_1g", 1.0),
             ("exec_coal_100m", 1.0), ("pf_mss_100m" if quick else "pf_mss_1g", 1.0), ("conc_10k", 1.2), ("short_100k", 1.2)]
    if not quick:
        goals += [("exec_re_100m", None), ("reord_100m", None), ("lossy_100m", None), ("http10255_100m", None), ("tls10250_100m", None)]
    bench.say("## CPU against the bare libpcap loop (`analyze -o ndjson`)")
    bench.say()
    bench.table("input", "size", "packets", "ratio: median [min–max]", "goal", "verdict", "hopscope", "libpcap loop", "frames/s")
    for name, goal in goals:
        given = bench.inputs.get(name)
        ratios, ours, theirs = bench.paired(bench.analyze(given.path, "ndjson"), [bench.loop, given.path], bench.options.pairs)
        ratio, mine = statistics.median(ratios), statistics.median(ours)
        bench.row(name, given.size(), f"{given.packets:,}", spread(ratios), f"≤ {goal}" if goal else "–",
                  verdict(ratio <= goal) if goal else "–", f"{mine:.3f} s", f"{statistics.median(theirs):.3f} s",
                  f"{given.truth['frames'] / mine / 1e6:.2f} M")
    bench.say()


def section_tshark(bench):
    """The same facts by tshark. One run of tshark per row in quick mode: it takes a thousand times as long."""
    bench.say("## CPU against tshark")
    bench.say()
    tshark = shutil.which("tshark")
    if tshark is None:
        bench.say("Skipped: tshark is not installed (apt-get install tshark).")
        bench.say()
        return
    fields = [tshark, "-n", "-Y", "spdy or http or websocket", "-T", "fields", *TSHARK_FIELDS]
    rows = [("mixed_20m", "-T ek", [tshark, "-n", "-T", "ek"], 1000), ("tiny_2", "-T ek", [tshark, "-n", "-T", "ek"], 1000),
            ("mixed_20m", "-T fields", fields, 100), ("tiny_2", "-T fields", fields, 100), ("exec_gso_100m", "-T fields", fields, 25)]
    bench.table("input", "size", "tshark", "times less CPU: median [min–max]", "goal", "verdict", "hopscope", "tshark CPU", "tshark peak memory")
    for name, what, command, goal in rows:
        given = bench.inputs.get(name)
        ratios, ours, theirs, memory = [], [], [], 0
        for _ in range(1 if bench.options.quick else 3):
            ours.append(statistics.median(bench.cpu(*bench.analyze(given.path, "ndjson")) for _ in range(9)))
            run = bench.measure(*command, "-r", given.path)
            theirs.append(run["cpu_s"])
            memory = max(memory, run["rss_kib"])
            ratios.append(theirs[-1] / ours[-1])
        bench.row(name, given.size(), what, spread(ratios, 0), f"≥ {goal}", verdict(statistics.median(ratios) >= goal),
                  f"{statistics.median(ours) * 1000:.1f} ms", f"{statistics.median(theirs):.2f} s", f"{memory / 1024:.0f} MB")
    bench.say()


def section_memory(bench):
    """Peak resident memory, from wait4(2) under a launcher of 1 MB."""
    bench.say("## Peak memory")
    bench.say()
    big = ["mixed_100m"] if bench.options.quick else ["mixed_1g", "exec_gso_1g", "pf_mss_1g"]
    bench.table("input", "size", "flows at once", "text", "NDJSON", "goal", "verdict")
    for name, at_once, goal in [(n, "≤ 200", 16) for n in big + ["tiny_100m", "short_100k", "reord_100m"]] + [("conc_10k", "10,000", 32)]:
        given = bench.inputs.get(name)
        text, lines = (bench.measure(*bench.analyze(given.path, form))["rss_kib"] / 1024 for form in ("text", "ndjson"))
        bench.row(name, given.size(), at_once, f"{text:.1f} MB", f"{lines:.1f} MB", f"≤ {goal} MB", verdict(max(text, lines) <= goal))
    bench.say()
    bench.table("input", "sessions", "`-o json`", "more than text, per session", "goal", "verdict")
    for name in ("conc_10k", "short_100k"):
        given = bench.inputs.get(name)
        text = bench.measure(*bench.analyze(given.path, "text"))["rss_kib"]
        document = bench.measure(*bench.analyze(given.path, "json"))["rss_kib"]
        each = (document - text) * 1024 / given.sessions
        bench.row(name, f"{given.sessions:,}", f"{document / 1024:.1f} MB", f"{each:.0f} B", "≤ 1024 B", verdict(each <= 1024))
    given = bench.inputs.get("short_100k")
    document = bench.inputs.folder / "short_100k.report"
    limited = bench.measure(*bench.analyze(given.path, "json"), "--mem", "16M", out=document)["rss_kib"] / 1024
    report = json.loads(document.read_text())
    document.unlink()
    evicted = report["loss"].get("limit_memory", 0)
    met = evicted > 0 and evicted + len(report["sessions"]) == given.sessions and limited <= 16 + 16
    bench.row("short_100k, `--mem 16M`", f"{len(report['sessions']):,} kept, {evicted:,} evicted and counted", f"{limited:.1f} MB", "–",
              "≤ 16 MB + --mem, evictions counted", verdict(met))
    bench.say()


def section_startup(bench):
    bench.say("## Start-up")
    bench.say()
    empty = bench.inputs.folder / "empty.pcap"
    empty.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    bench.table("command", "CPU: median [min–max]", "goal", "verdict", "peak memory")
    for what, command in [("`version`", [bench.hopscope, "version"]), ("`analyze` of an empty capture", [bench.hopscope, "analyze", empty])]:
        runs = [bench.measure(*command) for _ in range(21)]
        times = [run["cpu_s"] * 1000 for run in runs]
        bench.row(what, f"{spread(times, 1)} ms", "≤ 10 ms", verdict(statistics.median(times) <= 10),
                  f"{max(run['rss_kib'] for run in runs) / 1024:.1f} MB")
    bench.say()


def section_stages(bench):
    """Where the time goes: each stage on top of the one before, in one process (Google Benchmark)."""
    bench.say("## Stages (CPU, cumulative: each row adds one stage)")
    bench.say()
    if not bench.stages.exists():
        bench.say("Skipped: bench_stages was not built (libbenchmark-dev is missing).")
        bench.say()
        return
    names = ("mixed_100m", "tiny_100m") if bench.options.quick else ("mixed_100m", "tiny_100m", "exec_gso_100m", "pf_mss_100m", "conc_10k", "short_10k")
    bench.table("input", "reader", "+ packet parser", "+ TCP", "+ decoders", "+ model", "+ NDJSON")
    for name in names:
        given = bench.inputs.get(name)
        done = subprocess.run([bench.stages, "--benchmark_format=json", given.path], capture_output=True, text=True, check=True)
        times = [run["cpu_time"] for run in json.loads(done.stdout)["benchmarks"]]
        bench.row(name, *(f"{time:.1f} ms" for time in times))
    bench.say()


def section_sockets(bench):
    sockets.measure(bench, spread, verdict)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller inputs and fewer runs: about a minute")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section (may be repeated)")
    parser.add_argument("--pairs", type=int, help="paired runs per ratio (11, quick: 5)")
    parser.add_argument("--hopscope", default=ROOT / "build/release/hopscope", help="the program to measure")
    parser.add_argument("--tools", default=ROOT / "build/bench", help="where gen, pcap_loop and measure were built")
    parser.add_argument("--report", help="also write the tables to this file")
    options = parser.parse_args()
    options.pairs = options.pairs or (5 if options.quick else 11)
    missing = [path for path in (pathlib.Path(options.hopscope), pathlib.Path(options.tools) / "gen") if not path.exists()]
    if missing:
        sys.exit(f"bench: {missing[0]} is missing; build it with: ./dev bench")
    bench = Bench(options)
    for name in options.only or SECTIONS:
        globals()[f"section_{name}"](bench)
    if options.report:
        pathlib.Path(options.report).write_text("\n".join(bench.lines) + "\n")


if __name__ == "__main__":
    main()
