// What hopscope knows: sessions, chains, ports, findings, losses. Plain data; the builder fills it, the views read it.
//
// Text from the wire is Untrusted. Nothing here is masked: masking is the view's business (chain/reveal.h), so every
// view must go through it. JSON names and shapes follow the JSON contract (docs/ARCHITECTURE.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/endpoint.h"
#include "core/event.h"
#include "core/grade.h"
#include "core/loss.h"
#include "core/time.h"
#include "core/transport.h"
#include "core/untrusted.h"

namespace hopscope::chain {

enum class Op : std::uint8_t { unknown, exec, attach, portforward };
enum class SessionState : std::uint8_t { open, closed, refused, reset, cut };
enum class Proto : std::uint8_t { unknown, http11, spdy31, websocket };
// A hop is named after the end that answers, in this order.
enum class HopKind : std::uint8_t { unknown, apiserver, kubelet, cri, runtime, shim, process };
enum class Severity : std::uint8_t { info, notice, warning, error };

std::string_view to_string(Op op);               // "exec"; empty for unknown
std::string_view to_string(SessionState state);  // "closed"
std::string_view to_string(Proto proto);         // "spdy/3.1" "websocket" "http/1.1"; empty for unknown
std::string_view to_string(HopKind hop);         // "runtime"; empty for unknown
std::string_view to_string(Severity severity);

// `says` is our own sentence: bytes from the wire are put in through display() only, secrets never.
struct Evidence {
    Grade grade = Grade::decoded;
    std::string says;
    std::uint64_t frame = 0;  // 0: none
    std::string source;       // "/proc/9611/fd/12", empty: the capture
    std::string id;           // "owner", "config" … (ports); may be empty
};

struct ByteCounts {
    std::uint64_t in = 0, out = 0;  // toward the container, from it
};

struct Stream {
    std::uint32_t id = 0;
    StreamKind kind = StreamKind::unknown;
    Grade grade = Grade::decoded;
    enum class State : std::uint8_t { open, half_closed, closed, reset } state = State::open;
    bool has_port = false, has_request_id = false;
    std::uint16_t port = 0;
    std::uint32_t request_id = 0;
    std::uint32_t frames = 0;  // DATA frames or messages with payload
    ByteCounts bytes;
    Timestamp start, last;  // opened; last event on it
    bool fin_in = false, fin_out = false;
    std::unique_ptr<Untrusted> error;  // port-forward: text of the error stream
};

struct Resize {
    Timestamp at;
    std::uint16_t width = 0, height = 0;
};

struct Token {
    Untrusted value;           // never shown whole unless revealed
    std::uint32_t number = 0;  // "t1": order of appearance; 0: more than limits::kTokensMax were seen before it
};

struct K8sNames {
    Untrusted namespace_, pod, container, uid;
    [[nodiscard]] bool empty() const { return namespace_.empty() && pod.empty() && container.empty() && uid.empty(); }
};

struct ContainerRef {
    Untrusted id, name;
    std::string runtime;  // "containerd", "docker", "cri-o"; empty: unknown
    Untrusted sandbox_id;
};

struct Process {
    std::uint32_t pid = 0;
    Untrusted comm, exe;
    Timestamp start;  // 0: unknown
};

// Who is at the two ends of a connection, where the system could tell while it was open. The client is `from`.
struct Ends {
    std::optional<Process> from, to;
};

struct Session {
    std::uint32_t number = 0;  // "s1"
    FlowId flow = 0;
    std::uint16_t file = 0;
    Op op = Op::unknown;
    SessionState state = SessionState::open;
    Proto proto = Proto::unknown;
    HopKind hop = HopKind::unknown;
    Grade grade = Grade::decoded;  // how the hop was read
    Untrusted subprotocol;
    std::vector<Untrusted> offered;  // what a refused upgrade asked for
    Timestamp start;                 // first byte of the request (cut: first packet seen)
    Timestamp connected;             // SYN, where seen; else 0
    Timestamp answered;              // answer's head; 0: never
    Timestamp end;                   // last event
    std::uint64_t first_frame = 0, last_frame = 0;
    std::uint64_t answer_frame = 0;  // where the answer's head was seen; 0: never
    bool over = false;               // nothing more will be added (session_ended was told)
    bool tls = false;                // read through TLS with keys
    Endpoint client, server;
    std::uint16_t status = 0;  // HTTP; 0: no answer seen
    Untrusted method, target;  // request line as on the wire; empty when cut
    Untrusted refusal;         // first line of a refused request's body
    std::optional<Token> token;
    std::vector<Untrusted> command;  // secret class `command`
    std::optional<bool> tty;
    std::optional<int> exit_code;
    enum class Outcome : std::uint8_t { none, success, failure } outcome = Outcome::none;
    bool complete = false;
    Untrusted status_reason, status_message;
    std::vector<Stream> streams;
    std::uint32_t streams_dropped = 0;  // beyond the limit, bytes counted in `bytes`
    std::uint32_t gaps = 0;
    std::vector<Resize> resizes;
    ByteCounts bytes;   // stdin, stdout, stderr, data
    ByteCounts framed;  // all bytes after the upgrade, frame headers included
    std::uint64_t missing_bytes = 0;
    Untrusted kubectl_session, kubectl_command, user_agent;
    std::vector<Untrusted> forwarded_for;
    Untrusted host;
    K8sNames k8s;
    ContainerRef container;
    std::unique_ptr<Ends> ends;                 // null: not known
    std::unique_ptr<UnixEndpoint> unix_socket;  // where it was seen on one; `client` and `server` are nothing then
    // Only what does not follow from the other fields. Views show evidence_of(session) (chain/evidence.h), which adds
    // the rest ("the request line names the token", "101 was answered") without a kept session having to store it.
    std::vector<Evidence> evidence;

    [[nodiscard]] std::string id() const { return "s" + std::to_string(number); }
};

// Which listening socket a finding or a verdict is about: no two of one picture have the same.
struct ListenerId {
    Transport transport = Transport::tcp;
    Endpoint local;                              // TCP, UDP
    std::string unix_path;                       // hostile; where the socket lies
    std::uint64_t inode = 0, net_namespace = 0;  // inode: of the socket; 0: the kernel's own, or not known

    bool operator==(const ListenerId&) const = default;
};

struct Finding {
    std::string code;  // "TOK-01"
    Severity severity = Severity::info;
    std::uint32_t session = 0;  // 0: none
    std::string says;           // our own sentence
    std::string remedy;         // may be empty
    std::uint64_t frame = 0;    // 0: none
    std::uint16_t file = 0;
    Timestamp at;
    std::optional<ListenerId> listener = {};  // of the node's; none: about no listener, or found in a capture
};

// A role that a listening port does not have, and why not.
struct RuledOut {
    std::string role;  // "kubelet-healthz"
    std::string says;  // "healthzPort is 10248 (/var/lib/kubelet/config.yaml:12)"
};

// A listening port that traffic or the system shows.
struct PortFact {
    Endpoint local;
    std::string role;        // "cri-streaming-server"
    std::string component;   // "containerd"; empty: unknown
    std::string confidence;  // "certain" "high" "medium" "low"
    std::string reach;       // "loopback" "node" …; empty: unknown
    std::uint64_t seen = 0;  // upgrades or requests seen
    std::vector<Evidence> evidence;
    std::vector<std::string> findings;
    // From traffic only: when the first of what is counted or told was seen, and when the last of each kind that proves
    // something. 0: never, or the capture does not say when.
    Timestamp first_seen;
    Timestamp last_accepted, last_refused, last_named;  // 101; any other answer; named in a CRI answer
    // From the system only.
    std::string title;               // "containerd's CRI streaming server"
    std::optional<Process> process;  // the owner that tells most
    Untrusted unix_path;             // a unix socket: then `local` is nothing
    std::vector<RuledOut> ruled_out;
};

// One process that ran below a session's process. In order of their start, so that a parent stands before its children.
struct RanProcess {
    std::uint32_t parent =
        0;            // place in the list of the one that made it, itself or through children without a program
    Process process;  // of its last program
    std::vector<Untrusted> command;  // its arguments; secret class `command`
    std::uint32_t programs = 1;      // that it became, one after the other
    Timestamp start;
    std::optional<Timestamp> end;
    std::optional<int> exit_code;
};

struct Hop {
    HopKind kind = HopKind::unknown;
    Grade grade = Grade::decoded;
    std::uint32_t session = 0;  // 0: none (the CRI call, an encrypted connection)
    Endpoint client, server;
    std::optional<UnixEndpoint> unix_socket;
    std::optional<Process> from, to;
    std::string proto;
    Timestamp start;
    Duration took;
    ByteCounts bytes;
    std::uint64_t net_namespace = 0;      // inode of the one that a forwarded connection was made in; 0: not told
    std::uint64_t packets = 0;            // of a forwarded connection, captured in that namespace; 0: none
    std::optional<std::uint32_t> stream;  // of the session before it: what a forwarded connection carries
    std::vector<Evidence> evidence;
    // Hop to a process: it (the first) and what it ran, by process events; empty: not watched.
    std::vector<RanProcess> ran;
    std::uint32_t ran_dropped = 0;  // beyond the limits
};

// The process that the runtime's shim told to have started for a session, or to be the one it is attached to.
struct StartedProcess {
    std::uint32_t pid = 0;
    std::uint32_t shim_pid = 0;
    bool attached = false;         // it was there before: the container's main process
    Timestamp at;                  // of the answer; 0: not seen
    std::optional<int> exit_code;  // as the shim told
};

// What a chain should have and has not.
struct MissingPart {
    HopKind hop = HopKind::unknown;  // of which hop
    std::string says;                // what, and why: our own words
};

struct Attempt {
    Proto proto = Proto::unknown;
    std::uint16_t status = 0;
};

struct Chain {
    std::uint32_t number = 0;  // "c1"
    Op op = Op::unknown;
    K8sNames k8s;
    ContainerRef container;
    std::vector<Untrusted> command;
    Untrusted kubectl_session, kubectl_command, user_agent;
    std::optional<int> exit_code;
    std::vector<std::uint32_t> sessions;
    std::vector<Attempt> attempts;
    std::vector<Hop> hops;
    std::optional<StartedProcess> started;  // by the shim's own answer
    std::vector<Evidence> candidates;       // what might have belonged, and why it was not taken
    std::vector<Evidence> contradictions;
    std::optional<bool> complete;      // live only: every hop, both ends of each, every byte
    std::vector<MissingPart> missing;  // live only: what is not, with the reason
    Timestamp start, end;

    [[nodiscard]] std::string id() const { return "c" + std::to_string(number); }
};

struct FileFact {
    Untrusted name;
    std::string format;      // "pcap", "pcapng", "pcapng (gzip)"
    std::string link_types;  // "Ethernet", "Ethernet, Linux cooked v2"
    std::uint64_t packets = 0, file_bytes = 0;
    std::optional<Timestamp> first, last;
    bool cut_off = false;
};

struct CaptureFacts {
    std::vector<FileFact> files;
    std::uint64_t packets = 0, bytes = 0;
    std::uint64_t tcp_connections = 0, retransmissions = 0, gaps = 0, duplicates = 0;
    std::uint64_t http_requests = 0, spdy_frames = 0, ws_messages = 0, tls_connections = 0;
    std::optional<Timestamp> first, last;
};

struct Model {
    CaptureFacts capture;
    std::vector<PortFact> ports;
    std::vector<std::unique_ptr<Session>> sessions;  // by number; with eviction only those kept
    std::vector<Chain> chains;
    std::vector<Finding> findings;
    LossCounters loss;
    // Totals that survive eviction.
    std::uint64_t sessions_seen = 0, sessions_evicted = 0, findings_seen = 0;
    std::uint64_t sessions_by_op[4] = {}, sessions_by_proto[4] = {};
};

}  // namespace hopscope::chain
