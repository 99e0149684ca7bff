#include "export/ports_json.h"

#include "core/node_words.h"
#include "export/json_model.h"

namespace hopscope::exports {

using chain::Verdict;

namespace {

void local_member(JsonWriter& json, const chain::ListenerId& listener) {
    json.begin_object("local");
    // The contract knows "unix"; which kind of unix socket stands beside it.
    json.text("transport", is_unix(listener.transport) ? std::string_view{"unix"} : to_string(listener.transport));
    if (is_unix(listener.transport)) {
        json.text_if("path", listener.unix_path);
        if (listener.transport == Transport::unix_seqpacket) json.text("type", "seqpacket");
        if (listener.transport == Transport::unix_dgram) json.text("type", "dgram");
    } else {
        json.text("address", to_string(listener.local.address));
        json.number("port", listener.local.port);
    }
    json.end_object();
}

void owners_member(JsonWriter& json, const Verdict& verdict) {
    json.begin_array("owners");
    for (const chain::Owner& owner : verdict.owners) {
        json.begin_object();
        process_member(json, "process", owner.process);
        json.text_if("role", owner.process_role);
        json.number("fd", owner.fd);
        container_and_pod(json, owner.container_id, owner.k8s);
        json.end_object();
    }
    json.end_array();
}

void peers_member(JsonWriter& json, const Verdict& verdict) {
    if (verdict.peers.empty()) return;
    json.begin_array("peers");
    for (const chain::Peer& peer : verdict.peers) {
        json.begin_object();
        process_member(json, "process", peer.process);
        json.text_if("role", peer.process_role);
        if (peer.from) endpoint_member(json, "from", *peer.from);
        json.number_if("inode", peer.inode);
        if (peer.process.pid != 0) json.number("fd", peer.fd);
        json.text_if("state", peer.state);
        json.end_object();
    }
    json.end_array();
}

void execs_member(JsonWriter& json, const Verdict& verdict) {
    if (verdict.execs.empty()) return;
    json.begin_array("execs");
    for (const chain::OpenExec& exec : verdict.execs) {
        json.begin_object();
        json.text("exec_id", exec.exec_id);
        container_and_pod(json, exec.container_id, exec.k8s);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

void process_member(JsonWriter& json, std::string_view key, const chain::Process& process) {
    if (process.pid == 0) return;
    json.begin_object(key);
    json.number("pid", process.pid);
    json.text_if("comm", process.comm);
    json.text_if("exe", process.exe);
    json.time_if("start", process.start);
    json.end_object();
}

namespace {

void port_members(JsonWriter& json, const Verdict& verdict) {
    local_member(json, chain::id_of(verdict));
    if (!verdict.owners.empty()) process_member(json, "process", verdict.owners.front().process);
    json.text("role", verdict.role.empty() ? std::string_view{"unknown"} : std::string_view{verdict.role});
    json.text_if("component", verdict.component);
    json.text_if("confidence", verdict.confidence);
    json.text_if("reach", verdict.reach);
    json.text_if("title", verdict.title);
    json.text_if("why", verdict.short_why);
    json.text_if("what_it_does", verdict.what_it_does);
    json.text_if("why_this_port", verdict.why_this_port);
    json.text_if("why_404", verdict.why_404);
    json.text_if("who_can_reach", verdict.who_can_reach);
    json.text_if("remedy", verdict.remedy);
    json.number("seen", verdict.seen);
    json.number_if("inode", verdict.inode);
    json.number_if("net_namespace", verdict.net_namespace);
    owners_member(json, verdict);
    if (!verdict.owners.empty())
        container_and_pod(json, verdict.owners.front().container_id, verdict.owners.front().k8s);
    peers_member(json, verdict);
    execs_member(json, verdict);
    evidence_array(json, "evidence", verdict.evidence);
    if (!verdict.ruled_out.empty()) {
        json.begin_array("ruled_out");
        for (const chain::RuledOut& each : verdict.ruled_out) {
            json.begin_object();
            json.text("role", each.role);
            json.text_if("says", each.says);
            json.end_object();
        }
        json.end_array();
    }
    if (!verdict.findings.empty()) json.texts("findings", std::span<const std::string>(verdict.findings));
}

}  // namespace

void port_item(JsonWriter& json, const Verdict& verdict) {
    json.begin_object();
    port_members(json, verdict);
    json.end_object();
}

void port_member(JsonWriter& json, std::string_view key, const Verdict& verdict) {
    json.begin_object(key);
    port_members(json, verdict);
    json.end_object();
}

void write_ports_json(Output& out, const chain::Judgement& shown, const NodeFacts& facts) {
    JsonWriter json(out);
    json.begin_object();
    json.text("schema", "hopscope.ports/v1");
    json.time_if("ts", facts.at);
    json.time_if("booted", facts.booted);
    json.newline();
    json.begin_array("ports");
    for (const Verdict& verdict : shown.verdicts) {
        json.newline();
        port_item(json, verdict);
    }
    json.end_array();
    json.newline();
    json.begin_array("findings");
    for (const chain::Finding& finding : shown.findings) {
        json.newline();
        json.begin_object();
        finding_members(json, finding, {});
        if (finding.listener) {
            local_member(json, *finding.listener);
            json.number_if("inode", finding.listener->inode);
        }
        json.end_object();
    }
    json.end_array();
    json.newline();
    json.begin_array("limits");
    for (const std::string& limit : facts.limits) json.item(display(limit));
    json.end_array();
    json.newline();
    json.text("method", facts.method);
    json.number("listening", facts.listening);
    json.number("owners_unknown", facts.owners_unknown);
    json.number_if("findings_hidden", facts.findings_hidden);
    json.end_object();
    out.append('\n');
}

}  // namespace hopscope::exports
