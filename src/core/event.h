// The facts that decoders tell and the model listens to: where decode/ and chain/ meet.
//
// Everything borrowed (Bytes, string_view, span) is valid only during EventSink::on(). Decoders know no time and no
// connection: whoever runs them (pipeline) knows both and adds them. All strings are bytes from the wire: hostile.
// Visit an Event without a default branch, so that the compiler lists every place to extend.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/bytes.h"
#include "core/endpoint.h"
#include "core/grade.h"

namespace hopscope {

// --- HTTP/1.1 and HTTP/2 (RFC 9112, RFC 9113)

struct Header {
    std::string_view name;  // as on the wire (any case)
    std::string_view value;
};

// `exchange` pairs a response with its request: a counter from 0 in HTTP/1.1, the stream id in HTTP/2.
struct HttpRequest {
    std::uint32_t exchange = 0;
    std::string_view method, target, version;  // "POST", "/exec/6cBPriL6", "HTTP/1.1" or "HTTP/2"
    std::span<const Header> headers;
};
struct HttpResponse {
    std::uint32_t exchange = 0;
    std::uint16_t status = 0;
    std::string_view reason, version;
    std::span<const Header> headers;
};
// A piece of a message's body, chunk framing removed.
struct HttpBody {
    std::uint32_t exchange = 0;
    Direction direction{};
    Bytes piece;
};
// A message is over. `complete` is false when the connection ended inside it.
struct HttpEnd {
    std::uint32_t exchange = 0;
    Direction direction{};
    std::uint64_t body_bytes = 0;
    bool complete = true;
};

enum class Carrier : std::uint8_t { spdy31, websocket, raw };  // raw: "Upgrade: tcp" of the Docker API

// 101 was answered: from here on the connection carries something else.
struct Upgraded {
    std::uint32_t exchange = 0;
    Carrier carrier{};
    std::string_view subprotocol;  // X-Stream-Protocol-Version or Sec-WebSocket-Protocol of the answer; may be empty
};

// --- frames and messages, one event each, told when the last byte was seen (its payload pieces come before)

// SPDY/3.1. `type` 0 is DATA, else the control frame's type.
struct SpdyFrame {
    Direction direction{};
    std::uint16_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;   // PING: the ping id. SETTINGS, unknown types: 0
    std::uint32_t length = 0;   // bytes after the 8-byte header
    std::uint32_t status = 0;   // RST_STREAM, GOAWAY
    bool headers_known = true;  // header block inflated exactly (false: joined late, names inferred or unknown)
};

// One WebSocket message (RFC 6455), fragments put together; control frames too.
struct WsMessage {
    Direction direction{};
    std::uint8_t opcode = 0;   // 1 text, 2 binary, 8 close, 9 ping, 10 pong
    std::uint64_t length = 0;  // payload bytes of all its frames, channel byte included
    std::uint32_t frames = 1;
    std::int16_t channel = -1;     // channel number where the subprotocol has one, else -1
    std::uint16_t close_code = 0;  // opcode 8 only; 0: none
};

// --- streams of exec, attach and port-forward, whatever carries them

enum class StreamKind : std::uint8_t { unknown, error, in, out, err, resize, data };  // in = stdin …
std::string_view to_string(StreamKind kind);  // "unknown", "error", "stdin", "stdout", "stderr", "resize", "data"

// `id`: SPDY stream id or WebSocket channel number.
struct StreamOpened {
    std::uint32_t id = 0;
    StreamKind kind = StreamKind::unknown;
    Grade grade = Grade::decoded;             // inferred: the capture began later, or the header block was missing
    std::optional<std::uint16_t> port;        // port-forward
    std::optional<std::uint32_t> request_id;  // port-forward over SPDY
    std::string_view why;                     // how the kind was inferred; empty when decoded
};
// Told later about a stream whose kind was unknown when it opened: same fields, replaces what was said.
struct StreamNamed {
    StreamOpened stream;
};
// Payload as it comes, without frame header, channel byte, base64 or port prefix. Never copied.
struct StreamData {
    std::uint32_t id = 0;
    Direction direction{};
    Bytes piece;
};
enum class CloseKind : std::uint8_t { fin, reset, goaway, channel_close };
// One direction of a stream is over (fin), or the whole stream (reset: both directions).
struct StreamClosed {
    std::uint32_t id = 0;
    Direction direction{};  // who closed: to_server = the client did
    CloseKind kind{};
    std::uint32_t status = 0;  // RST_STREAM status
};
struct Resized {
    std::uint32_t id = 0;
    std::uint16_t width = 0, height = 0;
};
// What the error stream of exec/attach said, told once when it is complete (v4, v5: JSON Status; v1-v3: plain text).
struct ExitStatus {
    std::uint32_t id = 0;
    bool plain_text = false;  // v1 to v3: `message` is the text, empty on success
    bool success = false;
    std::optional<int> exit_code;  // 0 for success in v4+; absent where the Status has none
    std::string_view reason;       // "NonZeroExitCode", "InternalError"; empty on success
    std::string_view message;
};
// Text on the error stream of a forwarded connection, told once when it is complete (empty text is not told).
struct ForwardError {
    std::uint32_t id = 0;
    std::string_view text;
};

// --- TCP connection (also told for unix sockets and synthetic streams where it makes sense)

struct FlowOpened {
    bool handshake_seen = false;  // SYN seen: the beginning is here
    bool client_known = true;     // false: orientation came from content, or is still a guess
};
enum class FinKind : std::uint8_t { fin, rst };
struct FlowClosing {
    Direction direction{};  // to_server: the client closed
    FinKind kind{};
};
// Nothing more will come: both sides closed, reset, evicted, or the capture is over.
struct FlowEnded {
    bool capture_over = false;
};
// Bytes that were on the wire but not in the capture. `offset` counts from the first byte of the direction.
struct Gap {
    Direction direction{};
    std::uint64_t offset = 0;
    std::uint64_t missing_bytes = 0;
};
// out_of_window: a segment that cannot belong to the connection (a RST or SYN with a wild sequence number); it was
// ignored.
enum class NetNoteKind : std::uint8_t {
    retransmission,
    different_data,
    reordering,
    zero_window,
    keep_alive,
    out_of_window
};
struct NetNote {
    Direction direction{};
    NetNoteKind kind{};
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
};

// --- TLS (RFC 8446, RFC 5246)

struct TlsClientHello {
    std::uint16_t version = 0;  // highest offered: 0x0303, 0x0304
    std::string_view server_name;
    std::span<const std::string_view> alpn;
    Bytes random;  // 32 bytes
};
struct TlsServerHello {
    std::uint16_t version = 0;  // chosen
    std::uint16_t cipher_suite = 0;
    std::string_view alpn;  // TLS 1.2: from the hello; 1.3: only when decrypted; empty: none seen
};
struct TlsCertificate {
    Direction direction{};  // to_client: the server's
    std::string_view subject, issuer;
};
// One record; told for every record that could not be decrypted, and for decrypted ones with `decrypted` set.
struct TlsRecord {
    Direction direction{};
    std::uint8_t type = 0;     // 20 CCS, 21 alert, 22 handshake, 23 application data
    std::uint16_t length = 0;  // of the record body as on the wire
    bool decrypted = false;
};
// Why this connection stays closed, told once ("no key for this client random", "joined late" …).
struct TlsClosed {
    std::string_view code, why;
};

// --- CRI and Docker Engine API

struct CriSandbox {
    std::string_view id, pod, namespace_, uid;
};
struct CriContainer {
    std::string_view id, sandbox_id, name, pod, namespace_, uid;
};
// One gRPC message of the runtime or image service. Fields that the method does not have are empty.
struct CriMessage {
    std::uint32_t stream = 0;  // HTTP/2 stream: pairs the answer with its request
    bool response = false;
    bool method_known = true;  // false: joined late, method inferred from the body
    std::string_view version;  // "v1", "v1alpha2"; empty when joined late
    std::string_view method;   // "Exec"
    std::uint32_t message_bytes = 0;
    std::string_view container_id, sandbox_id, url;
    std::span<const std::string_view> command;
    std::span<const std::uint16_t> ports;
    bool tty = false, stdin_on = false, stdout_on = false, stderr_on = false;
    std::optional<int> exit_code;                      // ExecSync
    std::string_view runtime_name, runtime_version;    // Version
    std::optional<bool> runtime_ready, network_ready;  // Status
    std::span<const CriSandbox> sandboxes;
    std::span<const CriContainer> containers;
};
// Trailers of a call: grpc-status 0 is OK.
struct CriDone {
    std::uint32_t stream = 0;
    std::string_view method;  // empty when joined late
    std::uint32_t grpc_status = 0;
    std::string_view message;
};
// One step of a Docker exec or attach, told when request and answer are both known.
struct DockerCall {
    // "exec-create" "exec-start" "exec-resize" "exec-inspect" "create" "start" "attach" "resize" "wait" "inspect"
    // "other"
    std::string_view operation;
    std::string_view container_id, exec_id;
    std::string_view
        named;  // create, inspect: what the client called the container whose id was answered; may be empty
    std::span<const std::string_view> command;
    bool tty = false;
    std::uint16_t status = 0;
    std::optional<int> exit_code;
    std::optional<int> pid;
    std::string_view pod, namespace_, container, uid;  // from io.kubernetes.* labels
    std::uint16_t width = 0, height = 0;               // exec-resize, resize
};

// --- ttrpc between containerd and its shims (containerd.task.v2, v3)

// One message of a shim's service. Fields that the method does not have are empty; an answer carries the ids of its
// request. `command` is of Exec, from the process specification.
struct TaskMessage {
    std::uint32_t stream = 0;  // pairs the answer with its request
    bool response = false;
    bool method_known = true;            // false: an answer whose request was not seen
    std::string_view service, method;    // "containerd.task.v2.Task", "Exec"
    std::string_view runtime_namespace;  // containerd's own: "k8s.io", "moby"; requests only
    std::uint32_t message_bytes = 0;
    std::string_view container_id, exec_id;  // exec_id empty: the container's main process
    std::span<const std::string_view> command;
    bool tty = false;
    std::optional<std::uint32_t> pid;  // answers of Create, Start, State, Delete: of the process, as the shim sees it
    std::optional<int> exit_code;      // answers of Wait, Delete, State
    std::uint16_t width = 0, height = 0;  // ResizePty
    std::uint32_t signal = 0;             // Kill
    std::int32_t status = 0;              // answers: a gRPC code, 0 is OK
    std::string_view status_text;
};

// Something is wrong or noteworthy at this place of the bytes. `code` is stable and short ("spdy.length", "http.head").
struct Problem {
    std::string_view code;
    std::string_view text;
    Direction direction{};
    std::uint64_t offset = 0;
    std::uint64_t skipped_bytes = 0;  // bytes given up because of it
};

using Event = std::variant<HttpRequest, HttpResponse, HttpBody, HttpEnd, Upgraded, SpdyFrame, WsMessage, StreamOpened,
                           StreamNamed, StreamData, StreamClosed, Resized, ExitStatus, ForwardError, FlowOpened,
                           FlowClosing, FlowEnded, Gap, NetNote, TlsClientHello, TlsServerHello, TlsCertificate,
                           TlsRecord, TlsClosed, CriMessage, CriDone, DockerCall, TaskMessage, Problem>;

class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void on(const Event& event) = 0;
};

// For std::visit with one lambda per fact.
template <typename... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace hopscope
