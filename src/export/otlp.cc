#include "export/otlp.h"

#include <algorithm>

#include "export/chain_text.h"

namespace hopscope::exports {

using chain::Chain;
using chain::Hop;
using chain::HopKind;
using chain::Session;

namespace {

// FNV-1a: ids need to be the same everywhere and differ, not to withstand anybody.
std::uint64_t fnv1a(std::string_view text, std::uint64_t hash) {
    for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3ULL;
    return hash;
}

std::string hex(std::uint64_t value) {
    std::string out(16, '0');
    for (std::size_t i = 16; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 15];
    return out;
}

// A string attribute; OTLP wraps every value in its type.
void attribute(JsonWriter& json, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    json.begin_object();
    json.text("key", key);
    json.begin_object("value");
    json.text("stringValue", is_utf8(value) ? value : std::string_view{"(not UTF-8)"});
    json.end_object();
    json.end_object();
}
void attribute(JsonWriter& json, std::string_view key, const Untrusted& value) {
    attribute(json, key, std::string_view{value.raw()});  // raw-ok: escaped by the JSON writer
}
// 64-bit integers are strings in the JSON mapping of protobuf.
void attribute(JsonWriter& json, std::string_view key, std::uint64_t value) {
    json.begin_object();
    json.text("key", key);
    json.begin_object("value");
    json.text("intValue", std::to_string(value));
    json.end_object();
    json.end_object();
}

void nanoseconds(JsonWriter& json, std::string_view key, Timestamp at) { json.text(key, std::to_string(at.ns)); }

// The path with its variable parts named, as http.route wants it.
std::string route(const Session& session) {
    const std::string op(chain::to_string(session.op));
    switch (session.hop) {
        case HopKind::runtime: return "/" + op + "/{token}";
        case HopKind::kubelet:
            return session.op == chain::Op::portforward ? "/portForward/{namespace}/{pod}"
                                                        : "/" + op + "/{namespace}/{pod}/{container}";
        case HopKind::apiserver: return "/api/v1/namespaces/{namespace}/pods/{pod}/" + op;
        case HopKind::unknown:
        case HopKind::cri:
        case HopKind::shim:
        case HopKind::process: return "";
    }
    return "";
}

std::string_view protocol_name(std::string_view proto) {
    if (proto.starts_with("spdy")) return "spdy";
    if (proto.starts_with("http")) return "http";
    return proto;
}

void session_attributes(JsonWriter& json, const Session& session) {
    attribute(json, "http.request.method", session.method);
    if (session.status != 0) attribute(json, "http.response.status_code", session.status);
    attribute(json, "http.route", route(session));
    attribute(json, "user_agent.original", session.user_agent);
    attribute(json, "hopscope.session", session.id());
    attribute(json, "hopscope.state", chain::to_string(session.state));
    attribute(json, "hopscope.subprotocol", session.subprotocol);
    if (session.exit_code) attribute(json, "process.exit.code", static_cast<std::uint64_t>(*session.exit_code));
}

void hop_attributes(JsonWriter& json, const Hop& hop, const Session* session) {
    attribute(json, "hopscope.hop", chain::to_string(hop.kind));
    attribute(json, "hopscope.grade", to_string(hop.grade));
    attribute(json, "network.transport", hop.unix_socket ? std::string_view{"unix"} : std::string_view{"tcp"});
    attribute(json, "network.protocol.name", protocol_name(hop.proto));
    if (hop.unix_socket) {
        attribute(json, "network.peer.address", hop.unix_socket->path);
    } else {
        attribute(json, "network.local.address", to_string(hop.client.address));
        attribute(json, "network.local.port", hop.client.port);
        attribute(json, "network.peer.address", to_string(hop.server.address));
        attribute(json, "network.peer.port", hop.server.port);
    }
    if (hop.kind == HopKind::cri) attribute(json, "rpc.system.name", std::string_view{"grpc"});
    if (hop.to && hop.to->pid != 0) {
        attribute(json, "process.pid", hop.to->pid);
        attribute(json, "process.executable.name", hop.to->comm);
    }
    attribute(json, "hopscope.bytes.in", hop.bytes.in);
    attribute(json, "hopscope.bytes.out", hop.bytes.out);
    if (session) session_attributes(json, *session);
}

Timestamp end_of(const Hop& hop, const Session* session) {
    const Timestamp answered = hop.start + hop.took;
    return session && session->end > answered ? session->end : answered;
}

bool failed(const Session* session) {
    return session && (session->state == chain::SessionState::refused || session->outcome == Session::Outcome::failure);
}

void status(JsonWriter& json, bool error) {
    json.begin_object("status");
    if (error) json.number("code", 2);
    json.end_object();
}

void hop_span(JsonWriter& json, const chain::Model& model, const Hop& hop, const std::string& trace,
              const std::string& parent, const std::string& id) {
    const Session* session = find_session(model, hop.session);
    json.begin_object();
    json.text("traceId", trace);
    json.text("spanId", id);
    json.text("parentSpanId", parent);
    json.text("name", hop_name(hop));
    json.number("kind", 3);  // client: the span is the caller's view of the hop
    nanoseconds(json, "startTimeUnixNano", hop.start);
    nanoseconds(json, "endTimeUnixNano", end_of(hop, session));
    json.begin_array("attributes");
    hop_attributes(json, hop, session);
    json.end_array();
    status(json, failed(session));
    json.end_object();
}

}  // namespace

std::string trace_id(const Chain& chain) {
    std::string digits;
    const std::string& uuid = chain.kubectl_session.raw();  // raw-ok: only hexadecimal digits are taken
    for (char c : uuid) {
        const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
        if ((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f')) digits += lower;
    }
    if (uuid.size() == 36 && digits.size() == 32 && digits.find_first_not_of('0') != std::string::npos) return digits;
    std::string facts = uuid + "|" + std::string(chain::to_string(chain.op)) + "|" + std::to_string(chain.start.ns);
    for (const Hop& hop : chain.hops) facts += "|" + to_string(hop.client) + ">" + to_string(hop.server);
    return hex(fnv1a(facts, 0xcbf29ce484222325ULL)) + hex(fnv1a(facts, 0x84222325cbf29ce4ULL));
}

std::string span_id(const std::string& trace, std::string_view what) {
    const std::uint64_t hash = fnv1a(what, fnv1a(trace, 0xcbf29ce484222325ULL));
    return hex(hash == 0 ? 1 : hash);
}

void write_chain_otlp(Output& out, const chain::Model& model, const Chain& chain) {
    const std::string trace = trace_id(chain);
    const std::string root = span_id(trace, "action");
    JsonWriter json(out);
    json.begin_object();
    json.begin_array("resourceSpans");
    json.begin_object();
    json.begin_object("resource");
    json.begin_array("attributes");
    attribute(json, "service.name", std::string_view{"hopscope"});
    attribute(json, "k8s.namespace.name", chain.k8s.namespace_);
    attribute(json, "k8s.pod.name", chain.k8s.pod);
    attribute(json, "k8s.pod.uid", chain.k8s.uid);
    attribute(json, "k8s.container.name", chain.k8s.container);
    attribute(json, "container.id", chain.container.id);
    attribute(json, "container.runtime.name", chain.container.runtime);
    json.end_array();
    json.end_object();
    json.begin_array("scopeSpans");
    json.begin_object();
    json.begin_object("scope");
    json.text("name", "hopscope");
    json.text("version", HOPSCOPE_VERSION);
    json.end_object();
    json.begin_array("spans");
    json.begin_object();
    json.text("traceId", trace);
    json.text("spanId", root);
    json.text("name", chain.kubectl_session.empty() ? std::string(chain::to_string(chain.op))
                                                    : "kubectl " + std::string(chain::to_string(chain.op)));
    json.number("kind", 1);
    nanoseconds(json, "startTimeUnixNano", chain.start);
    nanoseconds(json, "endTimeUnixNano", std::max(chain.start, chain.end));
    json.begin_array("attributes");
    attribute(json, "hopscope.chain", chain.id());
    attribute(json, "hopscope.operation", chain::to_string(chain.op));
    attribute(json, "hopscope.kubectl_session", chain.kubectl_session);
    attribute(json, "user_agent.original", chain.user_agent);
    if (chain.exit_code) attribute(json, "process.exit.code", static_cast<std::uint64_t>(*chain.exit_code));
    json.end_array();
    status(json, chain.exit_code && *chain.exit_code != 0);
    json.end_object();
    // Each hop lies below the one before it in the order of hops; attempts of one hop are siblings.
    std::string above = root, present = root;
    HopKind level = HopKind::unknown;
    for (std::size_t i = 0; i < chain.hops.size(); ++i) {
        const Hop& hop = chain.hops[i];
        if (hop.start.ns == 0) continue;  // known by words of others only: no time, no span
        const std::string id = span_id(
            trace, hop_name(hop) + to_string(hop.client) + to_string(hop.server) + std::to_string(hop.start.ns));
        if (hop.kind != level) {
            above = present;
            level = hop.kind;
        }
        hop_span(json, model, hop, trace, above, id);
        present = id;
    }
    json.end_array();
    json.end_object();
    json.end_array();
    json.end_object();
    json.end_array();
    json.end_object();
    out.append('\n');
}

}  // namespace hopscope::exports
