// The inside of the Builder. Its methods are spread by subject: builder.cc (dispatch, connections), http_events.cc
// (requests and answers), stream_events.cc (frames and streams), sessions.cc (birth and end of a session).
#pragma once

#include <string_view>
#include <vector>

#include "chain/builder.h"
#include "chain/cri_book.h"
#include "chain/docker_book.h"
#include "chain/finding_book.h"
#include "chain/flow_state.h"
#include "chain/port_book.h"
#include "chain/retention.h"
#include "chain/retries.h"
#include "chain/shared_texts.h"
#include "chain/shim_book.h"
#include "chain/tls_book.h"
#include "chain/tokens.h"

namespace hopscope::chain {

struct Builder::State {
    State(const Retention& retention, Observer* watcher)
        : observer(watcher),
          forget_after_ns(retention.forget_after_ns),
          keeper(model, retention),
          findings(model, retention.findings_max, watcher),
          retries(findings),
          ports(model),
          cri(tokens, texts),
          shims(texts),
          services(texts) {}

    // --- builder.cc
    // Null for a connection that was not announced, or is over.
    FlowState* flow_of(const Place& place);
    void end_flow(FlowState& flow, const Place& place, bool capture_over);
    void note_time(const Place& place);
    void finish(Timestamp at);
    // The hops to containerd and to the shim, by their calls.
    void join_calls(Chain& chain) const;

    // --- forgetting.cc
    // Before a token or a CRI call is added: what is too old, and the oldest where there is no room.
    void make_room(Timestamp now);
    void forget_oldest_token(Timestamp now);
    void forget_oldest_call(Timestamp now);
    // A warning, if `call`'s token was never used though its use would have been seen.
    void tell_if_unused(const CriCall& call);
    void find_unused_tokens();

    // --- http_events.cc
    void on(const HttpRequest& event, const Place& place);
    void on(const HttpResponse& event, const Place& place);
    void on(const HttpBody& event, const Place& place);
    void on(const HttpEnd& event, const Place& place);
    void on(const Upgraded& event, const Place& place);
    void on(const CriMessage& event, const Place& place);
    void on(const CriDone& event, const Place& place);
    [[nodiscard]] CriConnection connection_of(const Place& place);

    // --- docker_events.cc
    void on(const DockerCall& event, const Place& place);
    // The connection of the granted request `flow.docker` carries its stream from now on.
    void open_docker_session(FlowState& flow, const Place& place);
    // The API told something of a container that sessions are attached to: its terminal's size, its exit code.
    void on_attached(const DockerCall& event, const DockerContainer& container, const Place& place);
    // The API said that the exec has ended.
    void end_docker_session(const DockerExec& exec, Session& session, const Place& place);

    // --- stream_events.cc
    void on(const SpdyFrame& event, const Place& place);
    void on(const WsMessage& event, const Place& place);
    void on(const StreamOpened& event, const Place& place);
    void on(const StreamNamed& event, const Place& place);
    void on(const StreamData& event, const Place& place);
    void on(const StreamClosed& event, const Place& place);
    void on(const Resized& event, const Place& place);
    void on(const ExitStatus& event, const Place& place);
    void on(const ForwardError& event, const Place& place);
    // The session that frames of this connection belong to: the present one, or one that the capture joins late.
    Session* framed_session(FlowState* flow, const Place& place);
    // The stream with this id, made up if it was not announced. Null when there is no room for it.
    Stream* stream_for(Session& session, FlowState& flow, std::uint32_t id, const Place& place);
    Stream* open_stream(Session& session, FlowState& flow, const StreamOpened& opened, const Place& place);

    // --- builder.cc again: the connection itself
    void on(const FlowOpened& event, const Place& place);
    void on(const FlowClosing& event, const Place& place);
    void on(const FlowEnded& event, const Place& place);
    void on(const Gap& event, const Place& place);
    void on(const NetNote& event, const Place& place);
    void on(const TlsClientHello& event, const Place& place);
    void on(const TlsServerHello& event, const Place& place);
    void on(const TlsCertificate& event, const Place& place);
    void on(const TlsRecord& event, const Place& place);
    void on(const TlsClosed& event, const Place& place);
    void on(const TaskMessage& event, const Place& place);
    void on(const Problem& event, const Place& place);
    // The TLS facts of the connection; null for one that is not known.
    SealedConnection* sealed_of(const Place& place);

    // --- sessions.cc
    Session& open_session(FlowState& flow, const Place& place);
    void join_late(FlowState& flow, const Place& place);
    // The request of `exchange` was granted: the connection is its session's from now on.
    void promote(FlowState& flow, std::size_t exchange);
    void end_exchange(FlowState& flow, std::size_t exchange, const Place& place, bool capture_over);
    void end_session(FlowState& flow, Session& session, const Place& place, bool capture_over);
    void tell_end_findings(FlowState& flow, const Session& session, const Place& place, bool capture_over);
    void tell_refusal(const Session& session, bool upgrade_asked);
    Session* kept_session(std::uint32_t number);

    Model model;
    Observer* observer;
    std::int64_t forget_after_ns;
    Keeper keeper;
    FindingBook findings;
    Retries retries;
    PortBook ports;
    TokenTable tokens;
    SharedTexts texts;
    CriBook cri;
    ShimBook shims;
    ShimBook services;  // what containerd was asked by dockerd and others
    DockerBook docker;
    TlsBook tls;
    bool chains_of_single_sessions = false;
    std::vector<FlowState> flows;  // by slot
    // First and last time of each file, from events that come once per connection: what a file covers.
    struct FileSpan {
        Timestamp first, last;
        bool seen = false;
    };
    std::vector<FileSpan> files;
    Place last_place;
};

// A session's last event.
inline void touch(Session& session, const Place& place) {
    session.end = place.at;
    session.last_frame = place.frame;
}

}  // namespace hopscope::chain
