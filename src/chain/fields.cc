#include "chain/fields.h"

#include <algorithm>
#include <array>
#include <vector>

#include "chain/field_values.h"
#include "chain/suggest.h"
#include "chain/url.h"

namespace hopscope::chain {
namespace {

constexpr std::uint8_t bit(View view) { return static_cast<std::uint8_t>(view); }
constexpr std::uint8_t kS = bit(View::session), kT = bit(View::stream), kF = bit(View::finding), kP = bit(View::port),
                       kC = bit(View::chain);
// A stream's and a finding's row know their session.
constexpr std::uint8_t kOfSession = kS | kT | kF;
using T = FieldType;

constexpr std::array kFields = {
    // What it is
    Field{"op", "operation", "op", T::word, kOfSession | kC, "exec attach portforward", false, "op == exec",
          "what the client asked for", field::op},
    Field{"proto", "protocol", "proto", T::word, kOfSession | kC, "spdy/3.1 websocket http/1.1 grpc", false,
          "proto == ws", "what carries the streams; spdy, ws and http will do", field::proto},
    Field{"subprotocol", "", "subprotocol", T::text, kOfSession, "", false, "subprotocol ~ ^v4",
          "the stream protocol that was chosen", field::subprotocol},
    Field{"state", "", "state", T::word, kOfSession, "open closed refused reset cut", false, "state == refused",
          "what became of the session", field::state},
    Field{"hop", "", "hop", T::word, kOfSession | kC, "apiserver kubelet cri runtime shim process", false,
          "hop == runtime", "the end that answers", field::hop},
    Field{"session", "id", "session", T::word, kOfSession | kC, "", false, "session == s7", "the session's id",
          field::session},
    Field{"chain", "", "chain", T::word, kC, "", false, "chain == c1", "the chain's id", field::chain},
    Field{"grade", "", "grade", T::word, kS | kT | kC, "inferred seen decoded", true, "grade < decoded",
          "how it is known", field::grade},
    // When
    Field{"since", "ts time start", "start", T::time, kOfSession | kC, "", false, "since >= -5m",
          "when it began (a finding: when it was found)", field::since},
    Field{"end", "", "", T::time, kS | kT | kC, "", false, "end < 17:04:00", "its last event", field::end},
    Field{"age", "", "", T::duration, kOfSession | kC, "", false, "age < 10m", "time since it began", field::age},
    Field{"duration", "dur took", "duration_s", T::duration, kS | kT | kC, "", false, "duration > 2s",
          "from its beginning to its last event", field::duration},
    Field{"latency", "lat", "", T::duration, kOfSession, "", false, "latency > 5ms", "from the request to its answer",
          field::latency},
    Field{"setup", "", "", T::duration, kOfSession, "", false, "setup > 50ms",
          "from the connection (or the request) to the answer", field::setup},
    // How it ended
    Field{"exit", "exit_code", "exit_code", T::integer, kOfSession | kC, "", false, "exit != 0",
          "exit code of the command", field::exit},
    Field{"status", "", "status", T::word, kOfSession, "Success Failure", false, "status == Failure",
          "what the error stream said", field::status},
    Field{"reason", "", "reason", T::text, kOfSession, "", false, "reason == InternalError", "why it failed",
          field::reason},
    Field{"message", "", "message", T::text, kOfSession, "", false, "message has 'no such file'",
          "the status text, commands masked", field::message},
    Field{"refusal", "", "refusal", T::text, kOfSession, "", false, "refusal has upgrade", "first line of a refusal",
          field::refusal},
    // How much
    Field{"bytes", "", "bytes", T::size, kOfSession, "", false, "bytes > 1MiB", "payload, both directions",
          field::bytes},
    Field{"bytes.in", "in_bytes", "bytes.in", T::size, kOfSession, "", false, "bytes.in > 0",
          "payload toward the container", field::bytes_in},
    Field{"bytes.out", "out_bytes", "bytes.out", T::size, kOfSession, "", false, "bytes.out > 10kB",
          "payload from the container", field::bytes_out},
    Field{"streams", "", "", T::integer, kOfSession, "", false, "streams > 6", "how many streams", field::streams},
    Field{"resizes", "", "", T::integer, kOfSession, "", false, "resizes > 0",
          "how many changes of the terminal's size", field::resizes},
    Field{"gaps", "gap_count", "gaps", T::integer, kOfSession, "", false, "gaps > 0", "holes in the capture",
          field::gaps},
    Field{"missing", "", "", T::size, kOfSession, "", false, "missing > 1kB", "bytes that were not captured",
          field::missing},
    Field{"complete", "", "complete", T::flag, kOfSession, "", false, "complete == false", "no byte of it is missing",
          field::complete},
    Field{"tty", "", "tty", T::flag, kOfSession, "", false, "tty == true", "it has a terminal", field::tty},
    Field{"tls", "", "", T::flag, kOfSession, "", false, "tls == true", "it was read through TLS", field::tls},
    // Streams
    Field{"stream.type", "stream", "streams[].type", T::word, kOfSession,
          "unknown error stdin stdout stderr resize data", false, "stream.type == stdin", "what a stream is for",
          field::stream_type},
    Field{"stream.id", "", "streams[].id", T::integer, kOfSession, "", false, "stream.id == 5",
          "SPDY stream or WebSocket channel", field::stream_id},
    Field{"stream.port", "forwarded_port", "streams[].port", T::integer, kOfSession, "", false, "stream.port == 5432",
          "forwarded port", field::stream_port},
    Field{"stream.request_id", "requestid", "streams[].request_id", T::integer, kOfSession, "", false,
          "stream.request_id == 0", "which forwarded connection", field::stream_request_id},
    Field{"stream.state", "", "streams[].state", T::word, kOfSession, "open half_closed closed reset", false,
          "stream.state == reset", "what became of a stream", field::stream_state},
    Field{"stream.frames", "", "streams[].frames", T::integer, kOfSession, "", false, "stream.frames > 100",
          "frames with payload", field::stream_frames},
    Field{"stream.error", "", "streams[].error", T::text, kOfSession, "", false, "stream.error has refused",
          "text on the error stream of a forwarded connection", field::stream_error},
    // Who
    Field{"namespace", "ns k8s.namespace", "k8s.namespace", T::text, kOfSession | kC | kP, "", false,
          "namespace == kube-system", "Kubernetes namespace", field::name_space},
    Field{"pod", "k8s.pod", "k8s.pod", T::text, kOfSession | kC | kP, "", false, "pod ~ \"^web-\"", "pod", field::pod},
    Field{"container", "k8s.container container.name", "k8s.container", T::text, kOfSession | kC | kP, "", false,
          "container == nginx", "container of the pod", field::container},
    Field{"uid", "k8s.uid", "k8s.uid", T::text, kOfSession | kC | kP, "", false, "uid has 5cf1", "the pod's uid",
          field::uid},
    Field{"container.id", "", "container.id", T::text, kOfSession | kC | kP, "", false, "container.id ~ ^34ad62",
          "the runtime's id of the container", field::container_id},
    Field{"container.runtime", "runtime", "container.runtime", T::word, kOfSession | kC, "", false,
          "container.runtime == containerd", "container runtime", field::runtime},
    Field{"process.comm", "comm process", "hops[].from.process.comm", T::text, kC | kP, "", false,
          "process.comm == kubelet", "process at one end of a hop, or one that holds a listener", field::process_comm},
    Field{"process.pid", "pid", "hops[].from.process.pid", T::integer, kC | kP, "", false, "process.pid == 5714",
          "its pid", field::process_pid},
    Field{"user_agent", "ua", "user_agent", T::text, kOfSession | kC, "", false, "user_agent ~ kubectl",
          "the client's name for itself", field::user_agent},
    Field{"kubectl_session", "", "kubectl_session", T::text, kOfSession | kC, "", false, "kubectl_session ~ ^5cf1",
          "id of one run of kubectl", field::kubectl_session},
    Field{"kubectl_command", "", "kubectl_command", T::text, kOfSession | kC, "", false,
          "kubectl_command == 'kubectl cp'", "which kubectl command", field::kubectl_command},
    Field{"forwarded_for", "xff", "forwarded_for[]", T::address, kOfSession, "", false, "forwarded_for == 10.0.0.0/8",
          "clients that proxies named", field::forwarded_for},
    Field{"token", "token.id", "token.id", T::word, kOfSession, "", false, "token == t1",
          "the streaming token's number, or its first four characters", field::token},
    Field{"args", "", "", T::integer, kOfSession | kC, "", false, "args > 1", "words of the command", field::args},
    // Where
    Field{"peer.address", "client.address client", "client.address", T::address, kOfSession, "", false,
          "peer.address == 10.0.0.0/8", "the client's address", field::peer_address},
    Field{"peer.port", "client.port", "client.port", T::integer, kOfSession, "", false, "peer.port == 54766",
          "the client's port", field::peer_port},
    Field{"local.address", "server.address server", "server.address", T::address, kOfSession | kP, "", false,
          "local.address == 127.0.0.1", "the server's address", field::local_address},
    Field{"local.port", "server.port", "server.port", T::integer, kOfSession | kP, "", false, "local.port == 42313",
          "the server's port", field::local_port},
    Field{"port", "", "", T::integer, kOfSession | kP | kC, "", false, "port in {10250 33821}",
          "port of the server (a chain: of any hop)", field::port},
    Field{"frame", "", "", T::integer, kOfSession, "", false, "frame == 88",
          "frame of the request, of the answer or the last one", field::frame},
    // The request
    Field{"request.method", "method", "request.method", T::word, kOfSession, "", false, "request.method == GET",
          "HTTP method", field::request_method},
    Field{"request.path", "path", "request.path", T::text, kOfSession, "", false, "request.path has /exec/",
          "request target, secrets masked", field::request_path},
    Field{"request.status", "http_status", "request.status", T::integer, kOfSession, "", false, "request.status == 404",
          "HTTP status of the answer", field::request_status},
    // Findings
    Field{"severity", "sev", "severity", T::word, kF, "info notice warning error", true, "severity >= warning",
          "how bad it is", field::severity},
    Field{"code", "", "code", T::word, kF | kP, "", false, "code == TOK-01", "what kind of finding", field::code},
    Field{"says", "", "says", T::text, kF, "", false, "says has loopback", "the finding's sentence", field::says},
    // Ports
    Field{"role", "", "role", T::word, kP, "", false, "role == cri-streaming-server", "what the port is for",
          field::role},
    Field{"component", "comp", "component", T::word, kP, "", false, "comp in {kubelet containerd}", "who serves it",
          field::component},
    Field{"sure", "confidence", "confidence", T::word, kP, "low medium high certain", true, "sure >= high",
          "how sure that is", field::sure},
    Field{"reach", "", "reach", T::word, kP, "loopback pod-network node world", true, "reach == world",
          "from where it can be reached", field::reach},
    Field{"seen", "", "", T::integer, kP, "", false, "seen > 0", "requests that were seen on it", field::seen},
    Field{"transport", "", "local.transport", T::word, kP, "tcp udp unix", false, "transport == unix",
          "what kind of listener", field::transport},
    Field{"socket", "local.path", "local.path", T::text, kP, "", false, "socket ~ docker", "path of a unix socket",
          field::socket_path},
    Field{"exe", "process.exe", "process.exe", T::text, kP, "", false, "exe ~ ^/usr/bin/",
          "program that holds a listener", field::exe},
    Field{"peer.comm", "peer", "peers[].process.comm", T::text, kP, "", false, "peer.comm == kubelet",
          "process that is connected to it now", field::peer_comm},
    Field{"title", "", "title", T::text, kP, "", false, "title has streaming", "what it is, in a few words",
          field::title},
    Field{"why", "", "why", T::text, kP, "", false, "why has random", "the reason in a few words", field::why},
};

bool has_alias(const Field& field, std::string_view name) {
    std::string_view rest = field.aliases;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        if (rest.substr(0, end) == name) return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

// --- flags

constexpr std::int64_t kSlowSetupNs = kNanosecondsPerSecond;  // a node-local exec is set up in some ten milliseconds

bool op_is(const Row& row, Op op) {
    return (row.session && row.session->op == op) || (row.chain && row.chain->op == op);
}
bool proto_is(const Row& row, Proto proto) { return row.session && row.session->proto == proto; }
bool state_is(const Row& row, SessionState state) { return row.session && row.session->state == state; }
bool severity_is(const Row& row, Severity severity) { return row.finding && row.finding->severity == severity; }

bool is_error(const Row& row) {
    if (row.finding) return row.finding->severity == Severity::error;
    if (row.stream && row.stream->error) return true;
    if (row.chain) return row.chain->exit_code && *row.chain->exit_code != 0;
    if (!row.session) return false;
    const Session& s = *row.session;
    return s.state == SessionState::refused || s.outcome == Session::Outcome::failure ||
           std::any_of(s.streams.begin(), s.streams.end(),
                       [](const Stream& stream) { return stream.error != nullptr; });
}

bool is_slow(const Row& row) {
    if (!row.session || row.session->answered.ns == 0) return false;
    const Timestamp begin = row.session->connected.ns != 0 ? row.session->connected : row.session->start;
    return (row.session->answered - begin).ns >= kSlowSetupNs;
}

bool is_masked(const Row& row) {
    if (row.stream) return row.stream->bytes.in + row.stream->bytes.out > 0 && row.stream->kind != StreamKind::resize;
    if (row.session)
        return row.session->token || !row.session->command.empty() ||
               row.session->bytes.in + row.session->bytes.out > 0;
    return row.chain && !row.chain->command.empty();
}

constexpr std::array kFlags = {
    Flag{"exec", "op == exec", [](const Row& row) { return op_is(row, Op::exec); }},
    Flag{"attach", "op == attach", [](const Row& row) { return op_is(row, Op::attach); }},
    Flag{"portforward", "op == portforward", [](const Row& row) { return op_is(row, Op::portforward); }},
    Flag{"spdy", "proto == spdy/3.1", [](const Row& row) { return proto_is(row, Proto::spdy31); }},
    Flag{"ws", "proto == websocket", [](const Row& row) { return proto_is(row, Proto::websocket); }},
    Flag{"websocket", "proto == websocket", [](const Row& row) { return proto_is(row, Proto::websocket); }},
    Flag{"http", "proto == http/1.1: no upgrade was asked for",
         [](const Row& row) { return proto_is(row, Proto::http11); }},
    Flag{"tls", "read through TLS", [](const Row& row) { return row.session && row.session->tls; }},
    Flag{"tty", "with a terminal", [](const Row& row) { return row.session && row.session->tty.value_or(false); }},
    Flag{"open", "state == open", [](const Row& row) { return state_is(row, SessionState::open); }},
    Flag{"closed", "state == closed", [](const Row& row) { return state_is(row, SessionState::closed); }},
    Flag{"refused", "state == refused", [](const Row& row) { return state_is(row, SessionState::refused); }},
    Flag{"reset", "state == reset", [](const Row& row) { return state_is(row, SessionState::reset); }},
    Flag{"cut", "state == cut", [](const Row& row) { return state_is(row, SessionState::cut); }},
    Flag{"gap", "bytes are missing", [](const Row& row) { return row.session && row.session->gaps > 0; }},
    Flag{"slow", "setup >= 1s", is_slow},
    Flag{"masked", "something of it is masked unless revealed", is_masked},
    Flag{"error", "refused, failed, a refused port, or a finding of severity error", is_error},
    Flag{"warning", "severity == warning", [](const Row& row) { return severity_is(row, Severity::warning); }},
    Flag{"notice", "severity == notice", [](const Row& row) { return severity_is(row, Severity::notice); }},
};

}  // namespace

std::string_view to_string(FieldType type) {
    switch (type) {
        case FieldType::word: return "word";
        case FieldType::text: return "text";
        case FieldType::integer: return "integer";
        case FieldType::size: return "size";
        case FieldType::duration: return "duration";
        case FieldType::time: return "time";
        case FieldType::address: return "address";
        case FieldType::flag: return "flag";
    }
    return "";
}

std::string_view to_string(View view) {
    switch (view) {
        case View::session: return "session";
        case View::stream: return "stream";
        case View::finding: return "finding";
        case View::port: return "port";
        case View::chain: return "chain";
    }
    return "";
}

Row row_of(const Session& session) { return {.view = View::session, .session = &session}; }
Row row_of(const Session& session, const Stream& stream) {
    return {.view = View::stream, .session = &session, .stream = &stream};
}
Row row_of(const Finding& finding, const Session* session) {
    return {.view = View::finding, .session = session, .finding = &finding};
}
Row row_of(const PortFact& port) { return {.view = View::port, .port = &port}; }
Row row_of(const Verdict& verdict, const PortFact& port) {
    return {.view = View::port, .port = &port, .verdict = &verdict};
}
Row row_of(const Chain& chain) { return {.view = View::chain, .chain = &chain}; }

std::span<const Field> fields() { return kFields; }

const Field* find_field(std::string_view name) {
    for (const Field& field : kFields) {
        if (field.name == name || has_alias(field, name)) return &field;
    }
    return nullptr;
}

std::string_view closest_field(std::string_view name) {
    std::vector<std::string_view> names;
    names.reserve(std::size(kFields));
    for (const Field& field : kFields) names.push_back(field.name);
    for (const Field& field : kFields) {
        std::string_view rest = field.aliases;
        while (!rest.empty()) {
            const auto end = std::min(rest.find(' '), rest.size());
            names.push_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return closest(name, names);
}

std::span<const Flag> flags() { return kFlags; }

const Flag* find_flag(std::string_view name) {
    for (const Flag& flag : kFlags) {
        if (flag.name == name) return &flag;
    }
    return nullptr;
}

}  // namespace hopscope::chain
