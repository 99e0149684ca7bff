// Every command and option of hopscope: the one table behind parsing, help and completion.
#include "cli/commands.h"
#include "cli/live_options.h"
#include "cli/node_reader.h"

namespace hopscope::cli {
namespace {

const std::vector<std::string_view> kSecrets = {"payload", "stdin", "stdout",  "stderr", "data",
                                                "auth",    "token", "command", "cri",    "all"};
const std::vector<std::string_view> kWhen = {"auto", "always", "never"};

const OptionSpec kUser{.name = "user", .value = "NAME", .text = "go on as this user once everything is open"};
const OptionSpec kTlsKeys{
    .name = "tls-keys", .value = "FILE", .text = "TLS key log (SSLKEYLOGFILE format) to decrypt with", .repeat = true};
const OptionSpec kNoSidecar{.name = "no-sidecar",
                            .text = "leave out FILE.unix.pcapng, which a recording has beside it"};
const OptionSpec kSession{
    .name = "session", .letter = 's', .value = "ID", .text = "the session, as analyze numbers it (s1)"};

std::vector<OptionSpec> ports_options() {
    std::vector<OptionSpec> options = {
        {.name = "all", .text = "listeners of everybody, not only of node components"},
        {.name = "since-boot", .text = "a column more: how long after the boot each owner was started"},
        {.name = "tcp", .text = "only the kinds that are named: --tcp --udp --unix; else TCP and unix"},
        {.name = "udp", .text = "UDP sockets"},
        {.name = "unix", .text = "unix sockets"},
        {.name = "no-unix", .text = "no unix sockets"},
        {.name = "min-sure",
         .value = "LEVEL",
         .text = "only what is at least this sure",
         .fallback = "low",
         .choices = {"low", "medium", "high", "certain"}},
        {.name = "probe",
         .text = "ask what is shown and listens on loopback harmless questions by HTTP (1 s each, 64 at most)"},
        {.name = "with", .value = "FILE", .text = "a capture of this node: traffic counts as evidence", .repeat = true},
        kTlsKeys,
        {.name = "watch",
         .value = "SEC",
         .text = "go on: what opens and closes, and connections to what is asked for",
         .implied = "1"},
        {.name = "no-header", .text = "rows only, for scripts"},
    };
    for (const OptionSpec& option : node_options()) options.push_back(option);
    return options;
}

std::vector<OptionSpec> graph_options() {
    std::vector<OptionSpec> options = {{.name = "all", .text = "every process with a socket that has a peer"}};
    for (const OptionSpec& option : node_options()) options.push_back(option);
    return options;
}

// Not --netns: what works here does not depend on which sockets one wants to see.
std::vector<OptionSpec> doctor_options() {
    std::vector<OptionSpec> options = node_options();
    std::erase_if(options, [](const OptionSpec& option) { return option.name == "netns"; });
    return options;
}

std::vector<OptionSpec> observe_options() {
    std::vector<OptionSpec> options = live_option_specs();
    options.push_back({.name = "unix-payload",
                       .value = "WHEN",
                       .text = "CRI calls: read what is written on the runtimes' unix sockets (eBPF)",
                       .fallback = "on",
                       .choices = {"on", "off"}});
    options.push_back({.name = "count", .value = "N", .text = "end after N events"});
    options.push_back(kUser);
    options.push_back(kTlsKeys);
    options.push_back({.name = "strict", .text = "exit 6 when data was lost"});
    return options;
}

std::vector<OptionSpec> record_options() {
    std::vector<OptionSpec> options = {
        {.name = "write", .letter = 'w', .value = "FILE", .text = "the pcapng file, new; -: standard output"},
        {.name = "payload",
         .value = "LEVEL",
         .text = "none: packets end after their TCP header; headers: payload and credentials overwritten; full: as "
                 "captured",
         .fallback = "headers",
         .choices = {"none", "headers", "full"}},
        {.name = "unix",
         .value = "WHERE",
         .text =
             "CRI calls and processes (eBPF): sidecar: beside it, in FILE.unix.pcapng; embed: in FILE, which tcpdump "
             "then cannot read; off: not recorded",
         .fallback = "sidecar",
         .choices = {"embed", "sidecar", "off"}},
        {.name = "file-size",
         .letter = 'C',
         .value = "SIZE",
         .text = "begin a new file after this size: FILE_00001.pcapng …"},
        {.name = "file-time", .letter = 'G', .value = "TIME", .text = "begin a new file after this time (60s, 10m)"},
        {.name = "files", .letter = 'W', .value = "N", .text = "keep the newest N files, remove older ones"},
        {.name = "until-session", .text = "stop after the first session that has ended"},
        kUser,
        {.name = "force", .text = "write over an existing file"},
    };
    for (const OptionSpec& option : live_option_specs()) options.push_back(option);
    options.push_back(kTlsKeys);
    options.push_back({.name = "strict", .text = "exit 6 when packets were lost"});
    return options;
}

std::vector<CommandSpec> make_commands() {
    return {
        {.name = "ports",
         .group = "LOOK",
         .arguments = "[PORT|ADDR:PORT|PATH|PROCESS…]",
         .arguments_min = 0,
         .arguments_max = SIZE_MAX,
         .summary = "every listening port and unix socket of the node's components, what it is and how sure that is",
         .examples = {"hopscope ports", "hopscope ports --all -f 'reach == world'", "hopscope ports 35751 --watch"},
         .options = ports_options(),
         .reads = {"filter", "host-root"},
         .formats = {"text", "json", "ndjson"},
         .run = run_ports},
        {.name = "why",
         .group = "LOOK",
         .arguments = "PORT|ADDR:PORT|PATH|PROCESS…",
         .arguments_min = 1,
         .arguments_max = SIZE_MAX,
         .summary = "why is this port open? Who has it, what for, who can reach it, and how that is known",
         .examples = {"hopscope why 35751", "hopscope why 127.0.0.1:35751 -o json",
                      "hopscope why /run/containerd/containerd.sock", "hopscope why kubelet"},
         .options = ports_options(),
         .reads = {"filter", "host-root"},
         .formats = {"text", "json", "ndjson"},
         .run = run_ports},
        {.name = "observe",
         .group = "LOOK",
         .summary = "sessions, streams and findings on this node while they happen, until ^C",
         .examples = {"hopscope observe", "hopscope observe -o json | jq .",
                      "hopscope observe -f 'op == exec' --for 10m"},
         .options = observe_options(),
         .reads = {"filter", "reveal", "show-payload", "host-root", "mem"},
         .formats = {"text", "json", "otlp-json"},
         .run = run_observe},
        {.name = "record",
         .group = "LOOK",
         .summary = "capture the node's streaming connections to a pcapng file, masked unless told otherwise, until ^C",
         .examples = {"hopscope record -w node.pcapng", "hopscope record -w node.pcapng -C 100MiB -W 10",
                      "hopscope record -w full.pcapng --payload full --for 60s"},
         .options = record_options(),
         .reads = {"host-root", "mem"},
         .formats = {},
         .run = run_record},
        {.name = "graph",
         .group = "LOOK",
         .summary = "processes of the node and the sockets between them",
         .examples = {"hopscope graph", "hopscope graph -f 'role == cri-streaming-server'",
                      "hopscope graph -o dot | dot -Tsvg > node.svg"},
         .options = graph_options(),
         .reads = {"filter", "host-root"},
         .formats = {"text", "dot", "mermaid", "json"},
         .run = run_graph},
        {.name = "doctor",
         .group = "HELP",
         .arguments = "[CODE…]",
         .arguments_min = 0,
         .arguments_max = SIZE_MAX,
         .summary = "what works here, what does not, what is lost by it and how to get it; or what a code means",
         .examples = {"hopscope doctor", "hopscope doctor CAP-03"},
         .options = doctor_options(),
         .reads = {"host-root"},
         .formats = {"text", "json"},
         .run = run_doctor},
        {.name = "analyze",
         .group = "OFFLINE",
         .arguments = "FILE…",
         .arguments_min = 1,
         .arguments_max = SIZE_MAX,
         .summary = "report on capture files: sessions, streams, findings; no privileges needed",
         .examples = {"hopscope analyze node.pcap", "tcpdump -i lo -w - | hopscope analyze -",
                      "hopscope analyze node.pcap -o json --fail-on warning"},
         .options = {{.name = "section",
                      .value = "LIST",
                      .text = "parts of the text and Markdown report",
                      .fallback = "summary,ports,sessions,chains,findings,loss",
                      .choices = {"summary", "ports", "sessions", "chains", "streams", "findings", "loss", "all"},
                      .list = true},
                     {.name = "top", .value = "N", .text = "rows per table; 0: all", .fallback = "20"},
                     kNoSidecar,
                     kTlsKeys,
                     {.name = "fail-on",
                      .value = "LEVEL",
                      .text = "exit 8 when a finding is at least this severe",
                      .fallback = "none",
                      .choices = {"none", "info", "notice", "warning", "error"}},
                     {.name = "strict", .text = "exit 5 for a damaged file, 6 when data was lost"}},
         .reads = {"filter", "reveal", "show-payload", "mem"},
         .formats = {"text", "json", "ndjson", "md", "html", "otlp-json"},
         .run = run_analyze},
        {.name = "chain",
         .group = "LOOK",
         .arguments = "FILE…",
         .arguments_min = 1,
         .arguments_max = SIZE_MAX,
         .summary = "one user action hop by hop: who, over what, how long, and how that is known",
         .examples = {"hopscope chain node.pcap --tls-keys node.keys",
                      "hopscope chain node.pcap cri.pcap --session s2"},
         .options = {{.name = "session",
                      .letter = 's',
                      .value = "ID",
                      .text = "only the chain of this session (s2) or with this name (c1)"},
                     kNoSidecar,
                     kTlsKeys},
         .reads = {"reveal", "show-payload"},
         .formats = {"text", "json", "mermaid", "html", "otlp-json"},
         .run = run_chain},
        {.name = "extract",
         .group = "OFFLINE",
         .arguments = "FILE…",
         .arguments_min = 1,
         .arguments_max = SIZE_MAX,
         .summary = "write the exact bytes of a stream, or an asciicast of a session",
         .examples = {"hopscope extract node.pcap --session s2 -O out.bin",
                      "hopscope extract node.pcap -s s2 --format cast -O s2.cast"},
         .options = {kSession,
                     {.name = "stream",
                      .value = "NAME",
                      .text = "which stream",
                      .fallback = "stdout",
                      .choices = {"stdout", "stderr", "stdin", "error", "resize", "data"}},
                     {.name = "stream-id", .value = "N", .text = "the stream by its number instead"},
                     {.name = "port", .value = "N", .text = "port-forward: only connections to this port"},
                     {.name = "direction",
                      .value = "WAY",
                      .text = "in: toward the container, out: from it",
                      .choices = {"in", "out"}},
                     {.name = "format",
                      .value = "FMT",
                      .text = "raw bytes, asciicast v2, or one JSON line per piece",
                      .fallback = "raw",
                      .choices = {"raw", "cast", "json"}},
                     {.name = "output-file",
                      .letter = 'O',
                      .value = "FILE",
                      .text = "where to; -: standard output",
                      .fallback = "-"},
                     {.name = "force", .text = "write over an existing file"},
                     {.name = "force-tty", .text = "write raw bytes to a terminal"},
                     kNoSidecar,
                     kTlsKeys},
         .reads = {"reveal", "show-payload"},
         .formats = {},
         .run = run_extract},
        {.name = "decode",
         .group = "OFFLINE",
         .arguments = "[FILE]",
         .arguments_min = 0,
         .arguments_max = 1,
         .summary = "bytes (hex, base64, file, standard input) to frames",
         .examples = {"hopscope decode --proto ws --hex '82 03 01 68 69'",
                      "echo 80 03 00 06 00 00 00 04 00 00 00 01 | hopscope decode -"},
         .options = {{.name = "proto",
                      .value = "NAME",
                      .text = "what the bytes are",
                      .fallback = "auto",
                      .choices = {"auto", "http", "spdy", "ws", "http2", "ttrpc", "tls"}},
                     {.name = "hex", .value = "TEXT", .text = "the bytes as hexadecimal"},
                     {.name = "base64", .value = "TEXT", .text = "the bytes as base64"},
                     {.name = "input",
                      .value = "FORM",
                      .text = "what FILE holds",
                      .fallback = "auto",
                      .choices = {"auto", "raw", "hex", "base64"}},
                     {.name = "from",
                      .value = "SIDE",
                      .text = "who sent the bytes",
                      .fallback = "auto",
                      .choices = {"auto", "client", "server"}},
                     {.name = "subprotocol",
                      .value = "NAME",
                      .text = "of an upgraded connection (v4.channel.k8s.io …)"}},
         .reads = {"reveal", "show-payload"},
         .formats = {"text", "json"},
         .run = run_decode},
        {.name = "mask",
         .group = "OFFLINE",
         .arguments = "IN OUT",
         .arguments_min = 2,
         .arguments_max = 2,
         .summary = "copy a capture with secrets overwritten, lengths and times kept: for bug reports",
         .examples = {"hopscope mask node.pcap node-masked.pcap"},
         .options = {{.name = "force", .text = "write over an existing file"}, kNoSidecar},
         .formats = {},
         .run = run_mask},
        {.name = "schema",
         .group = "HELP",
         .arguments = "[report|event|fields|ports|watch|graph|doctor|codes|otel]",
         .arguments_min = 0,
         .arguments_max = 1,
         .summary = "JSON Schema of the output, or the list of fields to filter by",
         .examples = {"hopscope schema event", "hopscope schema fields"},
         .options = {},
         .formats = {},
         .run = run_schema},
        {.name = "completion",
         .group = "HELP",
         .arguments = "bash|zsh",
         .arguments_min = 1,
         .arguments_max = 1,
         .summary = "print a completion script",
         .examples = {"hopscope completion bash > /etc/bash_completion.d/hopscope"},
         .options = {},
         .formats = {},
         .run = run_completion},
        {.name = "help",
         .group = "HELP",
         .arguments = "[COMMAND|TOPIC]",
         .arguments_min = 0,
         .arguments_max = 1,
         .summary = "this overview, a command's page, or a topic: options filter secrets exit-codes hops codes config",
         .examples = {"hopscope help filter"},
         .options = {},
         .reads = {"filter", "reveal", "show-payload", "host-root", "mem"},
         .formats = {},
         .run = run_help},
        {.name = "version",
         .group = "HELP",
         .arguments = "",
         .arguments_min = 0,
         .arguments_max = 0,
         .summary = "version and what it was built with",
         .examples = {"hopscope version"},
         .options = {},
         .formats = {},
         .run = run_version},
        {.name = "__complete",
         .group = "",
         .arguments = "WORD…",
         .arguments_min = 0,
         .arguments_max = SIZE_MAX,
         .summary = "",
         .examples = {},
         .options = {},
         .formats = {},
         .run = run_complete},
    };
}

}  // namespace

const std::vector<OptionSpec>& global_options() {
    static const std::vector<OptionSpec> options = {
        {.name = "output", .letter = 'o', .value = "FMT", .text = "output format; which ones: hopscope help COMMAND"},
        {.name = "filter",
         .letter = 'f',
         .value = "EXPR",
         .text = "only what matches: hopscope help filter",
         .for_some = true},
        {.name = "reveal",
         .value = "LIST",
         .text = "show what is masked: hopscope help secrets",
         .choices = kSecrets,
         .list = true,
         .repeat = true,
         .for_some = true},
        {.name = "show-payload", .text = "same as --reveal payload", .for_some = true},
        {.name = "color", .value = "WHEN", .text = "colours; NO_COLOR is obeyed", .fallback = "auto", .choices = kWhen},
        {.name = "ascii", .text = "no characters beyond ASCII"},
        {.name = "host-root",
         .value = "DIR",
         .text = "where the host's files are; default: /host in a container that has it, else /",
         .for_some = true},
        {.name = "mem",
         .value = "SIZE",
         .text = "bound for what is kept in memory",
         .fallback = "256MiB",
         .for_some = true},
        {.name = "progress", .value = "WHEN", .text = "progress on stderr", .fallback = "auto", .choices = kWhen},
        {.name = "quiet", .letter = 'q', .text = "no notes on stderr"},
        {.name = "stats", .text = "own CPU time and peak memory on stderr at the end"},
        {.name = "help", .letter = 'h', .text = "help on the command"},
        {.name = "version", .text = "same as 'hopscope version'"},
    };
    return options;
}

const std::vector<CommandSpec>& commands() {
    static const std::vector<CommandSpec> table = make_commands();
    return table;
}

}  // namespace hopscope::cli
