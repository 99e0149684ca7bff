#include <algorithm>

#include "chain/node_index.h"
#include "chain/verdict_proof.h"
#include "chain/verdict_rules.h"
#include "cli/doctor.h"
#include "core/node_words.h"
#include "core/untrusted.h"
#include "export/ports_text.h"

namespace hopscope::cli {

using chain::Judgement;
using chain::Verdict;
using exports::DoctorRow;

namespace {

std::string process_of(const Process& process) {
    std::string text = display(process.comm) + "[" + std::to_string(process.id.pid) + "]";
    if (!process.version.empty()) text += " " + display(process.version);
    return text;
}

// With what speaks against its role.
std::string doubtful(const Process& process) {
    return process_of(process) + (process.role_doubt.empty() ? "" : " (" + display(process.role_doubt) + ")");
}

const ComponentConfig* config_of(const Node& node, const Process& process) {
    const auto found = std::find_if(node.configs.begin(), node.configs.end(),
                                    [&](const ComponentConfig& each) { return each.process == process.id; });
    return found == node.configs.end() ? nullptr : &*found;
}

void join(std::string& list, const std::string& more) {
    if (!more.empty()) list += (list.empty() ? "" : "; ") + more;
}

DoctorRow kubelet_row(const Node& node) {
    DoctorRow row{.code = "K8S-01", .title = "kubelet", .says = {}, .lost = {}, .fix = {}};
    for (const Process& process : node.table.processes) {
        if (process.role != ProcessRole::kubelet) continue;
        std::string text = doubtful(process);
        if (const ComponentConfig* config = config_of(node, process)) {
            const ConfigValue* port = config->find("port");
            std::string file;
            for (const ConfigValue& value : config->values)
                if (value.line != 0 && file.empty()) file = display(value.source);
            if (!file.empty()) text += ", " + file;
            if (port) text += ", port " + display(port->value);
            for (const std::string& trouble : config->trouble) {
                row.state = DoctorRow::State::limited;
                join(row.lost, "settings: " + display(trouble));
                row.fix = "run as root";
            }
        }
        join(row.says, text);
    }
    if (!row.says.empty()) return row;
    std::string doubt;
    for (const Process& process : node.table.processes)
        if (process.comm == "kubelet")
            join(doubt, process_of(process) + (process.role_doubt.empty() ? "" : ": " + display(process.role_doubt)));
    row.state = DoctorRow::State::limited;
    row.says = doubt.empty() ? "none among " + std::to_string(node.table.processes.size()) + " processes" : doubt;
    row.lost = "ports and execs of a node";
    row.fix =
        doubt.empty()
            ? "run it on a node; in a pod it needs hostPID: true and hostNetwork: true; another root: --host-root DIR"
            : "run as root, so that its executable can be read; if it is no kubelet, look at what it is (PRT-05)";
    return row;
}

// Whose runtime does not answer: the process behind its socket, not systemd, which may hold it as well.
const Process* server_of(const Node& node, const RuntimeFacts& runtime) {
    const std::string path = chain::normal_path(runtime.socket_path.raw());  // raw-ok: compared only
    for (const Socket& socket : node.table.sockets) {
        if (!is_unix(socket.transport) || socket.state != SocketState::listen) continue;
        const bool by_inode = runtime.socket_inode != 0;
        if (by_inode ? socket.inode != runtime.socket_inode : chain::normal_path(socket.unix_local.path) != path)
            continue;
        for (const SocketOwner& owner : socket.owners)
            if (const Process* process = find_process(node.table, owner.process.pid);
                process && is_component(process->role))
                return process;
    }
    return nullptr;
}

std::string fix_of(const Node& node, const RuntimeFacts& runtime) {
    const auto told = [&](std::string_view word) { return runtime.why_not.find(word) != std::string::npos; };
    if (told("ermission") || told("not permitted")) return "run as root, so that its socket may be used";
    const Process* server = server_of(node, runtime);
    const std::string name = server ? display(server->comm) : "the runtime";
    if (runtime.waited_ms == 0 || !server)
        return "look at what " + name + " does: its log, systemctl status" + (server ? " " + name : "");
    const std::string pid = std::to_string(server->id.pid);
    return name + " hangs: ps -o stat= -p " + pid + " (T: it was stopped, kill -CONT " + pid +
           " lets it go on; D: it waits in the kernel), else its log";
}

std::string words_of(const RuntimeFacts& runtime) {
    const std::string path = display(runtime.socket_path);
    if (!runtime.answered)
        return path + (runtime.off ? " was not asked" : " did not answer") +
               (runtime.why_not.empty() ? std::string() : ": " + display(runtime.why_not));
    std::string text = runtime.name.empty() ? display(runtime.component) : display(runtime.name);
    text.append(" ").append(display(runtime.version)).append(" answers at ").append(path);
    if (!runtime.api_version.empty()) text += " (" + display(runtime.api_version) + ")";
    return text;
}

// Every runtime that should answer has to: one that hangs is trouble whatever another one says.
DoctorRow runtime_row(const Node& node) {
    DoctorRow row{.code = "K8S-02", .title = "container runtime", .says = {}, .lost = {}, .fix = {}};
    for (const Process& process : node.table.processes) {
        switch (process.role) {
            case ProcessRole::containerd:
            case ProcessRole::dockerd:
            case ProcessRole::cri_dockerd:
            case ProcessRole::crio: join(row.says, doubtful(process)); break;
            default: break;
        }
    }
    const bool found = !row.says.empty();
    bool answered = false;
    std::string silent;
    for (const RuntimeFacts& runtime : node.runtimes) {
        join(row.says, words_of(runtime));
        answered = answered || runtime.answered;
        if (runtime.answered || runtime.off || runtime.has_no_cri) continue;
        silent += (silent.empty() ? "" : ", ") + display(runtime.socket_path);
        const std::string fix = fix_of(node, runtime);
        if (row.fix.find(fix) == std::string::npos) join(row.fix, fix);
    }
    if (answered && silent.empty()) return row;
    row.state = DoctorRow::State::limited;
    if (row.says.empty()) row.says = "none found";
    row.lost =
        "names of pods and containers" + (answered ? " of " + silent : std::string()) + "; ids are shown instead";
    if (!row.fix.empty()) return row;
    if (!node.runtimes.empty())  // none of them serves it
        row.fix = "let the runtime serve CRI: take its plugin out of disabled_plugins";
    else if (found)  // a copied tree, or a container without the host's /run
        row.fix = "its socket must lie below the root that is looked at: mount the host's /run there";
    else
        row.fix = "run it on a node with containerd, CRI-O or dockerd; another root: --host-root DIR";
    return row;
}

DoctorRow streaming_row(const Judgement& judgement) {
    DoctorRow row{.code = "K8S-03", .title = "streaming server", .says = {}, .lost = {}, .fix = {}};
    bool sure = false;
    for (const Verdict& verdict : judgement.verdicts) {
        if (verdict.role != chain::kStreamingRole) continue;
        std::string text = exports::listens_on(verdict, Glyphs::unicode) + " " +
                           exports::owner_words(verdict, Glyphs::unicode) + ", " + verdict.confidence;
        if (!verdict.short_why.empty()) text += " (" + display(verdict.short_why) + ")";
        sure = sure || chain::is_sure(verdict.confidence);
        join(row.says, text);
    }
    if (sure) return row;
    row.state = DoctorRow::State::limited;
    row.fix = row.says.empty()
                  ? "run it on a node whose runtime serves CRI, as root: other users' sockets have no owner (CAP-03)"
                  : "hopscope ports --probe, or run kubectl exec once while capturing";
    if (row.says.empty()) row.says = "no listener is known to be one";
    row.lost = "which port to watch for exec, attach and port-forward";
    return row;
}

DoctorRow tls_row(const Judgement& judgement) {
    DoctorRow row{
        .state = DoctorRow::State::limited, .code = "TLS-02", .title = "port 10250", .says = {}, .lost = {}, .fix = {}};
    for (const Verdict& verdict : judgement.verdicts)
        if (verdict.role == "kubelet-api")
            join(row.says, exports::listens_on(verdict, Glyphs::unicode) +
                               " is encrypted: sizes and times only. Plain HTTP is decoded on the loopback hop");
    if (row.says.empty()) {
        row.state = DoctorRow::State::ok;
        row.says = "no kubelet API listens here";
        return row;
    }
    row.lost = "what the API server and the kubelet say to each other";
    row.fix = "--tls-keys FILE on a capture, where the keys are at hand";
    return row;
}

}  // namespace

std::vector<DoctorRow> node_rows(const Node& node, const Judgement& judgement) {
    return {kubelet_row(node), runtime_row(node), streaming_row(judgement), tls_row(judgement)};
}

DoctorRow terminal_row(const TerminalFacts& facts) {
    DoctorRow row{.code = "TTY-01", .title = "terminal", .says = {}, .lost = {}, .fix = {}};
    if (!facts.is_terminal) {
        row.state = DoctorRow::State::limited;
        row.says = "standard output is no terminal";
        row.lost = "live view; lists and reports work";
        row.fix = "start it in a terminal, without | or >";
        return row;
    }
    row.says = std::to_string(facts.columns) + "×" + std::to_string(facts.rows) +
               (facts.utf8 ? ", UTF-8" : ", no UTF-8: ASCII is used");
    if (!facts.name.empty()) row.says += ", " + display(facts.name);
    if (facts.name.empty() || facts.name == "dumb") {
        row.state = DoctorRow::State::limited;
        row.lost = "colours and the live view";
        row.fix = "TERM=xterm-256color";
    }
    return row;
}

}  // namespace hopscope::cli
