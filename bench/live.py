#!/usr/bin/env python3
"""What `hopscope observe -o json` costs while traffic flows, against `tcpdump -w /dev/null` on the same traffic.

    ./dev bench live [--pairs 15] [--seconds 10] [--load NAME]... [--report FILE]

Everything happens in a network namespace of its own (root), so that nobody else's packets are counted. README.md says
what each number means.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import select
import signal
import statistics
import subprocess
import sys
import time
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAPTURE = ROOT / "testdata/captures/runtime/exec_exit3.pcap"
PORT = 42313  # of the exec in CAPTURE
RING_KIB = 32 * 1024
# name: mode and rate of live_send; the goal for the ratio of CPU (None: shown only)
LOADS = {
    "sessions": (("sessions", 100), 1.5, "100 whole execs a second"),
    "bulk": (("bulk", 300), 1.5, "one exec with 300 MB/s of output"),
    "small": (("small", 100_000), 1.5, "one exec, 100,000 frames of 64 bytes a second, a packet each"),
    "full": (("bulk", 0), None, "one exec with as much output as goes through"),
}
GOODPUT_MIN, DELAY_MAX_S, IDLE_MAX = 0.85, 0.25, 0.005


def cpu_seconds(pid):
    """On a CPU so far, all threads; nanoseconds in schedstat where the ticks of stat would be too coarse."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def wait_for(what, timeout_s, condition):
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"no {what} within {timeout_s} s")
        time.sleep(0.02)


def is_capturing(process, told):
    """Its handlers for ^C come when everything is open. `told()`: what it has said, should it have ended."""
    if process.poll() is not None:
        raise RuntimeError(f"{process.args[1]} ended: {told()}")
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", pathlib.Path(f"/proc/{process.pid}/status").read_text(), re.M)
    return int(caught[1], 16) >> (signal.SIGTERM - 1) & 1


def need_own_network(bench, paths):
    """Starts this program again in a network namespace of its own; ends it where that, or one of `paths`, is not to be had."""
    if os.geteuid() != 0:
        sys.exit(f"bench {bench}: captures packets, so it needs root")
    for path in map(pathlib.Path, paths):
        if not path.exists():
            sys.exit(f"bench {bench}: {path} is missing; build it with: ./dev bench {bench}")
    if "HOPSCOPE_BENCH_NETNS" not in os.environ:
        os.environ["HOPSCOPE_BENCH_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Observer:
    """hopscope observe, with its lines thrown away."""
    packets = None

    def __init__(self, bench, stdout=subprocess.DEVNULL):
        self.process = subprocess.Popen([bench.hopscope, "observe", "-o", "json", "-i", "lo", "--port", str(PORT), *bench.arguments],
                                        stdout=stdout, stderr=subprocess.PIPE)
        wait_for("capture", 20, lambda: is_capturing(self.process, lambda: self.process.stderr.read().decode()))
        time.sleep(0.3)

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def end(self):
        """Packets that the kernel dropped, and signs of eBPF."""
        self.process.send_signal(signal.SIGTERM)
        told = self.process.communicate()[1].decode()
        lost = re.search(r"^.*lost: (.*)", told, re.M)
        dropped = {key: int(value.replace(",", "")) for key, value in
                   re.findall(r"(kernel|ring) ([\d,]+)", lost[1] if lost else "")}
        return dropped.get("kernel", 0) + dropped.get("ring", 0)


class Tcpdump(Observer):
    def __init__(self, bench):
        command = ["tcpdump", "-Z", "root", "-n", "-i", "lo", "-B", str(RING_KIB), "-w", "/dev/null",
                   "inbound", "and", "tcp", "port", str(PORT)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        told = b""
        while b"listening on" not in told:
            told = self.process.stderr.readline()
            if not told:
                raise RuntimeError("tcpdump ended")
        time.sleep(0.3)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        told = self.process.communicate()[1].decode()
        self.packets = int(re.search(r"(\d+) packets captured", told)[1])
        return int(re.search(r"(\d+) packets dropped by kernel", told)[1])


class Bench:
    def __init__(self, options):
        self.options = options
        self.hopscope = options.hopscope
        self.sender = pathlib.Path(options.tools) / "live_send"
        self.arguments = options.observe_option or []
        self.lines = []

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def send(self, load):
        mode, rate = LOADS[load][0]
        done = subprocess.run([self.sender, CAPTURE, mode, str(rate), str(self.options.seconds)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def run(self, load, kind):
        observer = kind(self)
        before = observer.cpu()
        sent = self.send(load)
        time.sleep(0.3)  # what lies in the ring is part of the work
        cpu = observer.cpu() - before
        return {"cpu": cpu, "sender_cpu": sent["cpu_s"], "goodput": sent["bytes"] / sent["seconds"], "units": sent["units"],
                "seconds": sent["seconds"], "dropped": observer.end(), "packets": observer.packets}

    def pairs(self, load):
        ours, theirs = [], []
        for i in range(self.options.pairs):
            for kind in (Observer, Tcpdump) if i % 2 == 0 else (Tcpdump, Observer):
                (theirs if kind is Tcpdump else ours).append(self.run(load, kind))
        return ours, theirs

    def delays(self, load):
        """Seconds from a packet's time to its line on stdout: of the first line of every piece that was read."""
        read_end, write_end = os.pipe()
        observer = Observer(self, stdout=write_end)
        os.close(write_end)
        delays, rest = [], b""
        sender = None
        first = True
        while True:
            if sender is None:
                mode, rate = LOADS[load][0]
                sender = subprocess.Popen([self.sender, CAPTURE, mode, str(rate), str(min(self.options.seconds, 5))],
                                          stdout=subprocess.DEVNULL)
            if not select.select([read_end], [], [], 1.0)[0]:
                if sender.poll() is not None:
                    break
                continue
            piece = os.read(read_end, 1 << 16)
            now = time.time()
            if not piece:
                break
            # A line that began in the piece before is not older than that piece's first.
            begin = 0 if rest.endswith(b"\n") or first else piece.find(b"\n") + 1
            end = piece.find(b"\n", begin)
            line, rest = piece[begin:end], piece[-1:]
            kind = re.search(rb'"kind":"(frame|http\.request|http\.response)","ts":"([^"]+)"', line) if end > 0 else None
            if kind and not first:
                text = kind[2].decode()
                at = datetime.fromisoformat(text[:19] + "+00:00").timestamp() + float("0." + text[20:29])
                delays.append(now - at)
            first = False
        sender.wait()
        observer.process.send_signal(signal.SIGTERM)
        while os.read(read_end, 1 << 16):
            pass
        os.close(read_end)
        observer.process.communicate()
        return delays

    def idle(self):
        observer = Observer(self)
        time.sleep(1)  # what its start still has to do
        before, begin = observer.cpu(), time.monotonic()
        time.sleep(self.options.seconds)
        share = (observer.cpu() - before) / (time.monotonic() - begin)
        observer.end()
        return share


def spread(values, digits=2):
    return f"**{statistics.median(values):.{digits}f}** [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def verdict(met):
    return "met" if met else "NOT MET"


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def measure(bench):
    bench.say(f"## Live: `observe -o json` and `tcpdump -w /dev/null`, {bench.options.pairs} pairs of {bench.options.seconds:g} s each")
    bench.say()
    bench.say("| load | ratio of CPU: median [min–max] | goal | verdict | hopscope, share of a core | tcpdump | sender's CPU, ratio "
              "| goodput, ratio | goal | verdict | packets a second | dropped (tcpdump) |")
    bench.say("|" + "---|" * 12)
    loads = bench.options.load or list(LOADS)
    for load in loads:
        ours, theirs = bench.pairs(load)
        # Per unit sent: where the machine is too busy for the rate, the two have not seen equally much.
        ratios = [a["cpu"] / a["units"] / (b["cpu"] / b["units"]) for a, b in zip(ours, theirs)]
        goodput = [a["goodput"] / b["goodput"] for a, b in zip(ours, theirs)]
        sender = [a["sender_cpu"] / a["units"] / (b["sender_cpu"] / b["units"]) for a, b in zip(ours, theirs)]
        goal = LOADS[load][1]
        share = [statistics.median(run["cpu"] / run["seconds"] for run in runs) for runs in (ours, theirs)]
        dropped = [sum(run["dropped"] for run in runs) for runs in (ours, theirs)]
        bench.say(f"| {load} | {spread(ratios)} | {f'≤ {goal}' if goal else '–'} "
                  f"| {verdict(statistics.median(ratios) <= goal) if goal else '–'} | {share[0]:.2%} | {share[1]:.2%} "
                  f"| {spread(sender)} | {spread(goodput)} | ≥ {GOODPUT_MIN} | {verdict(statistics.median(goodput) >= GOODPUT_MIN)} "
                  f"| {median(theirs, 'packets') / median(theirs, 'seconds'):,.0f} | {dropped[0]:,} ({dropped[1]:,}) |")
    bench.say()
    for load in loads:
        bench.say(f"- {load}: {LOADS[load][2]}")
    bench.say()
    bench.say("| load | event on stdout after its packet: median, 99 %, max | goal | verdict |")
    bench.say("|---|---|---|---|")
    for load in loads:
        delays = sorted(bench.delays(load))
        if not delays:
            bench.say(f"| {load} | nothing was told | | NOT MET |")
            continue
        high = delays[min(len(delays) - 1, int(len(delays) * 0.99))]
        bench.say(f"| {load} | {statistics.median(delays) * 1000:.0f} ms, {high * 1000:.0f} ms, {delays[-1] * 1000:.0f} ms "
                  f"| ≤ {DELAY_MAX_S * 1000:.0f} ms | {verdict(delays[-1] <= DELAY_MAX_S)} |")
    bench.say()
    idle = bench.idle()
    bench.say(f"Idle: {idle:.2%} of a core (goal ≤ {IDLE_MAX:.1%}, {verdict(idle <= IDLE_MAX)}).")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15, help="of runs that follow each other, per load (15)")
    parser.add_argument("--seconds", type=float, default=10, help="of traffic per run (10)")
    parser.add_argument("--load", action="append", choices=LOADS, help="only this one (may be repeated)")
    parser.add_argument("--observe-option", action="append", metavar="OPTION", help="passed on to hopscope observe (--observe-option=--ebpf=off)")
    parser.add_argument("--hopscope", default=ROOT / "build/release/hopscope", help="the program to measure")
    parser.add_argument("--tools", default=ROOT / "build/bench", help="where live_send was built")
    parser.add_argument("--report", help="also write the tables to this file")
    options = parser.parse_args()
    need_own_network("live", (options.hopscope, pathlib.Path(options.tools) / "live_send"))
    bench = Bench(options)
    measure(bench)
    if options.report:
        pathlib.Path(options.report).write_text("\n".join(bench.lines) + "\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
