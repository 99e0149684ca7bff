#include "export/json_model.h"

#include <array>

#include "chain/evidence.h"

namespace hopscope::exports {

using chain::Chain;
using chain::Evidence;
using chain::Finding;
using chain::Hop;
using chain::PortFact;
using chain::Secret;
using chain::Session;
using chain::Stream;

namespace {

// "s1", "t1", "c1" without allocating.
void numbered(JsonWriter& json, std::string_view key, char letter, std::uint32_t number) {
    char id[12] = {letter};
    const char* end = std::to_chars(id + 1, id + sizeof id, number).ptr;
    json.text(key, std::string_view{id, static_cast<std::size_t>(end - id)});
}

void numbered_item(JsonWriter& json, char letter, std::uint32_t number) {
    char id[12] = {letter};
    const char* end = std::to_chars(id + 1, id + sizeof id, number).ptr;
    json.item({id, static_cast<std::size_t>(end - id)});
}

void container_member(JsonWriter& json, const chain::ContainerRef& container) {
    if (container.id.empty() && container.name.empty() && container.runtime.empty() && container.sandbox_id.empty())
        return;
    json.begin_object("container");
    json.text_if("id", container.id);
    json.text_if("name", container.name);
    json.text_if("runtime", container.runtime);
    json.text_if("sandbox_id", container.sandbox_id);
    json.end_object();
}

void process_end(JsonWriter& json, std::string_view key, const std::optional<chain::Process>& process) {
    if (!process) return;
    json.begin_object(key);
    json.begin_object("process");
    json.number_if("pid", process->pid);
    json.text_if("comm", process->comm);
    json.text_if("exe", process->exe);
    json.time_if("start", process->start);
    json.end_object();
    json.end_object();
}

void command_member(JsonWriter& json, const std::vector<Untrusted>& command, const chain::Reveal& reveal) {
    if (!command.empty() && reveal.shows(Secret::command)) json.texts("command", command);
}

void request_member(JsonWriter& json, const Session& session, const JsonOptions& options) {
    if (session.method.empty() && session.target.empty() && session.status == 0) return;
    json.begin_object("request");
    json.text_if("method", session.method);
    if (!session.target.empty())
        masked_text(json, "path", session.target.raw(),  // raw-ok: compared with its masked form
                    chain::shown_target(session.target, options.reveal));
    json.number_if("status", session.status);
    json.end_object();
}

void status_members(JsonWriter& json, const Session& session, const chain::Reveal& reveal) {
    if (session.exit_code) json.number("exit_code", *session.exit_code);
    if (session.outcome != Session::Outcome::none)
        json.text("status", session.outcome == Session::Outcome::success ? "Success" : "Failure");
    json.text_if("reason", session.status_reason);
    const auto words = [&](std::string_view key, const Untrusted& said) {
        if (said.empty()) return;
        const std::string& raw = said.raw();  // raw-ok: compared with its masked form
        masked_text(json, key, raw, chain::shown_status_text(raw, reveal));
    };
    words("message", session.status_message);
    words("refusal", session.refusal);
}

// Clients put a bearer token among the protocols that they offer (base64url.bearer.authorization.k8s.io.…).
void offered_member(JsonWriter& json, const Session& session, const chain::Reveal& reveal) {
    if (session.offered.empty()) return;
    json.begin_array("offered");
    for (const Untrusted& offer : session.offered)
        json.item(
            chain::shown_header("Sec-WebSocket-Protocol", offer.raw(), reveal));  // raw-ok: masked and made printable
    json.end_array();
}

Duration life(const Stream& stream) { return stream.last - stream.start; }

void ran_member(JsonWriter& json, const Hop& hop, Timestamp chain_start, const chain::Reveal& reveal) {
    json.number_if("ran_dropped", hop.ran_dropped);
    if (hop.ran.empty()) return;
    json.begin_array("ran");
    for (std::size_t i = 0; i < hop.ran.size(); ++i) {
        const chain::RanProcess& ran = hop.ran[i];
        json.begin_object();
        ran_process_members(json, ran, reveal);
        if (i > 0) json.number("parent", ran.parent);
        if (ran.start.ns != 0 && chain_start.ns != 0) json.seconds("start_s", ran.start - chain_start);
        if (ran.end) json.seconds("took_s", *ran.end - ran.start);
        if (ran.exit_code) json.number("exit_code", *ran.exit_code);
        json.end_object();
    }
    json.end_array();
}

void unix_member(JsonWriter& json, const UnixEndpoint& socket) {
    json.begin_object("unix");
    json.text_if("path", Untrusted(socket.path));
    json.number_if("inode", socket.inode);
    json.end_object();
}

void hop_object(JsonWriter& json, const Hop& hop, Timestamp chain_start, const chain::Reveal& reveal) {
    json.begin_object();
    json.text_if("hop", to_string(hop.kind));
    json.text("grade", to_string(hop.grade));
    if (hop.session != 0) numbered(json, "session", 's', hop.session);
    if (hop.unix_socket) unix_member(json, *hop.unix_socket);
    if (hop.client.port != 0) endpoint_member(json, "client", hop.client);
    if (hop.server.port != 0) endpoint_member(json, "server", hop.server);
    process_end(json, "from", hop.from);
    process_end(json, "to", hop.to);
    json.text_if("proto", hop.proto);
    if (hop.start.ns != 0 && chain_start.ns != 0) json.seconds("start_s", hop.start - chain_start);
    if (hop.took.ns != 0) json.seconds("took_s", hop.took);
    bytes_member(json, hop.bytes);
    json.number_if("netns", hop.net_namespace);
    json.number_if("packets", hop.packets);
    if (hop.stream) json.number("stream", *hop.stream);
    ran_member(json, hop, chain_start, reveal);
    evidence_array(json, "evidence", hop.evidence);
    json.end_object();
}

}  // namespace

void evidence_array(JsonWriter& json, std::string_view key, const std::vector<Evidence>& list) {
    if (list.empty()) return;
    json.begin_array(key);
    for (const Evidence& evidence : list) {
        json.begin_object();
        json.text("grade", to_string(evidence.grade));
        json.text_if("id", evidence.id);
        json.text_if("source", evidence.source);
        json.text("says", evidence.says);
        json.number_if("frame", evidence.frame);
        json.end_object();
    }
    json.end_array();
}

void k8s_member(JsonWriter& json, const chain::K8sNames& names) {
    if (names.empty()) return;
    json.begin_object("k8s");
    json.text_if("namespace", names.namespace_);
    json.text_if("pod", names.pod);
    json.text_if("container", names.container);
    json.text_if("uid", names.uid);
    json.end_object();
}

void container_and_pod(JsonWriter& json, const std::string& container_id, const chain::K8sNames& names) {
    if (!container_id.empty()) {
        json.begin_object("container");
        json.text("id", container_id);
        json.end_object();
    }
    k8s_member(json, names);
}

std::string_view stream_state_name(Stream::State state) {
    switch (state) {
        case Stream::State::open: return "open";
        case Stream::State::half_closed: return "half_closed";
        case Stream::State::closed: return "closed";
        case Stream::State::reset: return "reset";
    }
    return "";
}

std::string_view direction_name(Direction direction) { return direction == Direction::to_server ? "in" : "out"; }

void masked_text(JsonWriter& json, std::string_view key, std::string_view raw, const std::string& shown) {
    // Equal to the printable form of the whole text: nothing was hidden, and the exact bytes may be told.
    const bool whole = shown == raw || shown == display(raw);
    json.text(key, whole ? raw : std::string_view{shown});
}

void endpoint_member(JsonWriter& json, std::string_view key, const Endpoint& endpoint) {
    json.begin_object(key);
    json.text("address", to_string(endpoint.address));
    json.number("port", endpoint.port);
    json.end_object();
}

void ran_process_members(JsonWriter& json, const chain::RanProcess& ran, const chain::Reveal& reveal) {
    json.number("pid", ran.process.pid);
    json.text_if("comm", ran.process.comm);
    json.text_if("exe", ran.process.exe);
    if (reveal.shows(Secret::command))
        command_member(json, ran.command, reveal);
    else
        json.number_if("command_words", ran.command.size());
    if (ran.programs > 1) json.number("programs", ran.programs);
}

void bytes_member(JsonWriter& json, const chain::ByteCounts& bytes) {
    json.begin_object("bytes");
    json.number("in", bytes.in);
    json.number("out", bytes.out);
    json.end_object();
}

void token_member(JsonWriter& json, const chain::Token& token, const chain::Reveal& reveal) {
    constexpr std::size_t kPrefixCharacters = 4;
    json.begin_object("token");
    const std::string_view value = token.value.raw();  // raw-ok: escaped, and only its beginning unless revealed
    // A short token would be given away by its first four characters: then it has no prefix.
    if (value.size() >= 2 * kPrefixCharacters) json.text("prefix", value.substr(0, kPrefixCharacters));
    if (token.number != 0) numbered(json, "id", 't', token.number);  // 0: too many to be numbered
    if (reveal.shows(Secret::token)) json.text("value", value);
    json.end_object();
}

void loss_member(JsonWriter& json, std::string_view key, const LossCounters& loss) {
    json.begin_object(key);
    for (std::size_t i = 0; i < kLossPlaces; ++i) json.number(to_string(static_cast<LossPlace>(i)), loss.count[i]);
    json.end_object();
}

void stream_object(JsonWriter& json, const Stream& stream, const JsonOptions& options) {
    json.begin_object();
    json.number("id", stream.id);
    json.text("type", to_string(stream.kind));
    if (stream.grade != Grade::decoded) json.text("grade", to_string(stream.grade));
    if (stream.has_port) json.number("port", stream.port);
    if (stream.has_request_id) json.number("request_id", stream.request_id);
    json.time_if("start", stream.start);
    if (stream.start.ns != 0 && stream.last.ns != 0) json.seconds("duration_s", life(stream));
    bytes_member(json, stream.bytes);
    json.number("frames", stream.frames);
    json.text("state", stream_state_name(stream.state));
    if (stream.error && !stream.error->empty()) {
        const std::string& raw = stream.error->raw();  // raw-ok: compared with its masked form
        masked_text(json, "error", raw, chain::shown_status_text(raw, options.reveal));
    }
    json.end_object();
}

void ends_members(JsonWriter& json, const Session& session) {
    if (!session.ends) return;
    process_end(json, "from", session.ends->from);
    process_end(json, "to", session.ends->to);
}

void connection_members(JsonWriter& json, const Session& session) {
    if (session.unix_socket) {
        unix_member(json, *session.unix_socket);
    } else {
        endpoint_member(json, "client", session.client);
        endpoint_member(json, "server", session.server);
    }
    ends_members(json, session);
}

void session_members(JsonWriter& json, const Session& session, const JsonOptions& options) {
    numbered(json, "session", 's', session.number);
    json.text_if("op", to_string(session.op));
    json.text_if("hop", to_string(session.hop));
    json.text("state", to_string(session.state));
    json.text_if("proto", to_string(session.proto));
    json.text("grade", to_string(session.grade));
    if (session.tls) json.boolean("tls", true);
    json.text_if("subprotocol", session.subprotocol);
    offered_member(json, session, options.reveal);
    json.time_if("start", session.start);
    if (session.start.ns != 0 && session.end.ns != 0) json.seconds("duration_s", session.end - session.start);
    if (session.start.ns != 0 && session.answered.ns != 0) json.seconds("setup_s", session.answered - session.start);
    connection_members(json, session);
    json.number("flow", session.flow);
    if (options.several_files) json.number("file", session.file);
    json.number_if("first_frame", session.first_frame);
    json.number_if("answer_frame", session.answer_frame);
    json.number_if("last_frame", session.last_frame);
    request_member(json, session, options);
    if (session.token) token_member(json, *session.token, options.reveal);
    command_member(json, session.command, options.reveal);
    if (session.tty) json.boolean("tty", *session.tty);
    status_members(json, session, options.reveal);
    json.begin_array("streams");
    for (const Stream& stream : session.streams) stream_object(json, stream, options);
    json.end_array();
    json.number_if("streams_dropped", session.streams_dropped);
    if (!session.resizes.empty()) {
        json.begin_array("resizes");
        for (const chain::Resize& resize : session.resizes) {
            json.begin_object();
            json.time("ts", resize.at);
            json.number("width", resize.width);
            json.number("height", resize.height);
            json.end_object();
        }
        json.end_array();
    }
    bytes_member(json, session.bytes);
    json.number("gaps", session.gaps);
    json.number_if("missing_bytes", session.missing_bytes);
    json.boolean("complete", session.complete);
    json.text_if("kubectl_session", session.kubectl_session);
    json.text_if("kubectl_command", session.kubectl_command);
    json.text_if("user_agent", session.user_agent);
    if (!session.forwarded_for.empty()) json.texts("forwarded_for", session.forwarded_for);
    json.text_if("host", session.host);
    k8s_member(json, session.k8s);
    container_member(json, session.container);
    evidence_array(json, "evidence", chain::evidence_of(session));
}

void finding_members(JsonWriter& json, const Finding& finding, const JsonOptions& options) {
    json.text("code", finding.code);
    json.text("severity", to_string(finding.severity));
    if (finding.session != 0) numbered(json, "session", 's', finding.session);
    json.text("says", finding.says);
    json.text_if("remedy", finding.remedy);
    json.number_if("frame", finding.frame);
    if (options.several_files) json.number("file", finding.file);
}

void port_object(JsonWriter& json, const PortFact& port) {
    json.begin_object();
    json.begin_object("local");
    json.text("transport", "tcp");
    json.text("address", to_string(port.local.address));
    json.number("port", port.local.port);
    json.end_object();
    json.text("role", port.role.empty() ? std::string_view{"unknown"} : std::string_view{port.role});
    json.text_if("component", port.component);
    json.text_if("confidence", port.confidence);
    json.text_if("reach", port.reach);
    json.number("seen", port.seen);
    evidence_array(json, "evidence", port.evidence);
    if (!port.findings.empty()) json.texts("findings", std::span<const std::string>(port.findings));
    json.end_object();
}

void chain_object(JsonWriter& json, const Chain& chain, const JsonOptions& options) {
    json.begin_object();
    chain_members(json, chain, options);
    json.end_object();
}

void chain_members(JsonWriter& json, const Chain& chain, const JsonOptions& options) {
    numbered(json, "chain", 'c', chain.number);
    json.text_if("op", to_string(chain.op));
    json.time_if("start", chain.start);
    if (chain.start.ns != 0 && chain.end.ns != 0) json.seconds("duration_s", chain.end - chain.start);
    k8s_member(json, chain.k8s);
    container_member(json, chain.container);
    command_member(json, chain.command, options.reveal);
    json.text_if("kubectl_session", chain.kubectl_session);
    json.text_if("kubectl_command", chain.kubectl_command);
    json.text_if("user_agent", chain.user_agent);
    if (chain.exit_code) json.number("exit_code", *chain.exit_code);
    json.begin_array("sessions");
    for (const std::uint32_t number : chain.sessions) numbered_item(json, 's', number);
    json.end_array();
    if (!chain.attempts.empty()) {
        json.begin_array("attempts");
        for (const chain::Attempt& attempt : chain.attempts) {
            json.begin_object();
            json.text_if("proto", to_string(attempt.proto));
            json.number_if("status", attempt.status);
            json.end_object();
        }
        json.end_array();
    }
    json.begin_array("hops");
    for (const Hop& hop : chain.hops) hop_object(json, hop, chain.start, options.reveal);
    json.end_array();
    evidence_array(json, "candidates", chain.candidates);
    evidence_array(json, "contradictions", chain.contradictions);
    if (chain.complete) json.boolean("complete", *chain.complete);
    if (chain.missing.empty()) return;
    json.begin_array("missing");
    for (const chain::MissingPart& part : chain.missing) {
        json.begin_object();
        json.text_if("hop", to_string(part.hop));
        json.text("says", part.says);
        json.end_object();
    }
    json.end_array();
}

void file_object(JsonWriter& json, const chain::FileFact& file) {
    json.begin_object();
    json.text("name", file.name);
    json.text_if("format", file.format);
    json.text_if("link_types", file.link_types);
    json.number("packets", file.packets);
    json.number("bytes", file.file_bytes);
    if (file.first) json.time("first", *file.first);
    if (file.last) json.time("last", *file.last);
    if (file.cut_off) json.boolean("cut_off", true);
    json.end_object();
}

void capture_members(JsonWriter& json, const chain::Model& model) {
    const chain::CaptureFacts& facts = model.capture;
    json.begin_array("files");
    for (const chain::FileFact& file : facts.files) file_object(json, file);
    json.end_array();
    json.number("packets", facts.packets);
    json.number("bytes", facts.bytes);
    if (facts.first) json.time("first", *facts.first);
    if (facts.last) json.time("last", *facts.last);
    if (facts.first && facts.last) json.seconds("duration_s", *facts.last - *facts.first);
    json.number("tcp_connections", facts.tcp_connections);
    json.number("retransmissions", facts.retransmissions);
    json.number("gaps", facts.gaps);
    json.number("duplicates", facts.duplicates);
    json.number("http_requests", facts.http_requests);
    json.number("spdy_frames", facts.spdy_frames);
    json.number("ws_messages", facts.ws_messages);
    json.number("tls_connections", facts.tls_connections);
    json.number("sessions_seen", model.sessions_seen);
    json.number_if("sessions_evicted", model.sessions_evicted);
    json.number("findings_seen", model.findings_seen);
    const auto totals = [&](std::string_view key, const std::uint64_t(&counts)[4],
                            const std::array<std::string_view, 4>& names) {
        json.begin_object(key);
        for (std::size_t i = 0; i < names.size(); ++i) json.number_if(names[i], counts[i]);
        json.end_object();
    };
    totals("sessions_by_op", model.sessions_by_op, {"unknown", "exec", "attach", "portforward"});
    totals("sessions_by_proto", model.sessions_by_proto, {"unknown", "http/1.1", "spdy/3.1", "websocket"});
}

}  // namespace hopscope::exports
