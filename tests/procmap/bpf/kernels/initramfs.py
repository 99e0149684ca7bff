"""initramfs.py FOLDER FILE: packs a folder as a gzip-compressed cpio archive (form "newc"), everything owned by root."""
import gzip
import os
import sys


def main(folder, file):
    number = 0
    with gzip.open(file, "wb", 1) as out:

        def add(name, mode, data=b""):
            nonlocal number
            number += 1
            raw = name.encode() + b"\0"
            fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
            head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
            out.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

        for root, folders, files in os.walk(folder):
            for name in sorted(folders) + sorted(files):
                path = os.path.join(root, name)
                inside = os.path.relpath(path, folder)
                if os.path.islink(path):
                    add(inside, 0o120777, os.readlink(path).encode())
                elif os.path.isdir(path):
                    add(inside, 0o40755)
                else:
                    with open(path, "rb") as source:
                        add(inside, 0o100755, source.read())
        add("TRAILER!!!", 0)


main(sys.argv[1], sys.argv[2])
