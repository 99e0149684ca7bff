"""Container images made here: one static busybox, packed as `docker save` does, so that no registry is asked.
Python 3.11, standard library."""
import hashlib, io, json, platform, tarfile

BUSYBOX = "localhost/hopscope/busybox:1"
PAUSE = "localhost/hopscope/pause:1"  # the same image; containerd starts it as the pod's sandbox
APPLETS = ("sh", "cat", "echo", "sleep", "httpd", "nc", "id", "ls", "stty", "head", "true", "false", "wc", "yes", "kill")


def _tar(entries):
    """entries: (name, bytes or None for a folder or "target" for a link, mode)"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def write(path, busybox):
    """Writes the archive; `busybox` is the path of a static busybox."""
    with open(busybox, "rb") as file:
        program = file.read()
    layer = _tar([(folder, None, 0o755) for folder in ("bin", "dev", "etc", "proc", "sys", "tmp", "www")]
                 + [("bin/busybox", program, 0o755)] + [(f"bin/{applet}", "busybox", 0o777) for applet in APPLETS]
                 + [("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644), ("www/index.html", b"hello from the pod\n", 0o644)])
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()), "os": "linux", "config": {"Cmd": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
                         "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "hopscope's test rig"}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [BUSYBOX, PAUSE], "Layers": [digest + "/layer.tar"]}]).encode()
    with open(path, "wb") as file:
        file.write(_tar([("manifest.json", manifest, 0o644), (name, config, 0o644), (digest, None, 0o755), (digest + "/layer.tar", layer, 0o644)]))
    return path
