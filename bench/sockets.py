"""The socket table against ss and lsof, on a machine that is full of sockets (see README.md)."""
import json
import shutil
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
            compare(bench, tools / "socket_map", spread, verdict)
        finally:
            crowd.stdin.close()


def compare(bench, ours, spread, verdict):
    once = json.loads(subprocess.run([ours, "1"], capture_output=True, text=True, check=True).stdout)
    bench.say(f"{once['sockets']:,} sockets, {once['owned']:,} with an owner, {once['processes']:,} processes.")
    bench.say()
    bench.table("what", "ratio of CPU: median [min–max]", "ours", "theirs", "goal", "verdict")
    for command, goal in ((["ss", "-tlnp"], 0.75), (["lsof", "-nP", "-i"], 0.25)):
        if shutil.which(command[0]) is None:
            bench.row(f"full map / `{' '.join(command)}`", "not installed", "–", "–", f"≤ {goal}", "–")
            continue
        ratios, mine, other = bench.paired([ours, "1"], command, bench.options.pairs)
        bench.row(f"full map / `{' '.join(command)}`", spread(ratios),
                  f"{statistics.median(mine) * 1000:.0f} ms", f"{statistics.median(other) * 1000:.0f} ms", f"≤ {goal}",
                  verdict(statistics.median(ratios) <= goal))
    ratios, full, later = [], [], []
    for _ in range(bench.options.pairs):
        times = json.loads(subprocess.run([ours, "6"], capture_output=True, text=True, check=True).stdout)["cpu_ms"]
        full.append(times[0])
        later.append(statistics.median(times[1:]))
        ratios.append(later[-1] / full[-1])
    bench.row("refresh with nothing new / full map", spread(ratios),
              f"{statistics.median(later):.0f} ms", f"{statistics.median(full):.0f} ms", "≤ 0.2", verdict(statistics.median(ratios) <= 0.2))
    bench.say()
