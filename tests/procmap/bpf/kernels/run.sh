#!/usr/bin/env bash
# run.sh [KERNEL[:LOCKDOWN]…]: boots Debian's 5.10, 6.1 and 6.12 kernels in QEMU (software emulation, no privileges), 6.1 also in
# lockdown "integrity" and "confidentiality", and runs probe.cc and told.sh in each.
# Everything is fetched with apt-get download and unpacked below build/kernels; nothing is installed. About 150 MB and five minutes.
# Needs a configured build: BUILD=build/release by default.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
build=$(realpath "${BUILD:-build/release}")
here=tests/procmap/bpf/kernels
work=$PWD/build/kernels
kernels=("${@:-5.10 6.1 6.1:integrity 6.1:confidentiality 6.12}")
read -r -a kernels <<<"${kernels[*]}"
mkdir -p "$work"/{debs,root,apt/state/lists/partial,apt/cache/archives/partial}

# Three releases of Debian, from where this machine gets its own packages.
archive() { apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk -v release="$1" '$2 == release {print $1; exit}'; }
main=$(archive bookworm) security=$(archive bookworm-security)
[ -n "$main" ] && [ -n "$security" ] || { echo "run.sh: apt has no lists of bookworm and bookworm-security: sudo apt-get update" >&2; exit 77; }
cat > "$work/apt/sources.list" <<LIST
deb $main bookworm main
deb $security bookworm-security main
deb $main bullseye main
deb $security bullseye-security main
deb $main trixie main
LIST
own=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/nonexistent -o "Dir::State=$work/apt/state"
     -o "Dir::Cache=$work/apt/cache" -o Dir::State::status=/dev/null -o "APT::Sandbox::User=$(id -un)")

fetch() {  # unpacks packages by the machine's own list, once
    local package
    for package in "$@"; do
        compgen -G "$work/debs/${package}_*.deb" >/dev/null || (cd "$work/debs" && apt-get download "$package" >/dev/null 2>&1) || true
    done
    for package in "$work"/debs/*.deb; do
        [ -f "$package.done" ] || { dpkg-deb -x "$package" "$work/root" && touch "$package.done"; }
    done
}

kernel() {  # the file of the newest cloud kernel of a version
    local image name
    image=$(compgen -G "$work/root/boot/vmlinuz-$1.*-cloud-amd64" | sort -V | tail -n 1 || true)
    if [ -z "$image" ]; then
        [ -s "$work/apt/cache/pkgcache.bin" ] || apt-get "${own[@]}" update >/dev/null
        name=$(apt-cache "${own[@]}" search --names-only "^linux-image-${1//./\\.}\..*cloud-amd64$" | awk '{print $1}' | grep -v unsigned | sort -V | tail -n 1)
        (cd "$work/debs" && apt-get "${own[@]}" download "$name" >/dev/null)
        dpkg-deb --fsys-tarfile "$work"/debs/"${name}"_*.deb | tar -x -C "$work/root" ./boot
        image=$(compgen -G "$work/root/boot/vmlinuz-$1.*-cloud-amd64" | sort -V | tail -n 1)
    fi
    echo "$image"
}

qemu_packages=$(apt-get install --no-install-recommends -s qemu-system-x86 2>/dev/null | awk '/^Inst/{print $2}')
fetch busybox-static qemu-system-x86 $qemu_packages

cmake --build "$build" --target hopscope_procmap_bpf hopscope_core hopscope -- --quiet
g++ -O1 -static -std=c++20 -Isrc "$here/probe.cc" "$(find "$build" -name libhopscope_procmap_bpf.a)" "$(find "$build" -name libhopscope_core.a)" \
    -lbpf -lelf -lz -o "$work/probe"
init=$work/init
rm -rf "$init"
mkdir -p "$init"/{bin,dev,proc,sys,tmp}
cp "$work/root/bin/busybox" "$init/bin/busybox"
ln -s busybox "$init/bin/sh"
cp "$work/probe" "$here/told.sh" "$init/"
cp "$build/hopscope" "$init/bin/hopscope"
strip -g "$init/bin/hopscope"
# The program as it is, with the libraries that it is linked with.
ldd "$build/hopscope" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$init$(dirname "$library")"
    cp -L "$library" "$init$library"
done
cat > "$init/init" <<'INIT'
#!/bin/sh
export PATH=/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t securityfs securityfs /sys/kernel/security
/bin/busybox ip link set lo up
/probe
/bin/sh /told.sh
/bin/busybox poweroff -f
INIT
chmod +x "$init/init"
python3 "$here/initramfs.py" "$init" "$work/init.img"

failed=0
for one in "${kernels[@]}"; do
    version=${one%%:*} lockdown=
    [ "$version" = "$one" ] || lockdown=${one#*:}
    image=$(kernel "$version")
    log=$work/${one/:/-}.log
    cpu=max processors=2
    # QEMU 7.2 brings this kernel down with more.
    [ "$version" = 6.12 ] && cpu=Nehalem processors=1
    echo "== $(basename "$image")${lockdown:+, lockdown $lockdown}"
    LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu" timeout "${SECONDS_EACH:-400}" \
        "$(PATH=$work/root/usr/bin:$PATH command -v qemu-system-x86_64)" -L "$work/root/usr/share/qemu" -L "$work/root/usr/share/seabios" \
        -accel tcg -cpu $cpu -smp $processors -m 1024 -nographic -no-reboot -nodefaults -serial stdio -kernel "$image" \
        -initrd "$work/init.img" -append "console=ttyS0 panic=-1 quiet${lockdown:+ lockdown=$lockdown}" </dev/null > "$log" 2>&1 || true
    tr -d '\r' < "$log" | grep -aE '^(ok|FAIL|ALL|NOT|  )' || true
    if ! grep -aq 'ALL RIGHT' "$log" || ! grep -aq "ALL TOLD, lockdown ${lockdown:-none}" "$log"; then failed=1; echo "   see $log"; fi
done
exit $failed
