"""The inputs of the benchmarks: their names, how they are made, and where they lie."""
import hashlib
import json
import pathlib
import subprocess

# Seeds and parameters are fixed: the same arguments give the same bytes on every machine.
ARGUMENTS = {
    "exec_gso_100m": "-S 11 -b 100 -c 1 -C 1 -m 65483 -f 32768 -k 100,0,0,0,0",
    "exec_gso_1g": "-S 12 -b 1000 -c 1 -C 1 -m 65483 -f 32768 -k 100,0,0,0,0",
    "exec_coal_100m": "-S 23 -b 110 -c 1 -C 1 -m 65483 -f 32768 -q 0.85 -k 100,0,0,0,0",
    "exec_re_100m": "-S 24 -b 110 -c 4 -C 4 -m 65483 -f 32768 -r 0.02 -x 0.01 -k 100,0,0,0,0",
    "pf_mss_100m": "-S 13 -b 93 -c 1 -C 1 -m 1448 -f 32768 -k 0,100,0,0,0",
    "pf_mss_1g": "-S 14 -b 930 -c 1 -C 1 -m 1448 -f 32768 -k 0,100,0,0,0",
    "tiny_2": "-S 15 -b 2 -c 20 -C 20 -m 65483 -F 64 -f 200 -a 1 -k 100,0,0,0,0",
    "tiny_100m": "-S 15 -b 24 -c 20 -C 20 -m 65483 -F 64 -f 200 -a 1 -k 100,0,0,0,0",
    "short_10k": "-S 16 -b 5 -c 10000 -C 64 -m 65483 -f 1000 -a 1 -k 50,20,20,5,5",
    "short_100k": "-S 16 -b 50 -c 100000 -C 64 -m 65483 -f 1000 -a 1 -k 50,20,20,5,5",
    "conc_10k": "-S 17 -b 100 -c 10000 -C 10000 -m 1448 -f 4096 -k 40,20,20,15,5",
    "reord_100m": "-S 18 -b 93 -c 8 -C 8 -m 1448 -f 32768 -r 0.01 -x 0.005 -k 50,50,0,0,0",
    "lossy_100m": "-S 19 -b 93 -c 8 -C 8 -m 1448 -f 32768 -r 0.01 -x 0.005 -d 0.0001 -k 50,50,0,0,0",
    "http10255_100m": "-S 20 -b 95 -c 1000 -C 20 -m 1448 -f 20000 -F 200 -k 0,0,100,0,0",
    "tls10250_100m": "-S 21 -b 97 -c 200 -C 20 -m 1448 -f 16384 -F 200 -R -k 0,0,0,100,0",
    "mixed_20m": "-S 22 -b 19 -c 200 -C 50 -m 16000 -F 100 -f 16384 -k 35,25,20,15,5",
    "mixed_100m": "-S 22 -b 95 -c 200 -C 200 -m 16000 -F 100 -f 16384 -k 35,25,20,15,5",
    "mixed_1g": "-S 22 -b 950 -c 2000 -C 200 -m 16000 -F 100 -f 16384 -k 35,25,20,15,5",
}


class Input:
    """One generated capture and what is truly in it."""

    def __init__(self, name, path, truth):
        self.name, self.path, self.truth = name, path, truth
        self.bytes = truth["file_bytes"]
        self.packets = truth["packets"]
        self.sessions = truth["sessions"]

    def size(self):
        return f"{self.bytes / 1e6:,.0f} MB"


class Inputs:
    """Makes captures when they are asked for, and keeps them while generator and arguments stay the same."""

    def __init__(self, generator, folder):
        self.generator, self.folder = generator, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.version = hashlib.sha256(pathlib.Path(generator).read_bytes()).hexdigest()[:16]

    def get(self, name):
        path, note = self.folder / f"{name}.pcap", self.folder / f"{name}.json"
        key = f"{self.version} {ARGUMENTS[name]}"
        if path.exists() and note.exists():
            known = json.loads(note.read_text())
            if known.get("made_by") == key and path.stat().st_size == known["truth"]["file_bytes"]:
                return Input(name, path, known["truth"])
        truth_file = self.folder / f"{name}.truth"
        subprocess.run([self.generator, *ARGUMENTS[name].split(), "-o", path, "--truth", truth_file], check=True)
        truth = json.loads(truth_file.read_text())
        truth_file.unlink()
        note.write_text(json.dumps({"made_by": key, "truth": truth}))
        return Input(name, path, truth)
