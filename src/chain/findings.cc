#include "chain/findings.h"

#include <algorithm>
#include <cstdio>

#include "chain/reveal.h"
#include "chain/routes.h"
#include "chain/url.h"

namespace hopscope::chain {
namespace {

// A server of the same node answers a FIN within a millisecond; its kernel alone acknowledges after 40 ms.
// A client that vanishes leaves nothing to wait for; one that said goodbye is followed in due course.
constexpr std::int64_t kServerCloseGraceNs = 20'000'000;
constexpr std::int64_t kServerFollowsGoodbyeNs = kNanosecondsPerSecond;
// Streaming servers give a client 30 s to open its streams (DefaultStreamCreationTimeout).
constexpr std::int64_t kStreamCreationNs = 30 * kNanosecondsPerSecond;
// kubectl closes at once after an error text, which may have a long way to it; slower clients have their own reasons.
constexpr std::int64_t kGivesUpWithinNs = kNanosecondsPerSecond;
constexpr std::int64_t kTokenLifeNs = 60 * kNanosecondsPerSecond;
constexpr std::size_t kQuoteColumns = 160;

Finding make(const char* code, Severity severity, const Session& session, std::string says, std::string remedy,
             std::uint64_t frame, Timestamp at) {
    return {.code = code,
            .severity = severity,
            .session = session.number,
            .says = std::move(says),
            .remedy = std::move(remedy),
            .frame = frame,
            .file = session.file,
            .at = at};
}

std::string counted(std::uint64_t n, const char* one, const char* many) {
    return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string seconds(Duration span) {
    char text[32];
    std::snprintf(text, sizeof text, span.ns < kNanosecondsPerSecond ? "%.3f s" : "%.1f s", span.seconds());
    return text;
}

// What the server said, on one line, secrets masked.
std::string quoted(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    return "\"" + elide_end(shown_status_text(text, Reveal{}), kQuoteColumns) + "\"";
}

std::string answer_words(const Session& session) {
    std::string words = std::to_string(session.status);
    if (!session.refusal.empty()) words += " " + quoted(session.refusal.raw());
    return words;
}

const Closing& client_closing(const SessionEnd& end) { return end.flow.work->closing[index_of(Direction::to_server)]; }
const Closing& server_closing(const SessionEnd& end) { return end.flow.work->closing[index_of(Direction::to_client)]; }

bool was_upgraded(const Session& session) {
    return session.state == SessionState::open || session.state == SessionState::closed ||
           session.state == SessionState::reset;
}

// v1 to v3 say nothing when all is well. Without a name of the protocol nothing is claimed.
bool always_writes_status(const Session& session) {
    const std::string& name = session.subprotocol.raw();
    return name.starts_with("v4.") || name.starts_with("v5.");
}

std::string asked_for(Proto proto) {
    return proto == Proto::http11 || proto == Proto::unknown ? std::string("without an upgrade")
                                                             : "as " + std::string(to_string(proto));
}

}  // namespace

std::optional<Finding> finding_bytes_missing(const Session& session, const SessionEnd& end) {
    if (session.gaps == 0) return std::nullopt;
    const std::string holes = counted(session.missing_bytes, "byte is", "bytes are") + " missing in " +
                              counted(session.gaps, "hole", "holes");
    return make(
        "NET-01", Severity::warning, session,
        holes + (end.packets_cut ? ": packets were captured only in part" : ": packets were sent but not captured"),
        end.packets_cut ? "capture whole packets: tcpdump -s 0" : "capture with a larger buffer: tcpdump -B 65536",
        session.first_frame, end.at);
}

std::optional<Finding> finding_loopback_disorder(const Session& session, const SessionEnd& end) {
    const std::uint32_t again = end.flow.retransmissions, moved = end.flow.reorderings;
    if (again + moved == 0 || !session.client.address.is_loopback() || !session.server.address.is_loopback())
        return std::nullopt;
    std::string what;
    if (again > 0) what = counted(again, "segment was sent again", "segments were sent again");
    if (moved > 0) what += (what.empty() ? "" : " and ") + counted(moved, "came out of order", "came out of order");
    return make("NET-02", Severity::notice, session,
                what + " on loopback, where nothing can get lost: the node was busy",
                "look at the load of the node at that time", session.first_frame, end.at);
}

std::optional<Finding> finding_no_status(const Session& session, const SessionEnd& end) {
    const bool over = session.state == SessionState::closed || session.state == SessionState::reset;
    if (session.op != Op::exec || !over || session.outcome != Session::Outcome::none || session.gaps > 0 ||
        end.flow.undecoded || session.streams.empty() || !always_writes_status(session))
        return std::nullopt;
    const Closing &client = client_closing(end), &server = server_closing(end);
    const bool client_first = client.seen() && (!server.seen() || client.at < server.at ||
                                                (client.at == server.at && client.frame < server.frame));
    return make("STR-01", Severity::warning, session,
                std::string("exec ended without a status: ") +
                    (client_first ? "the client closed first; how the command ended is not known"
                                  : "the server closed first; how the command ended is not known, and the client may "
                                    "have taken it for success"),
                client_first ? "see whether the command is still running in the container"
                             : "see whether the container runtime was restarted",
                client_first ? client.frame : server.frame, end.at);
}

std::optional<Finding> finding_no_streams(const Session& session, const SessionEnd& end) {
    if ((session.op != Op::exec && session.op != Op::attach) || !was_upgraded(session) || session.status != 101 ||
        session.proto == Proto::websocket || !session.streams.empty() || session.gaps > 0 || end.flow.undecoded)
        return std::nullopt;
    const Duration waited = (session.state == SessionState::open ? end.at : session.end) - session.answered;
    if (session.state == SessionState::open && waited.ns < kStreamCreationNs) return std::nullopt;
    return make("STR-02", Severity::warning, session,
                "the upgrade was accepted, but no streams were opened in " + seconds(waited) +
                    ": the server waits 30 s for them and then gives up without a word",
                "look at the client: it must open error, stdin, stdout, stderr or resize right after the 101",
                session.answer_frame, end.at);
}

std::optional<Finding> finding_client_gone(const Session& session, const SessionEnd& end) {
    if (!was_upgraded(session) || session.status != 101 || !end.capture_over) return std::nullopt;
    const Closing &client = client_closing(end), &server = server_closing(end);
    if (!client.seen() || server.seen()) return std::nullopt;
    const Duration open = end.at - client.at;
    const bool still_sends = client.at < end.flow.work->last_out_at;
    const std::int64_t grace = end.flow.work->client_goodbye_at.ns != 0 ? kServerFollowsGoodbyeNs : kServerCloseGraceNs;
    if (open.ns < grace && !still_sends) return std::nullopt;
    return make("STR-03", Severity::warning, session,
                "the client is gone, but the server's side stayed open for " + seconds(open) +
                    " to the end of the capture" + (still_sends ? ", and it went on sending" : ""),
                "see whether the process in the container is still running; it may wait for input that never comes",
                client.frame, end.at);
}

std::optional<Finding> finding_others_ended(const Session& session, const SessionEnd& end) {
    const FlowWork& work = *end.flow.work;
    if (session.op != Op::portforward || work.first_error_at.ns == 0) return std::nullopt;
    const Closing &client = client_closing(end), &server = server_closing(end);
    Timestamp gave_up = work.client_goodbye_at;
    if (gave_up.ns == 0 && client.seen() && (!server.seen() || client.at <= server.at)) gave_up = client.at;
    if (gave_up < work.first_error_at || (gave_up - work.first_error_at).ns > kGivesUpWithinNs) return std::nullopt;
    const auto other = std::find_if(session.streams.begin(), session.streams.end(),
                                    [&](const Stream& s) { return s.has_port && s.port != work.first_error_port; });
    if (other == session.streams.end()) return std::nullopt;
    return make("PF-02", Severity::warning, session,
                "port " + std::to_string(work.first_error_port) +
                    " was refused, and the client then gave up the whole session: port " + std::to_string(other->port) +
                    " is no longer forwarded either",
                "forward each port with a kubectl port-forward of its own", work.first_error_frame, end.at);
}

Finding finding_begins_late(const Session& session) {
    return make("NET-03", Severity::info, session,
                "the capture begins inside this connection: its request, its token and its first streams were not seen",
                "start the capture before the command", session.first_frame, session.start);
}

Finding finding_port_refused(const Session& session, const Stream* stream, std::string_view text, std::uint64_t frame,
                             Timestamp at) {
    const std::string port =
        stream && stream->has_port ? "port " + std::to_string(stream->port) : std::string("a port");
    const bool refused = contains_ignoring_case(text, "connection refused");
    return make(
        "PF-01", Severity::warning, session,
        refused ? "nothing listens on " + port + " in the pod: the forwarded connection was refused"
                : "the forwarded connection to " + port + " failed: " + quoted(text),
        refused ? "check the port of the program in the pod, and that it listens on 127.0.0.1 or on all addresses" : "",
        frame, at);
}

Finding finding_repeated(const Session& refused) {
    return make("UPG-01", Severity::info, refused,
                "the first attempt " + asked_for(refused.proto) + " was refused with " + answer_words(refused), "",
                refused.answer_frame, refused.answered);
}

void complete_repeated(Finding& finding, const Session& second) {
    finding.says += "; the client repeated it " + asked_for(second.proto) + " (" + second.id() + ")";
    if (second.proto == Proto::spdy31) finding.says += ", as newer kubectl do";
}

Finding finding_upgrade_refused(const Session& session) {
    std::string why, remedy;
    if (session.status == 405) {
        why = "the method " + display(session.method.raw()) + " is not allowed";
        remedy = "use GET or POST";
    } else if (session.proto == Proto::http11 || session.proto == Proto::unknown) {
        why = "the request asked for no upgrade";
        remedy = "a streaming request needs Connection: Upgrade and Upgrade: SPDY/3.1 or websocket";
    } else if (contains_ignoring_case(session.refusal.raw(), "X-Stream-Protocol-Version")) {
        why = "the stream protocol is missing";
        remedy = "send X-Stream-Protocol-Version, for instance v4.channel.k8s.io";
    } else if (session.status == 401 || (session.status == 403 && session.hop != HopKind::runtime &&
                                         contains_ignoring_case(session.refusal.raw(), "forbidden"))) {
        why = session.status == 401 ? "the client is not authenticated" : "the client may not do this";
        remedy =
            "check the client's credentials and its rights on pods/exec, pods/attach, pods/portforward or nodes/proxy";
    } else if (session.status == 403) {
        why = "the server supports none of the offered protocols";
        remedy = "use a client that offers what the server's answer lists";
    }
    std::string says = "the upgrade was refused with " + answer_words(session);
    if (!why.empty()) says += ": " + why;
    return make("UPG-02", Severity::warning, session, std::move(says), std::move(remedy), session.answer_frame,
                session.answered);
}

Finding finding_token_refused(const Session& session, const TokenHistory& history) {
    std::string why, remedy;
    const std::string name =
        session.token && session.token->number != 0 ? "token t" + std::to_string(session.token->number) : "the token";
    const bool issued_for_other =
        history.issued && history.issued->op != Op::unknown && history.issued->op != session.op;
    if (history.used_before_by != 0) {
        why = name + " had been used before by s" + std::to_string(history.used_before_by) +
              ": a token is good for one request, even for one that fails";
        remedy = "ask the runtime for a new URL";
    } else if (history.issued && (session.start - history.issued->answered).ns >= kTokenLifeNs) {
        why = name + " had expired: it was used " + seconds(session.start - history.issued->answered) +
              " after it was issued and lives 60 s";
        remedy = "look for what delays the step from the CRI call to the streaming server";
    } else if (issued_for_other) {
        why = name + " was issued for " + std::string(to_string(history.issued->op)) + ", not for " +
              std::string(to_string(session.op)) + "; this attempt has used it up";
        remedy = "ask the runtime for a URL of the right kind";
    } else if (contains_ignoring_case(session.refusal.raw(), "404: Page Not Found")) {
        why = "the server does not know this path at all: it may serve below another prefix, such as /cri/";
        remedy = "take the URL as the runtime's CRI answer gave it";
    } else if (session.token && !has_token_form(session.token->value.raw())) {
        why = name + " is unknown, and it has not the form of a token (8 characters of A-Z a-z 0-9 - _)";
    } else {
        why = name + " is unknown: never issued, older than 60 s, or used before the capture began";
        remedy = "capture the CRI socket, too, to see when it was issued";
    }
    return make("TOK-01", Severity::warning, session, "refused with 404: " + why, std::move(remedy),
                session.answer_frame, session.answered);
}

Finding finding_token_left_unused(const Session& session) {
    return make("TOK-02", Severity::info, session,
                "the kubelet asks the runtime for a streaming URL before it looks whether the request is an upgrade: a "
                "token was issued "
                "for this request and never used",
                "", session.answer_frame, session.answered);
}

Finding finding_token_never_used(const CriCall& call, Timestamp capture_end) {
    const Duration watched = capture_end - call.answered;
    const std::string name = call.token != 0 ? "token t" + std::to_string(call.token) : std::string("a token");
    std::string says = name + " was issued for " + std::string(to_string(call.op)) + " and never used";
    if (watched.ns < kTokenLifeNs) says += " in the " + seconds(watched) + " until the capture ended";
    return {.code = "TOK-02",
            .severity = Severity::info,
            .session = 0,
            .says = std::move(says),
            .remedy = "",
            .frame = call.answered_frame,
            .file = call.file,
            .at = call.answered};
}

}  // namespace hopscope::chain
