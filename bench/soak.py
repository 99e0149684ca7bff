#!/usr/bin/env python3
"""Do `hopscope observe` and `hopscope record` grow? Mixed traffic for minutes, their memory once a minute.

    ./dev bench soak [--minutes 60] [--report FILE]

Everything happens in a network namespace of its own (root). README.md says what the numbers mean.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from live import CAPTURE, PORT, cpu_seconds, is_capturing, need_own_network, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent
# One minute: what live_send does (mode, rate), for how long; None: nothing.
MINUTE = [(("sessions", 20), 20), (None, 4), (("small", 4000), 8), (("bulk", 40), 4), (("sessions", 100), 6), (("bulk", 150), 1)]
GROWTH_KIB_MAX, GROWTH_SHARE_MAX = 1024, 0.02


class Watched:
    def __init__(self, name, command):
        self.name = name
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.stderr)
        self.cpu_before = 0
        self.samples = []
        wait_for(f"capture by {name}", 20, lambda: is_capturing(self.process, self.told))

    def sample(self, seconds):
        """(KiB resident, KiB of its own memory, share of a core since the last sample); the capture ring is not its own."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        resident, anonymous = (int(re.search(rf"^{key}:\s*(\d+) kB", status, re.M)[1]) for key in ("VmRSS", "RssAnon"))
        cpu = cpu_seconds(self.process.pid)
        share = (cpu - self.cpu_before) / seconds
        self.cpu_before = cpu
        self.samples.append(anonymous)
        return resident, anonymous, share

    def told(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace").strip()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        return self.told()

    def verdict(self):
        """Growth of its own memory in the second half: what it reached there, less what it had reached before."""
        half = len(self.samples) // 2
        if half < 2:
            return "too short to tell", True
        first, second = self.samples[half // 2:half], self.samples[half:]
        growth = statistics.median(second[len(second) // 2:]) - max(first)
        flat = growth <= max(GROWTH_KIB_MAX, GROWTH_SHARE_MAX * max(first))
        return f"{growth:+,.0f} KiB in the second half", flat


def send(tools, what, seconds):
    if what is None:
        time.sleep(seconds)
        return 0
    mode, rate = what
    done = subprocess.run([tools / "live_send", CAPTURE, mode, str(rate), str(seconds)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["units"] if mode == "sessions" else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60, help="of traffic (60)")
    parser.add_argument("--hopscope", default=ROOT / "build/release/hopscope", help="the program to measure")
    parser.add_argument("--tools", default=ROOT / "build/bench", help="where live_send was built")
    parser.add_argument("--report", help="also write what is printed to this file")
    options = parser.parse_args()
    tools = pathlib.Path(options.tools)
    need_own_network("soak", (options.hopscope, tools / "live_send"))
    report = open(options.report, "w") if options.report else None

    def say(line=""):
        print(line, flush=True)
        if report:
            print(line, file=report, flush=True)

    with tempfile.TemporaryDirectory(prefix="hopscope-soak-") as folder, contextlib.ExitStack() as stack:
        ports = ["-i", "lo", "--port", str(PORT)]
        watched = []
        for name, command in [("observe", ["observe", "-o", "json"]), ("record", ["record", "-w", f"{folder}/ring.pcapng", "-C", "8MiB", "-W", "3"])]:
            watched.append(Watched(name, [options.hopscope, *command, *ports]))
            stack.callback(watched[-1].process.kill)
        say(f"## {options.minutes} minutes of mixed traffic: observe -o json, and record with 3 files of 8 MiB in a ring")
        say()
        say("| minute | sessions so far | observe: resident, its own KiB | CPU | record: resident, its own KiB | CPU | files |")
        say("|---|---|---|---|---|---|---|")
        sessions, begin = 0, time.monotonic()
        for minute in range(1, options.minutes + 1):
            for what, seconds in MINUTE:
                sessions += send(tools, what, seconds)
            rest = begin + 60 * minute - time.monotonic()
            time.sleep(max(rest, 0))
            cells = []
            for each in watched:
                resident, own, share = each.sample(60)
                cells.append(f"{resident:,}, {own:,} | {share:.2%}")
            kept = sum(1 for _ in pathlib.Path(folder).iterdir())
            say(f"| {minute} | {sessions:,} | {' | '.join(cells)} | {kept} |")
        say()
        flat = True
        for each in watched:
            text, good = each.verdict()
            flat = flat and good
            say(f"{each.name}: {text}: {'flat' if good else 'GROWS'}")
            for line in each.end().splitlines():
                say(f"    {line}")
        say()
        say("flat" if flat else "NOT flat")
    return 0 if flat else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
