#!/usr/bin/env python3
"""End-to-end tests of the program as a user runs it: run.py [--bin PATH] [--asan PATH] [--only WORD] [-v]

Every test is a function below; its docstring is the sentence that it proves. A test that needs a tool which is not
here is reported as skipped, with the reason. Ends with 'N passed, N failed, N skipped'. Python 3.11, standard library;
python3-jsonschema for the schema test.
"""
import argparse, collections, gzip, hashlib, json, os, pty, random, re, shutil, subprocess, sys, tempfile

import captures
from each import Skip, run_each

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.path.join(ROOT, "testdata", "captures")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class World:
    def __init__(self, args, folder):
        self.bin, self.asan, self.folder = args.bin, args.asan, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *argv, code=0, stdin=b"", env=None, binary=None, timeout=60):
        """Runs the program; fails when its exit status is not `code` (a number, a set, or None for any)."""
        done = subprocess.run([binary or self.bin, *map(str, argv)], input=stdin, capture_output=True, timeout=timeout,
                              env={**os.environ, "HOPSCOPE_CONFIG": "/dev/null", **(env or {})})
        allowed = {code} if isinstance(code, int) else code
        assert allowed is None or done.returncode in allowed, \
            f"hopscope {' '.join(map(str, argv))}: exit {done.returncode}, want {code}: {done.stderr.decode(errors='replace')[-400:]}"
        return done

    def report(self, *argv):
        return json.loads(self.run("analyze", *argv, "-o", "json").stdout)

    def lines(self, *argv):
        return [json.loads(line) for line in self.run("analyze", *argv, "-o", "ndjson").stdout.splitlines()]


def truth_files(folder):
    for name in sorted(os.listdir(os.path.join(DATA, folder))):
        if name.endswith(".truth.json"):
            with open(os.path.join(DATA, folder, name), encoding="utf-8") as file:
                truth = json.load(file)
            yield os.path.join(DATA, folder, truth["file"]), truth


def checker(world, script, folder):
    done = subprocess.run([sys.executable, os.path.join(HERE, script), "--bin", world.bin, "--dir", os.path.join(DATA, folder)], capture_output=True, text=True)
    last = done.stdout.strip().splitlines()[-1]
    passed = int(last.split()[0])
    assert done.returncode == 0 and passed > 0, done.stdout[-3000:]
    return last


@test
def truth_runtime(world):
    """every session and stream of the runtime captures is what the client programs saw, byte for byte"""
    return checker(world, "check_captures.py", "runtime")


@test
def truth_node(world):
    """every session and stream on all hops of the node captures is right, TLS included"""
    return checker(world, "check_captures.py", "node")


@test
def truth_chains(world):
    """every user action of the node captures is one chain, with keys, without, and without the session header"""
    return checker(world, "check_chains.py", "node")


@test
def tshark_agrees_on_spdy(world):
    """tshark sees the same SPDY frames, field by field, in every complete capture"""
    if not shutil.which("tshark"):
        raise Skip("tshark is not installed")
    compared = 0
    for path, truth in truth_files("runtime"):
        if not all(s.get("complete") for s in truth["sessions"]):
            continue
        fields = ["tcp.stream", "tcp.srcport", "spdy.type", "spdy.streamid", "spdy.flags", "spdy.length"]
        # Only one interface of a capture that holds every packet twice.
        only = ["frame.interface_id==0 and spdy"] if path.endswith("ng") else ["spdy"]
        out = subprocess.run(["tshark", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", *only, "-T", "fields", "-E", "occurrence=a",
                              *sum((["-e", f] for f in fields), [])], capture_output=True, text=True).stdout
        theirs = collections.Counter()
        for line in out.splitlines():
            _, port, types, streams, flags, lengths = (line.split("\t") + [""] * 6)[:6]
            lengths, flags = lengths.split(","), flags.split(",")
            types = types.split(",") if types else []
            for i, length in enumerate(lengths):
                theirs[(int(port), int(length), int(flags[i], 0) if i < len(flags) and flags[i] else 0)] += 1
        ours = collections.Counter()
        flows = {}
        for line in world.lines(path):
            if line["kind"] == "session.open":
                flows[line["flow"]] = line
            if line["kind"] == "frame":
                session = flows[line["flow"]]
                side = session["client"] if line["direction"] == "in" else session["server"]
                ours[(side["port"], line["length"], line.get("flags", 0))] += 1
        assert ours == theirs, f"{os.path.basename(path)}: only hopscope {list((ours - theirs).items())[:5]}, only tshark {list((theirs - ours).items())[:5]}"
        compared += sum(ours.values())
    assert compared > 500, compared
    return f"{compared} frames"


@test
def json_matches_schema(world):
    """reports and event lines of every capture are valid against the schemas that hopscope prints"""
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed")
    report = jsonschema.Draft202012Validator(json.loads(world.run("schema", "report").stdout))
    event = jsonschema.Draft202012Validator(json.loads(world.run("schema", "event").stdout))
    count = 0
    for folder in ("runtime", "node"):
        for path, _ in truth_files(folder):
            errors = list(report.iter_errors(world.report(path)))
            assert not errors, f"{path}: {errors[0].message} at {list(errors[0].path)}"
            for number, line in enumerate(world.lines(path)):
                errors = list(event.iter_errors(line)) if number < 200 else []
                assert not errors, f"{path} line {number}: {errors[0].message}"
                count += 1
    return f"{count} lines"


@test
def ndjson_tells_the_report(world):
    """NDJSON holds the same session objects as the report, begins with capture.start and ends with capture.end"""
    for path, _ in truth_files("runtime"):
        lines = world.lines(path)
        assert lines[0]["kind"] == "capture.start" and lines[-1]["kind"] == "capture.end", path
        assert [line["seq"] for line in lines] == list(range(lines[0]["seq"], lines[0]["seq"] + len(lines))), path
        strip = lambda s: {k: v for k, v in s.items() if k not in ("schema", "kind", "ts", "seq", "flow", "frame")}
        told = {line["session"]: strip(line) for line in lines if line["kind"] == "session"}
        report = world.report(path)
        for session in report["sessions"]:
            assert strip(session) == told[session["session"]], f"{path} {session['session']}"
        codes = lambda items: sorted((f["code"], f.get("session", "")) for f in items)
        assert codes(report["findings"]) == codes(line for line in lines if line["kind"] == "finding"), path


@test
def packing_does_not_matter(world):
    """gzip, zstd, standard input, and a capture split in two files give the same sessions"""
    path = os.path.join(DATA, "runtime", "exec_stdout_stderr.pcap")
    want = world.report(path)["sessions"]
    with open(path, "rb") as file:
        raw = file.read()
    with gzip.open(world.path("a.pcap.gz"), "wb") as file:
        file.write(raw)
    assert world.report(world.path("a.pcap.gz"))["sessions"] == want
    assert json.loads(world.run("analyze", "-", "-o", "json", stdin=raw).stdout)["sessions"] == want
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-q", "-f", path, "-o", world.path("a.pcap.zst")], check=True)
        assert world.report(world.path("a.pcap.zst"))["sessions"] == want
    head, packets = captures.split(raw)
    for name, part in (("b.pcap", packets[::2]), ("c.pcap", packets[1::2])):
        with open(world.path(name), "wb") as file:
            file.write(head + b"".join(part))
    merged = world.report(world.path("b.pcap"), world.path("c.pcap"))["sessions"]
    assert [(s["op"], s["state"], s["bytes"], s["complete"]) for s in merged] == [(s["op"], s["state"], s["bytes"], s["complete"]) for s in want]


@test
def no_secret_by_default(world):
    """a bearer token, a password on stdin, a command and a token in the URL stand in no default output and in no masked copy"""
    path, secrets = captures.with_planted_secrets(world.path("secrets.pcap"))
    outputs = {" ".join(o): world.run("analyze", path, *o).stdout for o in ([], ["-o", "json"], ["-o", "ndjson"], ["-o", "md"], ["--section", "all"])}
    world.run("mask", path, world.path("masked.pcapng"))
    world.run("extract", path, "--session", "s1", "--format", "cast", "-O", world.path("s.cast"))
    outputs["cast"] = open(world.path("s.cast"), "rb").read()
    for name in ("masked.pcapng",):
        outputs[name] = open(world.path(name), "rb").read()
    for name, text in outputs.items():
        assert text, name
        for what, secret in secrets.items():
            if name == "cast" and what == "output":
                continue  # extract was asked for stdout by name
            assert secret.encode() not in text, f"{what} in {name}"
    shown = world.run("analyze", path, "-o", "json", "--reveal", "all").stdout
    assert secrets["token in the URL"].encode() in shown, "--reveal shows it: the test would notice a leak"
    assert secrets["command"].encode() in shown


@test
def masked_captures_tell_the_same(world):
    """a masked copy has the same sessions, states, exit codes, sizes and streams as the original, and other programs read it"""
    for path, truth in truth_files("runtime"):
        if not all(s.get("complete") for s in truth["sessions"]):
            continue
        for name in ("m.pcapng", "m.pcap"):
            if os.path.exists(world.path(name)):
                os.unlink(world.path(name))
        world.run("mask", path, world.path("m.pcapng"))
        keys = ("op", "state", "proto", "subprotocol", "hop", "exit_code", "status", "tty", "bytes", "gaps", "complete", "client", "server", "start")
        brief = lambda r: [({k: s.get(k) for k in keys}, [(x["id"], x["type"], x["bytes"]) for x in s.get("streams", [])]) for s in r["sessions"]]
        assert brief(world.report(world.path("m.pcapng"))) == brief(world.report(path)), path
    if shutil.which("tcpdump"):
        assert subprocess.run(["tcpdump", "-nr", world.path("m.pcapng")], capture_output=True).returncode == 0


@test
def extract_writes_exact_bytes(world):
    """extract writes what the command printed, alone on standard output, and refuses to guess between sessions"""
    path = os.path.join(DATA, "runtime", "exec_stdout_stderr.pcap")
    truth = json.load(open(path.replace(".pcap", ".truth.json")))
    for stream in truth["sessions"][0]["streams"]:
        if stream.get("sha256_out"):
            got = world.run("extract", path, "--stream", stream["type"], "-O", "-").stdout
            assert hashlib.sha256(got).hexdigest() == stream["sha256_out"], stream
    many = os.path.join(DATA, "runtime", "exec_parallel10.pcap")
    done = world.run("extract", many, code=2)
    assert b"s1" in done.stderr and b"--session" in done.stderr, done.stderr
    world.run("extract", many, "--session", "s99", code=3)


@test
def asciicast_plays(world):
    """an extracted tty session is an asciicast v2 that asciinema plays to the end"""
    path = os.path.join(DATA, "runtime", "exec_tty_resize.pcap")
    cast = world.path("tty.cast")
    world.run("extract", path, "--format", "cast", "-O", cast)
    lines = open(cast, encoding="utf-8").read().splitlines()
    header = json.loads(lines[0])
    assert header["version"] == 2 and header["width"] > 0 and "command" not in header, header
    events = [json.loads(line) for line in lines[1:]]
    assert {e[1] for e in events} >= {"o", "r"} and "i" not in {e[1] for e in events}
    if not shutil.which("asciinema"):
        raise Skip("asciinema is not installed (the file's form was checked)")
    child, fd = pty.fork()
    if child == 0:
        os.execvp("asciinema", ["asciinema", "play", "-i", "0.01", "-s", "1000", cast])
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@test
def usage_errors_are_clear(world):
    """wrong command lines exit 2 with one line that names the slip, and never an abbreviation is guessed"""
    path = os.path.join(DATA, "runtime", "exec_exit3.pcap")
    for argv, words in ((["analyse", path], b"did you mean 'analyze'"), (["analyze"], b"needs FILE"), (["analyze", path, "--out", "json"], b"did you mean '--output'"),
                        (["analyze", path, "-o", "xml"], b"text json"), (["analyze", path, "--reveal", "tokens"], b"did you mean 'token'"),
                        (["version", "stray"], b"stray"), (["analyze", path, "--session", "s1"], b"unknown option"),
                        (["analyze", path, "-f", "latencyy > 5"], b"FLT-01"), (["analyze", path, "-f", "duration > 5 apples"], b"FLT-0"),
                        (["analyze", path, "--mem", "lots"], b"256MiB"), (["decode", "--hex", "8g"], b"hexadecimal")):
        done = world.run(*argv, code=2)
        assert words in done.stderr and not done.stdout, f"{argv}: {done.stderr.decode()}"
    done = world.run(code=2)
    assert done.stderr and not done.stdout
    page = world.run("--help").stdout.decode()
    assert len(page.splitlines()) <= 24 and max(map(len, page.splitlines())) <= 80, page


@test
def exit_codes(world):
    """exit codes are as hopscope help exit-codes says"""
    good = os.path.join(DATA, "runtime", "exec_exit3.pcap")
    bad = os.path.join(DATA, "runtime", "portforward_refused.pcap")
    world.run("analyze", "no-such-file.pcap", code=5)
    world.run("analyze", os.path.join(ROOT, "README.md"), code=5)
    world.run("analyze", world.folder, code=5)
    world.run("analyze", good, "--fail-on", "warning", code=0)
    world.run("analyze", bad, "--fail-on", "warning", code=8)
    world.run("analyze", good, "-f", "op == attach", code=3)
    raw = open(good, "rb").read()
    open(world.path("cut.pcap"), "wb").write(raw[:-10])
    done = world.run("analyze", world.path("cut.pcap"), code=0)
    assert b"CAP-11" in done.stderr, done.stderr
    world.run("analyze", world.path("cut.pcap"), "--strict", code={5, 6})
    world.run("analyze", os.path.join(DATA, "runtime", "var_snap96.pcap"), "--strict", code=6)
    assert world.run("extract", good, "--stream", "stdout").stdout == b"bye\n"


@test
def pipes_stay_clean(world):
    """no escape code and no progress on a pipe, colour never with NO_COLOR, and a reader that goes away is no error"""
    path = os.path.join(DATA, "runtime", "portforward_two_ports.pcap")
    for env in ({}, {"NO_COLOR": "1"}, {"LC_ALL": "C"}, {"TERM": "dumb"}):
        done = world.run("analyze", path, env=env)
        assert b"\x1b" not in done.stdout and not done.stderr, done.stderr
    coloured = world.run("analyze", path, "--color", "always").stdout
    assert b"\x1b[" in coloured
    assert world.run("analyze", path, "--ascii").stdout.isascii()
    done = subprocess.run(f"'{world.bin}' analyze '{path}' -o ndjson | head -n 1", shell=True, capture_output=True)
    assert not done.stderr and done.stdout.count(b"\n") == 1


@test
def decode_explains_bytes(world):
    """decode names the frames of the golden vectors, by hex, by file and from standard input"""
    out = world.run("decode", "-", stdin=b"80 03 00 06 00 00 00 04 00 00 00 01\n").stdout.decode()
    assert "PING" in out and "odd: from the client" in out, out
    out = world.run("decode", "--proto", "ws", "--hex", "82 03 01 68 69").stdout.decode()
    assert "binary" in out and "channel 1" in out and "hi" not in out, out
    assert "hi" in world.run("decode", "--proto", "ws", "--hex", "82 03 01 68 69", "--reveal", "payload").stdout.decode()
    syn = "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff"
    assert "error" in world.run("decode", "--hex", syn).stdout.decode()


@test
def damaged_captures_do_no_harm(world):
    """1,000 damaged copies of real captures (bits flipped, cut, shuffled, doubled): no crash, no hang, memory bounded"""
    seeds = [p for p, _ in truth_files("runtime")] + [p for p, _ in truth_files("node")]
    rng = random.Random(20261121)
    binary = world.asan if world.asan and os.path.exists(world.asan) else None
    for round_ in range(1000):
        path = seeds[round_ % len(seeds)]
        damaged = captures.damage(open(path, "rb").read(), rng)
        name = world.path("damaged.pcap")
        with open(name, "wb") as file:
            file.write(damaged)
        form = ("json", "ndjson", "text", "md")[round_ % 4]
        done = world.run("analyze", name, "-o", form, "--reveal", "all", code={0, 5}, binary=binary, timeout=30)
        if form == "json" and done.returncode == 0:
            json.loads(done.stdout)
    if binary is None:
        return "with the release binary (no sanitizer build here)"


@test
def memory_is_bounded(world):
    """a capture of many short sessions takes no more memory as NDJSON or text than a small one, and --mem bounds -o json"""
    small, large = world.path("few.pcap"), world.path("many.pcap")
    captures.many_sessions(small, 50)
    captures.many_sessions(large, 20_000)

    def peak(*argv):
        child = subprocess.Popen([world.bin, "analyze", *argv, "--stats"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        text = child.communicate()[1].decode()
        assert child.returncode == 0, text
        return float(re.search(r"peak memory ([0-9.]+) MB", text)[1])

    base = peak(small, "-o", "ndjson")
    for form in ("ndjson", "text"):
        assert peak(large, "-o", form) < max(16, base + 4), (form, peak(large, "-o", form))
    assert peak(large, "-o", "json", "--mem", "4MiB") < base + 12
    report = json.loads(world.run("analyze", large, "-o", "json", "--mem", "1MiB").stdout)
    assert report["loss"]["limit_memory"] > 0 and len(report["sessions"]) < 20_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/hopscope"))
    parser.add_argument("--asan", default=os.path.join(ROOT, "build/asan/hopscope"))
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true", help="where a test fails, the trace")
    args = parser.parse_args()
    args.bin = os.path.abspath(args.bin)

    def in_folder(function):
        with tempfile.TemporaryDirectory() as folder:
            return function(World(args, folder))

    return run_each([function for function in TESTS if args.only in function.__name__], in_folder, trace=args.v)


if __name__ == "__main__":
    sys.exit(main())
