"""The socket table against ss and lsof, on a machine that is full of sockets (see README.md)."""
import json
import shutil
import socket
import statistics
import subprocess
import time

PROCESSES, LIFE_S = 1000, 300
YOUNG_S = 11  # processes younger than ten seconds are looked at again by each refresh: they may still run another program


def measure(bench, spread, verdict):
    bench.say("## Sockets (1,000 processes with 10 sockets each)")
    bench.say()
    tools = bench.measure_program.parent
    with subprocess.Popen([tools / "sockets", str(PROCESSES), str(LIFE_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        try:
            if crowd.stdout.readline().strip() != "ready":
                bench.say("Skipped: the sockets could not be opened.")
                bench.say()
                return
            time.sleep(YOUNG_S)
            compare(bench, tools, spread, verdict)
        finally:
            crowd.stdin.close()


def compare(bench, tools, spread, verdict):
    ours = tools / "socket_map"
    once = told_by(ours, "1")
    bench.say(f"{once['sockets']:,} sockets, {once['owned']:,} with an owner, {once['processes']:,} processes.")
    bench.say()
    bench.table("what", "ratio of CPU: median [min–max]", "ours", "theirs", "goal", "verdict")

    def pair(name, mine, others, goal):
        if shutil.which(others[0]) is None:
            bench.row(name, "not installed", "–", "–", f"≤ {goal}" if goal else "–", "–")
            return
        ratios, our_times, their_times = bench.paired(mine, others, bench.options.pairs)
        bench.row(name, spread(ratios), milliseconds(our_times, 1000), milliseconds(their_times, 1000), f"≤ {goal}" if goal else "–",
                  verdict(statistics.median(ratios) <= goal) if goal else "the floor")

    for command, goal in ((["ss", "-tlnp"], 0.75), (["lsof", "-nP", "-i"], 0.25)):
        pair(f"full map / `{' '.join(command)}`", [ours, "1"], command, goal)
        pair(f"only reading all links of /proc/*/fd / `{' '.join(command)}`", [tools / "fd_walk"], command, None)
    iterator(bench, tools, spread, verdict)
    ratios, full, later = [], [], []
    for _ in range(bench.options.pairs):
        times = told_by(ours, "6")["cpu_ms"]
        full.append(times[0])
        later.append(statistics.median(times[1:]))
        ratios.append(later[-1] / full[-1])
    bench.row("refresh with nothing new / full map", spread(ratios), milliseconds(later), milliseconds(full), "≤ 0.2",
              verdict(statistics.median(ratios) <= 0.2))
    why(bench, spread, verdict)
    bench.say()


def iterator(bench, tools, spread, verdict):
    """One pass of the eBPF iterator after loading, against a whole `ss -tlnp` and against our map without eBPF."""
    ratios = {"`ss -tlnp`": [], "full map": []}
    passes, others = [], {"`ss -tlnp`": [], "full map": []}
    for _ in range(bench.options.pairs):
        try:
            passes.append(statistics.median(told_by(tools / "socket_scan", "5")["cpu_ms"]))
        except subprocess.CalledProcessError as error:
            bench.row("one pass of the iterator (eBPF)", f"not here: {error.stderr.strip()}", "–", "–", "≤ 0.15", "–")
            return
        others["`ss -tlnp`"].append(bench.cpu("ss", "-tlnp") * 1000)
        others["full map"].append(told_by(tools / "socket_map", "1")["cpu_ms"][0])
        for name, times in others.items():
            ratios[name].append(passes[-1] / times[-1])
    for name, goal in (("`ss -tlnp`", 0.15), ("full map", None)):
        bench.row(f"one pass of the iterator (eBPF) / {name}", spread(ratios[name]), milliseconds(passes), milliseconds(others[name]),
                  f"≤ {goal}" if goal else "–", verdict(statistics.median(ratios[name]) <= goal) if goal else "–")


def why(bench, spread, verdict):
    """The question of a user, answered on this full machine: time on the clock, not CPU."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        runs = [bench.measure(bench.hopscope, "why", port) for _ in range(bench.options.pairs)]
    times = [run["wall_s"] * 1000 for run in runs]
    bench.row("`hopscope why PORT`, on the clock", f"{spread(times, 0)} ms", milliseconds([run["cpu_s"] for run in runs], 1000) + " CPU", "–",
              "≤ 150 ms", verdict(statistics.median(times) <= 150 and all(run["exit"] == 0 for run in runs)))


def told_by(*command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def milliseconds(times, factor=1):
    return f"{statistics.median(times) * factor:.0f} ms"
