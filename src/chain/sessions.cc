// Birth and end of a session.
#include <algorithm>

#include "chain/builder_state.h"
#include "chain/find_session.h"
#include "chain/findings.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// With v3 and later a terminal always has a resize stream over SPDY: without one there is none.
// v1 and v2 have no resize stream; there only stderr, which a terminal never has, tells something.
void conclude_tty(Session& session) {
    if (session.tty || (session.op != Op::exec && session.op != Op::attach) || session.proto != Proto::spdy31 ||
        session.gaps > 0)
        return;
    const auto has = [&](StreamKind kind) {
        return std::any_of(session.streams.begin(), session.streams.end(),
                           [&](const Stream& s) { return s.kind == kind && s.grade == Grade::decoded; });
    };
    const std::string& name = session.subprotocol.raw();
    const bool always_resizes = name.starts_with("v3.") || name.starts_with("v4.") || name.starts_with("v5.");
    const bool talks = has(StreamKind::in) || has(StreamKind::out);
    if (has(StreamKind::err) || (always_resizes && talks && !has(StreamKind::resize))) session.tty = false;
}

// On WebSocket all channels exist always; what came through stderr cannot have come from a terminal.
void conclude_tty_from_channels(Session& session) {
    if (session.tty || session.proto != Proto::websocket || (session.op != Op::exec && session.op != Op::attach))
        return;
    for (const Stream& stream : session.streams) {
        if (stream.kind == StreamKind::err && stream.bytes.out > 0) session.tty = false;
    }
}

// What a session that was joined late is, as far as its streams tell.
void conclude_op(Session& session) {
    if (session.op != Op::unknown) return;
    for (const Stream& stream : session.streams) {
        if (stream.kind == StreamKind::data || stream.has_port) session.op = Op::portforward;
    }
}

void give_back_room(Session& session) {
    session.streams.shrink_to_fit();
    session.resizes.shrink_to_fit();
    session.evidence.shrink_to_fit();
    session.offered.shrink_to_fit();
    session.forwarded_for.shrink_to_fit();
}

}  // namespace

Session& Builder::State::open_session(FlowState& flow, const Place& place) {
    auto fresh = std::make_unique<Session>();
    Session& session = *fresh;
    session.number = static_cast<std::uint32_t>(++model.sessions_seen);
    session.flow = flow.id;
    session.file = place.file;
    session.client = flow.client;
    session.server = flow.server;
    session.start = place.at;
    session.first_frame = place.frame;
    session.tls = flow.tls != nullptr;
    touch(session, place);
    model.sessions.push_back(std::move(fresh));
    keeper.open_grew(Keeper::kOpenSessionBytes);
    return session;
}

void Builder::State::join_late(FlowState& flow, const Place& place) {
    FlowWork& work = flow.need_work();
    if (!work.exchanges.empty()) {
        // The request was seen, its 101 was not: frames can only follow the last one.
        promote(flow, work.exchanges.size() - 1);
        return;
    }
    Session& session = open_session(flow, place);
    session.state = SessionState::cut;
    session.file = flow.file;
    session.start = flow.opened_at.ns != 0 ? flow.opened_at : place.at;
    if (flow.opened_frame != 0) session.first_frame = flow.opened_frame;
    flow.current = &session;
    findings.add(finding_begins_late(session));
    if (observer) observer->session_opened(session, place);
}

void Builder::State::promote(FlowState& flow, std::size_t exchange) {
    auto& all = flow.work->exchanges;
    flow.current = all[exchange].session;
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(exchange));
}

void Builder::State::end_exchange(FlowState& flow, std::size_t exchange, const Place& place, bool capture_over) {
    auto& all = flow.work->exchanges;
    Exchange ended = std::move(all[exchange]);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(exchange));
    Session& session = *ended.session;
    if (ended.refused) {
        while (!ended.refusal.empty() && ended.refusal.back() == '\r') ended.refusal.pop_back();
        session.refusal = Untrusted(ended.refusal);
        ports.answered(session);
        tell_refusal(session, ended.upgrade_asked);
    }
    end_session(flow, session, place, capture_over);
}

void Builder::State::tell_refusal(const Session& session, bool upgrade_asked) {
    const bool failed = session.status >= 400;
    if (session.hop == HopKind::kubelet && session.refusal.raw().starts_with("Upgrade request required"))
        findings.add(finding_token_left_unused(session));
    if (session.hop == HopKind::runtime && session.status == 404 && session.token) {
        TokenHistory history;
        if (const TokenFacts* facts = tokens.facts(session.token->number)) {
            // Two 404 of one kind in a row say that the token was never good, not that the first has used it up.
            if (facts->consumed_by != session.number && !(facts->consumed_by_404 && facts->consumed_as == session.op))
                history.used_before_by = facts->consumed_by;
        }
        history.issued = cri.call_of(session.token->number);
        findings.add(finding_token_refused(session, history));
    } else if (upgrade_asked && failed) {
        retries.refused(session);
    } else if (upgrade_asked || failed) {
        findings.add(finding_upgrade_refused(session));
    }
}

void Builder::State::tell_end_findings(FlowState& flow, const Session& session, const Place& place, bool capture_over) {
    const SessionEnd end{flow, capture_over, place.at, model.loss[LossPlace::cut_packets] > 0};
    for (const auto& rule : {finding_bytes_missing, finding_loopback_disorder, finding_no_status, finding_no_streams,
                             finding_client_gone, finding_others_ended}) {
        if (auto finding = rule(session, end)) findings.add(std::move(*finding));
    }
}

void Builder::State::end_session(FlowState& flow, Session& session, const Place& place, bool capture_over) {
    conclude_op(session);
    conclude_tty(session);
    conclude_tty_from_channels(session);
    // A connection that is over, but not by a FIN or RST that we saw: what came last may be missing, too.
    const bool end_unseen = session.state == SessionState::open && !capture_over && flow.work &&
                            !flow.work->closing[0].seen() && !flow.work->closing[1].seen();
    session.complete = session.state != SessionState::cut && session.gaps == 0 && !flow.undecoded && !end_unseen;
    session.over = true;
    keeper.open_ended(session);
    give_back_room(session);
    ++model.sessions_by_op[static_cast<std::size_t>(session.op)];
    ++model.sessions_by_proto[static_cast<std::size_t>(session.proto)];
    retries.passed(place.at);
    tell_end_findings(flow, session, place, capture_over);
    if (observer) observer->session_ended(session, place);
    // What follows on this connection, if anything, is another session.
    flow.retransmissions = flow.reorderings = 0;
    flow.undecoded = false;
    if (flow.current == &session) flow.current = nullptr;
    keeper.ended(session);
}

Session* Builder::State::kept_session(std::uint32_t number) { return find_session(model.sessions, number); }

}  // namespace hopscope::chain
