#include "cli/codes.h"

#include <algorithm>
#include <cctype>

namespace hopscope::cli {
namespace {

// Sorted by code.
constexpr CodePage kCodes[] = {
    {"BPF-01", "eBPF cannot be used",
     "The kernel refused to load a program, or hopscope was built without eBPF. Sockets are then read with netlink and "
     "/proc: slower on large nodes, and connections shorter than a poll are missed. Kernels in lockdown "
     "\"confidentiality\" refuse every program that reads kernel memory, whoever asks; \"integrity\" does not.",
     "CAP_BPF and CAP_PERFMON (or root); kernel 5.8 or newer. --ebpf off hides the message."},
    {"BPF-02", "no kernel type information",
     "/sys/kernel/btf/vmlinux is missing, so eBPF programs cannot be fitted to this kernel. Ports, captures and all "
     "protocols work without.",
     "a kernel with CONFIG_DEBUG_INFO_BTF=y, or --ebpf off"},
    {"BPF-03", "tracefs is not mounted",
     "Only hooks on named tracepoints need it; hopscope prefers raw tracepoints, which do not.",
     "mount -t tracefs nodev /sys/kernel/tracing"},
    {"BPF-04", "the socket iterator cannot be used",
     "The kernel has no eBPF iterator over tasks' files (before 5.8), or does not let it run. Sockets are read with "
     "netlink and /proc instead.",
     "CAP_BPF and CAP_PERFMON (or root); kernel 5.8 or newer"},
    {"BPF-05", "kprobes refused",
     "Kernel lockdown or a missing privilege forbids kprobes. Raw tracepoints are used instead.", ""},
    {"BPF-06", "ring buffer refused",
     "The kernel gave no memory for the events of an eBPF program (before 5.11 it counts as locked memory), so "
     "connections shorter than a poll are missed.",
     "ulimit -l unlimited, or CAP_SYS_RESOURCE; kernel 5.8 or newer"},
    {"BPF-07", "cost of the unix tap",
     "While CRI calls and calls to shims are read from unix sockets, every system call of the node runs a few "
     "instructions more, and every write looks whether it is one of these sockets. The row says how much, measured "
     "just "
     "now; where eBPF is refused there is no tap and no cost.",
     "observe --unix-payload off, where it is too much: chains then lack the hops cri and shim"},
    {"CAP-01", "packet capture is not permitted",
     "Reading packets from an interface needs CAP_NET_RAW. Capture files can be read without.",
     "sudo hopscope …, or: setcap cap_net_raw,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep hopscope"},
    {"CAP-02", "no such interface", "The name given with -i is no network interface here.",
     "ip link shows the interfaces"},
    {"CAP-03", "other users' processes are hidden",
     "To name the process behind another user's socket, /proc/PID/fd must be listed (CAP_DAC_READ_SEARCH) and its "
     "links must be read (CAP_SYS_PTRACE). With one of the two alone nothing is seen. A process that a security module "
     "or another user namespace guards refuses even with both: it is named.",
     "sudo hopscope ports, or both capabilities"},
    {"CAP-04", "other network namespaces cannot be entered",
     "Sockets and packets of pods with a network of their own are not seen: the last leg of a port-forward has the "
     "kernel's byte counts only, and without eBPF is not found.",
     "CAP_SYS_ADMIN (or root); observe and record keep it in a process beside themselves that does nothing else"},
    {"CAP-05", "socket tables are not dumped by netlink",
     "A kernel module is missing; /proc/net is read instead, without unix peers.", "modprobe tcp_diag unix_diag"},
    {"CAP-06", "not in the host's pid namespace", "Only the processes of this container are seen.",
     "in a pod: hostPID: true"},
    {"CAP-07", "control groups cannot be read", "Which container a process belongs to is told by its control group.",
     "a mounted /sys/fs/cgroup, and /proc without hidepid"},
    {"CAP-10", "a capture file cannot be read", "It cannot be opened or read.", "check the name and the permission"},
    {"CAP-11", "a capture file is cut off", "It ends inside a record. What came before is reported.",
     "capture again, or stop tcpdump with ^C"},
    {"CAP-12", "no capture file", "hopscope reads pcap and pcapng, plain, gzip or zstd.", ""},
    {"CAP-13", "a record's length cannot be right",
     "It is skipped; reading goes on where the next record is plausible.", ""},
    {"CAP-14", "unknown link type", "Packets of a link type that hopscope does not know are skipped.", ""},
    {"CAP-15", "unknown pcapng block", "A block of unknown type is skipped.", ""},
    {"CAP-16", "recorded socket incomplete", "The index of a recorded socket promises what its files do not hold.", ""},
    {"CAP-20", "the output file cannot be written", "It cannot be created in that place.", "another place"},
    {"CAP-21", "the output file exists", "hopscope does not write over files unless told to.",
     "another name, or --force"},
    {"CAP-22", "writing the capture failed",
     "The disk is full, or the file went away; what was written before is good.", ""},
    {"CAP-23", "the input must be a file", "Masking reads its input twice.", "save it to a file first"},
    {"CAP-24", "an interface cannot be used", "It is down, or went away while it was captured.",
     "ip link set IFACE up"},
    {"CAP-25", "the capture filter was refused",
     "--bpf takes tcpdump's language; hopscope's own filters are given with -f.", "man pcap-filter"},
    {"CAP-26", "the capture could not be started", "libpcap or the kernel refused; the message says why.", ""},
    {"CFG-01", "the configuration file is wrong",
     "A key in it is not known, or has a value that its option does not take.", "hopscope help config"},
    {"CHN-01", "no chain", "The hops of one action were not captured together.",
     "capture loopback and port 10250 at once"},
    {"DEC-01", "nothing to decode", "The bytes fit no protocol that hopscope knows.", "say what it is: --proto spdy"},
    {"EXT-01", "which session?", "The capture holds several sessions, or none.",
     "--session ID; hopscope analyze lists them"},
    {"EXT-02", "no such session or stream", "The capture does not hold it.",
     "hopscope analyze FILE --section sessions,streams"},
    {"FLT-01", "no such filter field", "The filter names a field that does not exist.", "hopscope schema fields"},
    {"FLT-02", "a value does not fit its field", "It has an unknown unit or form.", "hopscope help filter"},
    {"FLT-03", "the filter's grammar is wrong", "The caret shows where.", "hopscope help filter"},
    {"K8S-01", "no kubelet",
     "No process proves to be a kubelet, and none listens on its port. Inside a pod, only the pod's own processes are "
     "seen.",
     "in a pod: hostPID: true and hostNetwork: true, or --host-root /host"},
    {"K8S-02", "no container runtime",
     "No containerd, CRI-O, dockerd or cri-dockerd was found, or its socket did not answer. Pods are then known by "
     "their ids only.",
     "run as root, so that the runtime's socket may be used"},
    {"K8S-03", "no streaming server",
     "No listener proves to be a CRI streaming server. It starts with its runtime; until a first exec nothing but "
     "configuration tells it.",
     "hopscope ports --probe, or run kubectl exec once while capturing"},
    {"KUB-01", "the kubelet lets anonymous requests in",
     "Whoever can connect to its API may ask without a certificate or token; what they may do is decided by the "
     "authorization mode.",
     "authentication.anonymous.enabled: false, or --anonymous-auth=false"},
    {"KUB-02", "the kubelet allows everything", "Whoever is let in may do everything, exec in any pod included.",
     "authorization.mode: Webhook, or --authorization-mode=Webhook"},
    {"KUB-03", "the kubelet's read-only port is open",
     "It serves pods, stats and metrics to anybody who can connect, without asking who it is.",
     "readOnlyPort: 0, or --read-only-port=0"},
    {"KUB-04", "the kubelet's healthz is reachable from outside",
     "It is meant for this node; it tells only whether the kubelet is well.", "healthzBindAddress: 127.0.0.1"},
    {"LIV-01", "the live loop could not be started", "The kernel refused a timer or a poll descriptor.", "ulimit -n"},
    {"NET-01", "bytes are missing in the capture", "A hole is declared, never papered over.",
     "a larger buffer (tcpdump -B 16384), and no -s"},
    {"NET-02", "retransmission or reordering on loopback", "The node or the capture was overloaded.", ""},
    {"NET-03", "the capture begins inside a connection", "Its first messages are unknown, names are inferred.", ""},
    {"NOD-01", "nothing listens there",
     "No listener fits the port, address, path or process that was asked for. A connection's own port (at its client) "
     "is no listener.",
     "hopscope ports --all --netns all"},
    {"NOD-02", "the node cannot be read", "Neither netlink nor /proc could be read below the root directory.",
     "--host-root DIR, where DIR/proc is the host's /proc"},
    {"NOD-03", "no such network namespace",
     "--netns takes all, host, a pid, or a path such as /run/netns/NAME or /proc/PID/ns/net.", ""},
    {"OUT-01", "the reader is gone", "Whoever read the output has ended; this is no failure.", ""},
    {"OUT-02", "no space left", "The output could not be written.", "free some space, or another place"},
    {"OUT-03", "the output could not be written", "The message says why.", ""},
    {"PF-01", "a forwarded connection was refused", "Nothing listens on that port in the pod.",
     "the port in kubectl port-forward, or the program in the pod"},
    {"PF-02", "one refused port ended the others", "kubectl gives up all forwarded ports when one of them is refused.",
     "forward the ports one by one"},
    {"PRT-01", "a streaming server is reachable from outside",
     "It serves exec, attach and port-forward; its only login is a token that lives a minute. cri-dockerd listens on "
     "all addresses unless told otherwise.",
     "let it listen on 127.0.0.1: stream_server_address (containerd), stream_address (CRI-O), --streaming-bind-addr "
     "(cri-dockerd)"},
    {"PRT-02", "the Docker API is on the network",
     "Whoever connects without a client certificate is root on this node.",
     "no tcp:// host, or tlsverify with certificates"},
    {"PRT-03", "a streaming connection is half closed",
     "One side has closed, the other does not let go (CLOSE-WAIT): the exec or attach behind it hangs.",
     "hopscope graph shows who holds it"},
    {"PRT-04", "an exec runs on without a client",
     "Its standard streams are open, but no connection to the streaming server of its runtime is. An exec probe looks "
     "the same while it runs. Not told of execs of Docker, nor where it is not sure which port that server has.",
     "if it is still there in a minute, end the process inside the container"},
    {"PRT-05", "a program bears a component's name and is not it",
     "Its executable or arguments do not fit the name that it has.", "ls -l /proc/PID/exe"},
    {"PRT-06", "diagnostics or metrics are reachable from outside",
     "Profiles, stack traces or metrics are served to anybody who can connect.",
     "let the address be 127.0.0.1 or a unix socket, or have a firewall in front"},
    {"PRT-07", "etcd serves clients without TLS", "Whoever connects reads and writes the whole cluster's state.",
     "https:// in --listen-client-urls, with --client-cert-auth"},
    {"PRT-08", "cAdvisor's pages are reachable from outside",
     "Kubelets up to 1.11 show containers and machine data there.", "--cadvisor-port=0"},
    {"PRT-09", "the API server's insecure port is open", "It serves the whole cluster without asking who it is.",
     "--insecure-port=0"},
    {"PRT-10", "containerd's API is on the network", "Whoever can connect is root on this node.",
     "remove grpc.tcp_address from containerd's configuration"},
    {"PRT-11", "a runtime's socket is open to every user",
     "Its file and the directories above it let all users of the node in; whoever opens it is root. Access control "
     "lists are not looked at.",
     "chmod o-w on the file; of Docker's, dockerd --group, of containerd's, uid and gid below [grpc]"},
    {"PRT-12", "a component's socket is not where its clients look for it",
     "The file that it was bound to was deleted, moved or replaced while it runs. Connections that are open go on; a "
     "new one to the old path fails, or reaches whoever lies there now.",
     "move the file back, or restart the component, which makes it anew"},
    {"PRT-13", "a stranger listens where a component's socket belongs",
     "The kubelet and the tools that dial this path talk to a program that is not the runtime; it may read and answer "
     "all that they ask. Some proxies are put there on purpose.",
     "ls -l /proc/PID/exe tells what it is"},
    {"PRV-01", "no such user", "The user given with --user is not known here.", "a name of /etc/passwd, as nobody"},
    {"PRV-02", "privileges could not be given up", "The kernel refused to change the user or the capabilities.",
     "start as root, or without --user"},
    {"SBX-01", "system calls could not be restricted",
     "The kernel has no seccomp filters, or refused one. The command goes on without.",
     "a kernel with CONFIG_SECCOMP_FILTER=y"},
    {"SEC-01", "--reveal does not know this word", "It takes classes of secrets.", "hopscope help secrets"},
    {"SEC-02", "stdin stays masked", "What was typed can hold passwords.", "--reveal stdin, by name"},
    {"STR-01", "an exec ended without a status", "One side went away or was killed before the exit code was sent.", ""},
    {"STR-02", "no streams after the upgrade",
     "The upgrade was accepted, but the client opened no streams; servers give up after 30 s.", ""},
    {"STR-03", "the client went away", "The server's side stayed open: the process may still run.", ""},
    {"TLS-01", "no secret for this connection", "The key log does not hold it.",
     "--tls-keys FILE with the keys of the process that was captured"},
    {"TLS-02", "TLS without a key log",
     "Sizes and times only. On the loopback hop the same session is usually plain HTTP and decoded there.",
     "--tls-keys FILE, or a pcapng with secrets"},
    {"TLS-03", "the TLS handshake is not in the capture", "So it cannot be decrypted.",
     "start capturing before the connection"},
    {"TLS-04", "TLS cipher suite not supported", "It cannot be decrypted.", ""},
    {"TLS-05", "TLS records are missing", "Decryption could not go on behind the hole.", "a larger capture buffer"},
    {"TLS-06", "wrong TLS key", "The key does not decrypt this connection.", ""},
    {"TLS-07", "TLS renegotiation", "What comes after it is not decrypted (TLS 1.2).", ""},
    {"TLS-10", "the key log cannot be used", "It cannot be read, or holds no secret.",
     "a key log in SSLKEYLOGFILE format"},
    {"TOK-01", "a streaming token was refused",
     "It is unknown, was used before (tokens are single use), or is older than 60 s.", ""},
    {"TOK-02", "a streaming token was never used", "It was issued, and no request with it was seen.", ""},
    {"TTY-01", "no terminal", "The live view needs one; everything else does not.", "hopscope observe -o json"},
    {"TTY-02", "terminal unknown", "The terminal's description is not installed.", "TERM=xterm-256color"},
    {"TTY-03", "raw bytes are not written to a terminal", "They may hold control codes.",
     "-O FILE, a pipe, or --force-tty"},
    {"UPG-01", "an upgrade was refused and repeated",
     "The first attempt used another protocol; normal for newer clients with older servers.", ""},
    {"UPG-02", "an upgrade was refused", "Protocol missing, not supported, or wrong method.", ""},
    {"USE-01", "usage", "The command line is wrong; the message says where.", "hopscope help"},
};

}  // namespace

std::span<const CodePage> codes() { return kCodes; }

const CodePage* find_code(std::string_view code) {
    const auto same = [](char a, char b) { return a == std::toupper(static_cast<unsigned char>(b)); };
    const auto found = std::find_if(std::begin(kCodes), std::end(kCodes), [&](const CodePage& page) {
        return page.code.size() == code.size() && std::equal(page.code.begin(), page.code.end(), code.begin(), same);
    });
    return found == std::end(kCodes) ? nullptr : &*found;
}

std::string code_page(const CodePage& page) {
    std::string out = std::string(page.code) + "  " + std::string(page.title) + "\n  " + std::string(page.text) + "\n";
    if (!page.remedy.empty()) out += "  fix: " + std::string(page.remedy) + "\n";
    return out;
}

std::string codes_list() {
    std::string out;
    for (const CodePage& page : kCodes) {
        std::string code(page.code);
        code.resize(8, ' ');
        out += code + std::string(page.title) + "\n";
    }
    return out;
}

}  // namespace hopscope::cli
