#include "export/schema_tables.h"

#include <algorithm>
#include <array>

namespace hopscope::exports {
namespace {

constexpr std::string_view kOps = "enum exec|attach|portforward";
constexpr std::string_view kHops = "enum apiserver|kubelet|cri|runtime|shim|process";
constexpr std::string_view kProtos = "enum spdy/3.1|websocket|http/1.1";
constexpr std::string_view kGrades = "enum decoded|seen|inferred!";
constexpr std::string_view kGradeIfNot = "enum seen|inferred";
constexpr std::string_view kStreamTypes = "enum unknown|error|stdin|stdout|stderr|resize|data!";
constexpr std::string_view kStreamStates = "enum open|half_closed|closed|reset!";
constexpr std::string_view kDirections = "enum in|out!";

constexpr Property kEndpoint[] = {
    {"address", "string!", "IPv4 or IPv6 address"},
    {"port", "integer!", ""},
};
constexpr Property kByteCounts[] = {
    {"in", "integer!", "toward the container"},
    {"out", "integer!", "from the container"},
};
constexpr Property kEvidence[] = {
    {"grade", kGrades, "how the claim is known"},
    {"id", "string", "which rule"},
    {"source", "text", "file or path that shows it; absent: the capture"},
    {"says", "text!", ""},
    {"frame", "integer", "packet number in its file"},
};
constexpr Property kToken[] = {
    {"prefix", "text", "its first four characters; absent for short tokens"},
    {"id", "string", "t1, t2 … in order of appearance; a token that comes again after it was forgotten gets a new one"},
    {"value", "text", "only with --reveal token"},
};
constexpr Property kRequest[] = {
    {"method", "text", ""},
    {"path", "text", "token and secret query values masked; whole with --reveal token,command"},
    {"status", "integer", "HTTP status of the answer; absent: no answer seen"},
};
constexpr Property kStream[] = {
    {"id", "integer!", "SPDY stream id or WebSocket channel number"},
    {"type", kStreamTypes, ""},
    {"grade", kGradeIfNot, "how the type is known; absent: decoded"},
    {"port", "integer", "port-forward: port in the pod"},
    {"request_id", "integer", "port-forward over SPDY: pairs the data and the error stream of one connection"},
    {"start", "time", ""},
    {"duration_s", "number", ""},
    {"bytes", "ref bytes!", "payload, without framing"},
    {"frames", "integer!", "frames or messages with payload"},
    {"state", kStreamStates, ""},
    {"error", "text", "port-forward: what the error stream said"},
};
constexpr Property kResize[] = {
    {"ts", "time!", ""},
    {"width", "integer!", "columns"},
    {"height", "integer!", "rows"},
};
constexpr Property kK8s[] = {
    {"namespace", "text", ""},
    {"pod", "text", ""},
    {"container", "text", ""},
    {"uid", "text", ""},
};
constexpr Property kContainer[] = {
    {"id", "text", ""},
    {"name", "text", ""},
    {"runtime", "string", "containerd, docker, cri-o"},
    {"sandbox_id", "text", ""},
};
constexpr Property kProcess[] = {
    {"pid", "integer", ""},
    {"comm", "text", ""},
    {"exe", "text", ""},
    {"start", "time", "when it was started"},
};
constexpr Property kEnd[] = {
    {"process", "ref process!", ""},
};
constexpr Property kUnix[] = {
    {"path", "text", ""},
    {"inode", "integer", ""},
};

constexpr Property kSession[] = {
    {"session", "string!", "s1, s2 … in order of the first packet"},
    {"op", kOps, "absent: unknown"},
    {"hop", kHops, "the end that answers, from the form of the path; absent: unknown"},
    {"state", "enum open|closed|refused|reset|cut!", "cut: it began before the capture"},
    {"proto", kProtos, ""},
    {"grade", kGrades, "how the connection was read"},
    {"tls", "boolean", "true: read through TLS with keys"},
    {"subprotocol", "text", "what the server chose"},
    {"offered", "[]string", "what a refused upgrade asked for"},
    {"start", "time", "first byte of the request"},
    {"duration_s", "number", ""},
    {"setup_s", "number", "from the request to its answer"},
    {"client", "ref endpoint", "absent where it was seen on a unix socket"},
    {"server", "ref endpoint", ""},
    {"unix", "ref unix", "the socket, where it was seen on one"},
    {"from", "ref end", "the process at the client's end, where the system could tell"},
    {"to", "ref end", "the process at the server's end"},
    {"flow", "integer!", "number of the connection in this run"},
    {"file", "integer", "which file, from 0; only when there are several"},
    {"first_frame", "integer", ""},
    {"answer_frame", "integer", "where the answer began"},
    {"last_frame", "integer", ""},
    {"request", "ref request", ""},
    {"token", "ref token", "streaming token of the path"},
    {"command", "[]text", "only with --reveal command"},
    {"tty", "boolean", ""},
    {"exit_code", "integer", ""},
    {"status", "enum Success|Failure", "of the Status on the error stream"},
    {"reason", "text", ""},
    {"message", "text", "commands in it masked"},
    {"refusal", "text", "first line of what a refused request was answered with"},
    {"streams", "[]ref stream!", ""},
    {"streams_dropped", "integer", "streams beyond what is followed"},
    {"resizes", "[]ref resize", ""},
    {"bytes", "ref bytes!", "sum over stdin, stdout, stderr and data"},
    {"gaps", "integer!", "declared holes"},
    {"missing_bytes", "integer", "of these holes"},
    {"complete", "boolean!", "no byte of it is missing, its beginning included"},
    {"kubectl_session", "text", ""},
    {"kubectl_command", "text", ""},
    {"user_agent", "text", ""},
    {"forwarded_for", "[]text", ""},
    {"host", "text", ""},
    {"k8s", "ref k8s", ""},
    {"container", "ref container", ""},
    {"evidence", "[]ref evidence", ""},
};
constexpr Property kFinding[] = {
    {"code", "string!", "stable; hopscope doctor CODE explains it"},
    {"severity", "enum info|notice|warning|error!", ""},
    {"session", "string", ""},
    {"says", "text!", ""},
    {"remedy", "text", ""},
    {"frame", "integer", ""},
    {"file", "integer", ""},
    {"ts", "time", ""},
};
constexpr Property kLocal[] = {
    {"transport", "enum tcp|udp|unix!", ""},
    {"address", "string", ""},
    {"port", "integer", ""},
    {"path", "text", ""},
};
constexpr Property kPort[] = {
    {"local", "ref local!", ""},
    {"role", "string!", "cri-streaming-server, kubelet-api …; unknown"},
    {"component", "string", "containerd, kubelet …"},
    {"confidence", "enum certain|high|medium|low", ""},
    {"reach", "enum loopback|node|pod-network|world", ""},
    {"seen", "integer", "requests or upgrades seen"},
    {"evidence", "[]ref evidence", ""},
    {"findings", "[]string", "codes"},
};
constexpr Property kHop[] = {
    {"hop", kHops, ""},
    {"grade", kGrades, "how the hop was read; how it was joined stands in its evidence"},
    {"session", "string", ""},
    {"unix", "ref unix", ""},
    {"client", "ref endpoint", ""},
    {"server", "ref endpoint", ""},
    {"from", "ref end", ""},
    {"to", "ref end", ""},
    {"proto", "string", ""},
    {"start_s", "number", "since the start of the chain"},
    {"took_s", "number", "until the answer"},
    {"bytes", "ref bytes!", ""},
    {"netns", "integer", "inode of the network namespace that a forwarded connection was made in"},
    {"packets", "integer", "of a forwarded connection, captured in that network namespace"},
    {"stream", "integer", "of the session before it: what a forwarded connection carries"},
    {"ran", "[]ref ran", "hop process: it, the first, and what it ran, by start; live only"},
    {"ran_dropped", "integer", "beyond what is kept of them"},
    {"evidence", "[]ref evidence", ""},
};
constexpr Property kRan[] = {
    {"pid", "integer!", ""},
    {"comm", "text", "of its last program"},
    {"exe", "text", ""},
    {"command_words", "integer", "how many words the masked command has"},
    {"command", "[]text", "only with --reveal command; cut at 512 bytes"},
    {"programs", "integer", "that it became, one after the other; absent: 1"},
    {"parent", "integer", "place in this list of the one that made it, from 0; absent: the first"},
    {"start_s", "number", "since the start of the chain"},
    {"took_s", "number", "absent: it was still running"},
    {"exit_code", "integer", "128 + signal where it was killed"},
};
constexpr Property kAttempt[] = {
    {"proto", kProtos, ""},
    {"status", "integer", ""},
};
constexpr Property kChain[] = {
    {"chain", "string!", "c1, c2 …"},
    {"op", kOps, ""},
    {"start", "time", ""},
    {"duration_s", "number", ""},
    {"k8s", "ref k8s", ""},
    {"container", "ref container", ""},
    {"command", "[]text", "only with --reveal command"},
    {"kubectl_session", "text", ""},
    {"kubectl_command", "text", ""},
    {"user_agent", "text", ""},
    {"exit_code", "integer", ""},
    {"sessions", "[]string!", ""},
    {"attempts", "[]ref attempt", "refused before one was accepted"},
    {"hops", "[]ref hop!", "one per connection, in order of hops, then by start"},
    {"candidates", "[]ref evidence", "what might have belonged here, and why it was not taken"},
    {"contradictions", "[]ref evidence", ""},
    {"complete", "boolean", "live only: every hop, the processes at both ends of each, every byte"},
    {"missing", "[]ref missing", "live only: what is not there, and why"},
};
constexpr Property kMissing[] = {
    {"hop", kHops, "of which hop; absent: unknown"},
    {"says", "string!", ""},
};
constexpr Property kFile[] = {
    {"name", "text!", ""},
    {"format", "string", ""},
    {"link_types", "string", ""},
    {"packets", "integer", ""},
    {"bytes", "integer", "size of the file"},
    {"first", "time", "first packet"},
    {"last", "time", ""},
    {"cut_off", "boolean", "the file ends inside a record"},
};
constexpr Property kCapture[] = {
    {"version", "string!", "of hopscope"},
    {"files", "[]ref file!", ""},
    {"packets", "integer!", ""},
    {"bytes", "integer!", "on the wire"},
    {"first", "time", ""},
    {"last", "time", ""},
    {"duration_s", "number", ""},
    {"tcp_connections", "integer!", ""},
    {"retransmissions", "integer!", ""},
    {"gaps", "integer!", ""},
    {"duplicates", "integer!", "packets that were there twice and were counted once"},
    {"http_requests", "integer!", ""},
    {"spdy_frames", "integer!", ""},
    {"ws_messages", "integer!", ""},
    {"tls_connections", "integer!", ""},
    {"sessions_seen", "integer!", ""},
    {"sessions_evicted", "integer", "left out to stay within --mem"},
    {"findings_seen", "integer!", ""},
    {"sessions_by_op", "counters!", ""},
    {"sessions_by_proto", "counters!", ""},
};
constexpr Property kHeader[] = {
    {"name", "text!", ""},
    {"value", "text!", "credentials masked"},
};

constexpr Definition kObjects[] = {
    {"endpoint", kEndpoint, ""},
    {"bytes", kByteCounts, ""},
    {"evidence", kEvidence, "why something is claimed"},
    {"token", kToken, ""},
    {"request", kRequest, ""},
    {"stream", kStream, ""},
    {"resize", kResize, ""},
    {"k8s", kK8s, ""},
    {"container", kContainer, ""},
    {"process", kProcess, ""},
    {"end", kEnd, ""},
    {"unix", kUnix, ""},
    {"session", kSession, "one exec, attach or port-forward, seen on one connection"},
    {"finding", kFinding, ""},
    {"local", kLocal, ""},
    {"port", kPort, "a listening port"},
    {"hop", kHop, "one connection of a chain"},
    {"ran", kRan, "a process that a session ran"},
    {"attempt", kAttempt, ""},
    {"missing", kMissing, "a part of a chain that is not there"},
    {"chain", kChain, "the ordered hops of one user action"},
    {"file", kFile, ""},
    {"capture", kCapture, ""},
    {"header", kHeader, ""},
};

constexpr Property kReport[] = {
    {"schema", "enum hopscope.report/v1!", ""},
    {"capture", "ref capture!", ""},
    {"ports", "[]ref port!", ""},
    {"sessions", "[]ref session!", ""},
    {"chains", "[]ref chain!", ""},
    {"findings", "[]ref finding!", ""},
    {"loss", "counters!", "what was lost, by place"},
};
constexpr Definition kReportDefinition = {"hopscope.report/v1", kReport, "hopscope analyze -o json"};

constexpr Property kCommon[] = {
    {"schema", "enum hopscope.event/v1!", "always first"},
    {"kind", "string!", ""},
    {"ts", "time", "absent where no packet has come yet"},
    {"seq", "integer!", "counts lines, from 1"},
};
constexpr Property kPlace[] = {
    {"flow", "integer!", "number of the connection in this run"},
    {"file", "integer", "which file, from 0; only when there are several"},
    {"frame", "integer!", "packet number in its file"},
    {"session", "string", "the session that the connection carries, as far as known at this moment"},
};
constexpr Property kStart[] = {
    {"version", "string!", "of hopscope"},
    {"node", "text", "name of the node"},
    {"files", "[]ref file", ""},
    {"interfaces", "[]string", ""},
    {"filter", "text", ""},
    {"partial", "[]string", "what cannot be seen, and why"},
};
constexpr Property kHttpRequest[] = {
    {"exchange", "integer!", "pairs the answer with its request"},
    {"method", "text", ""},
    {"path", "text!", "secrets masked"},
    {"version", "text", ""},
    {"headers", "[]ref header", ""},
};
constexpr Property kHttpResponse[] = {
    {"exchange", "integer!", ""}, {"status", "integer!", ""},      {"reason", "text", ""},
    {"version", "text", ""},      {"headers", "[]ref header", ""},
};
constexpr Property kFrame[] = {
    {"direction", kDirections, ""},
    {"type", "enum data|syn_stream|syn_reply|rst_stream|settings|ping|goaway|headers|window_update|credential|unknown!",
     ""},
    {"type_number", "integer", "where the type is unknown"},
    {"stream", "integer", ""},
    {"ping", "integer", "id of a PING"},
    {"length", "integer!", "bytes behind the frame's header"},
    {"flags", "integer", ""},
    {"status", "integer", "of RST_STREAM and GOAWAY"},
    {"headers_known", "boolean", "false: the header block could not be read exactly"},
};
constexpr Property kMessage[] = {
    {"direction", kDirections, ""},
    {"type", "enum continuation|text|binary|close|ping|pong|unknown!", ""},
    {"type_number", "integer", "where the type is unknown"},
    {"channel", "integer", ""},
    {"length", "integer!", "payload bytes, channel byte included"},
    {"frames", "integer", "where it came in several"},
    {"close_code", "integer", ""},
};
constexpr Property kGap[] = {
    {"direction", kDirections, ""},
    {"offset", "integer!", "bytes before it in its direction"},
    {"missing_bytes", "integer!", ""},
};
constexpr Property kProblem[] = {
    {"direction", kDirections, ""}, {"code", "string!", ""},          {"says", "text", ""},
    {"offset", "integer!", ""},     {"skipped_bytes", "integer", ""},
};
constexpr Property kCriMessage[] = {
    {"direction", kDirections, "in: request, out: answer"},
    {"stream", "integer!", "HTTP/2 stream: pairs the answer with its request"},
    {"method", "text", ""},
    {"grade", kGradeIfNot, "how the method is known; absent: decoded"},
    {"version", "text", ""},
    {"length", "integer!", ""},
    {"container_id", "text", ""},
    {"sandbox_id", "text", ""},
    {"url", "text", "token masked"},
    {"command_words", "integer", "how many words the masked command has"},
    {"command", "[]text", "only with --reveal command"},
    {"ports", "[]integer", ""},
    {"tty", "boolean", ""},
    {"exit_code", "integer", ""},
    {"runtime_name", "text", ""},
    {"runtime_version", "text", ""},
    {"sandboxes", "integer", "how many are listed"},
    {"containers", "integer", ""},
};
constexpr Property kCriDone[] = {
    {"stream", "integer!", ""},
    {"method", "text", ""},
    {"grpc_status", "integer!", "0 is OK"},
    {"message", "text", ""},
};
constexpr Property kDockerCall[] = {
    {"operation", "string!", ""},
    {"container_id", "text", ""},
    {"exec_id", "text", ""},
    {"command_words", "integer", ""},
    {"command", "[]text", "only with --reveal command"},
    {"tty", "boolean", ""},
    {"status", "integer", ""},
    {"exit_code", "integer", ""},
    {"pid", "integer", ""},
};
constexpr Property kTtrpcMessage[] = {
    {"direction", kDirections, "in: request, out: answer"},
    {"stream", "integer!", "pairs the answer with its request"},
    {"service", "text", "absent: an answer whose request was not seen"},
    {"method", "text", ""},
    {"namespace", "text", "containerd's own: k8s.io, moby"},
    {"length", "integer!", ""},
    {"container_id", "text", ""},
    {"exec_id", "text", "absent: the container's main process"},
    {"command_words", "integer", "how many words the masked command has"},
    {"command", "[]text", "only with --reveal command"},
    {"tty", "boolean", ""},
    {"pid", "integer", "as the shim tells it"},
    {"exit_code", "integer", ""},
    {"width", "integer", "columns"},
    {"height", "integer", "rows"},
    {"signal", "integer", ""},
    {"status", "integer", "a gRPC code; absent: OK"},
    {"message", "text", ""},
};
constexpr Property kClientHello[] = {
    {"version", "string!", "highest offered: tls1.2, tls1.3 …"},
    {"server_name", "text", ""},
    {"alpn", "[]text", ""},
};
constexpr Property kServerHello[] = {
    {"version", "string!", "chosen"},
    {"cipher_suite", "integer!", ""},
    {"alpn", "text", ""},
};
constexpr Property kTlsClosed[] = {
    {"code", "string", ""},
    {"says", "text", "why this connection cannot be read"},
};
constexpr Property kOpen[] = {
    {"op", kOps, ""},
    {"hop", kHops, ""},
    {"proto", kProtos, ""},
    {"subprotocol", "text", ""},
    {"client", "ref endpoint", "absent where it was seen on a unix socket"},
    {"server", "ref endpoint", ""},
    {"unix", "ref unix", "the socket, where it was seen on one"},
    {"from", "ref end", ""},
    {"to", "ref end", ""},
    {"token", "ref token", ""},
};
constexpr Property kStreamOpen[] = {
    {"stream", "integer!", ""}, {"type", kStreamTypes, ""},    {"grade", kGradeIfNot, ""},
    {"port", "integer", ""},    {"request_id", "integer", ""},
};
constexpr Property kStreamClose[] = {
    {"stream", "integer!", ""},   {"type", kStreamTypes, ""},    {"grade", kGradeIfNot, ""},
    {"port", "integer", ""},      {"request_id", "integer", ""}, {"state", kStreamStates, ""},
    {"duration_s", "number", ""}, {"bytes", "ref bytes!", ""},   {"frames", "integer!", ""},
};
constexpr Property kData[] = {
    {"direction", kDirections, ""},
    {"stream", "integer!", ""},
    {"type", kStreamTypes, ""},
    {"grade", kGradeIfNot, ""},
    {"port", "integer", ""},
    {"request_id", "integer", ""},
    {"length", "integer!", ""},
    {"text", "string", "the payload, where it is UTF-8"},
    {"b64", "string", "the payload in base64, where it is not"},
};
constexpr Property kProcessEvent[] = {
    {"session", "string!", "whose process it is, or whose process made it"},
    {"step", "enum exec|running|exit!", "a program was started; it ran before hopscope looked; the process ended"},
    {"pid", "integer!", ""},
    {"comm", "text", ""},
    {"exe", "text", ""},
    {"command_words", "integer", "how many words the masked command has"},
    {"command", "[]text", "only with --reveal command; cut at 512 bytes"},
    {"programs", "integer", "that it has become, one after the other; absent: 1"},
    {"parent_pid", "integer", "who made it, itself or through children without a program; absent: the runtime"},
    {"depth", "integer!", "0: the session's process itself"},
    {"exit_code", "integer", "128 + signal where it was killed"},
    {"duration_s", "number", "exit: since its first program"},
};
constexpr Property kResizeEvent[] = {
    {"stream", "integer!", ""},
    {"width", "integer!", "columns"},
    {"height", "integer!", "rows"},
};
constexpr Property kLoss[] = {
    {"lost", "counters!", "what was lost since the last such line, by place"},
};
// capture.end carries the members of the capture too, but for `version`, which stands in capture.start.
constexpr Property kCaptureEnd[] = {
    {"lines", "integer!", "written, this one included"},
    {"loss", "counters!", "all that was lost, by place"},
};

constexpr Definition kEvents[] = {
    {"capture.start", kStart, "first line"},
    {"http.request", kHttpRequest, ""},
    {"http.response", kHttpResponse, ""},
    {"frame", kFrame, "a SPDY/3.1 frame"},
    {"message", kMessage, "a WebSocket message"},
    {"gap", kGap, "bytes that were not captured"},
    {"problem", kProblem, "bytes that make no sense"},
    {"cri.message", kCriMessage, "a gRPC message of the CRI"},
    {"cri.done", kCriDone, "end of a CRI call"},
    {"docker.call", kDockerCall, "a step of the Docker Engine API"},
    {"ttrpc.message", kTtrpcMessage, "a message between containerd and a shim"},
    {"task.message", kTtrpcMessage, "a message between containerd and a client of its own API, about a process"},
    {"tls.client_hello", kClientHello, ""},
    {"tls.server_hello", kServerHello, ""},
    {"tls.closed", kTlsClosed, ""},
    {"session.open", kOpen, ""},
    {"stream.open", kStreamOpen, ""},
    {"stream.close", kStreamClose, ""},
    {"data", kData, "a piece of payload; only with --reveal payload, stdin, stdout, stderr or data"},
    {"resize", kResizeEvent, "the terminal's new size"},
    {"session", kSession, "a session that is over: the object of the report"},
    {"chain", kChain, "live only: a user action whose sessions are all over"},
    {"process", kProcessEvent, "live only: what a session runs in its container"},
    {"finding", kFinding, ""},
    {"loss", kLoss, "at most once per second; no filter holds it back"},
    {"capture.end", kCaptureEnd, "last line"},
};

constexpr std::array<std::string_view, 7> kWithoutPlace = {"capture.start", "capture.end", "loss",   "session",
                                                           "chain",         "finding",     "process"};

// OpenTelemetry semantic conventions 1.44; a session is a trace, hops are spans.
constexpr OtelName kOtel[] = {
    {"k8s.namespace", "k8s.namespace.name", "resource"},
    {"k8s.pod", "k8s.pod.name", "resource"},
    {"k8s.uid", "k8s.pod.uid", "resource"},
    {"k8s.container", "k8s.container.name", "resource"},
    {"container.id", "container.id", "resource"},
    {"container.runtime", "container.runtime.name", "resource"},
    {"hops[].to.process.pid", "process.pid", "span"},
    {"hops[].to.process.comm", "process.executable.name", "span"},
    {"hops[].unix", "network.transport", "span"},
    {"proto", "network.protocol.name", "span"},
    {"proto", "network.protocol.version", "span"},
    {"server.address", "network.local.address", "span"},
    {"server.port", "network.local.port", "span"},
    {"client.address", "network.peer.address", "span"},
    {"client.port", "network.peer.port", "span"},
    {"request.method", "http.request.method", "span"},
    {"request.status", "http.response.status_code", "span"},
    {"op", "hopscope.op", "span"},
    {"hop", "hopscope.hop", "span"},
    {"state", "hopscope.state", "span"},
    {"session", "hopscope.session", "span"},
    {"exit_code", "hopscope.exit_code", "span"},
    {"bytes.in", "hopscope.bytes.in", "span"},
    {"bytes.out", "hopscope.bytes.out", "span"},
    {"evidence[].grade", "hopscope.grade", "span"},
};

}  // namespace

std::span<const Definition> object_definitions() { return kObjects; }
const Definition& report_definition() { return kReportDefinition; }
std::span<const Definition> event_definitions() { return kEvents; }
std::span<const Property> common_event_members() { return kCommon; }
std::span<const Property> place_members() { return kPlace; }
std::span<const Property> capture_members_of_end() { return std::span(kCapture).subspan(1); }
bool has_place(std::string_view kind) {
    return std::find(kWithoutPlace.begin(), kWithoutPlace.end(), kind) == kWithoutPlace.end();
}
std::span<const OtelName> otel_names() { return kOtel; }

}  // namespace hopscope::exports
