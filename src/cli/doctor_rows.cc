#include <algorithm>

#include "chain/verdict_proof.h"
#include "chain/verdict_rules.h"
#include "cli/doctor.h"
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

const ComponentConfig* config_of(const Node& node, const Process& process) {
    const auto found = std::find_if(node.configs.begin(), node.configs.end(),
// With what speaks against its role.
std::string doubtful(const Process& process) {
    return process_of(process) + (process.role_doubt.empty() ? "" : " (" + display(process.role_doubt) + ")");
}

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
            : "";
    return row;
}

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
    for (const RuntimeFacts& runtime : node.runtimes) {
        const std::string path = display(runtime.socket_path);
        std::string text;
        if (runtime.answered) {
            answered = true;
            text = runtime.name.empty() ? display(runtime.component) : display(runtime.name);
            text.append(" ").append(display(runtime.version)).append(" answers at ").append(path);
            if (!runtime.api_version.empty()) text += " (" + display(runtime.api_version) + ")";
        } else {
            text =
                path + " did not answer" + (runtime.why_not.empty() ? std::string() : ": " + display(runtime.why_not));
        }
        join(row.says, text);
    }
    if (answered) return row;
    row.state = DoctorRow::State::limited;
    if (row.says.empty()) row.says = "none found";
    row.lost = "names of pods and containers; ids are shown instead";
    if (!node.runtimes.empty())
        row.fix = "run as root, so that its socket may be used";
    else if (found)  // a copied tree, or a container without the host's /run
        row.fix = "its socket must lie below the root that is looked at: mount the host's /run there";
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
    row.fix = row.says.empty() ? "" : "hopscope ports --probe, or run kubectl exec once while capturing";
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
    row.fix = row.says.empty() ? "" : "--tls-keys FILE on a capture, where the keys are at hand";
    if (row.says.empty()) {
        row.state = DoctorRow::State::ok;
        row.says = "no kubelet API listens here";
    }
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
