#include "chain/builder.h"

#include <algorithm>

#include "chain/builder_state.h"
#include "chain/chains.h"
#include "chain/findings.h"
#include "chain/join_words.h"
#include "chain/joins_shim.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// Connections that the pipeline may hold at once: TCP flows, and unix sockets beside them.
constexpr std::size_t kSlotsMax = 2 * std::size_t{limits::kFlowsMax};

}  // namespace

Builder::Builder(Retention retention, Observer* observer) : state_(std::make_unique<State>(retention, observer)) {}
Builder::~Builder() = default;

Model& Builder::model() { return state_->model; }

void Builder::flow(const FlowInfo& info) {
    State& s = *state_;
    if (info.slot >= kSlotsMax) {
        s.model.loss.add(LossPlace::limit_flows);
        return;
    }
    if (info.slot >= s.flows.size()) s.flows.resize(info.slot + 1);
    FlowState& flow = s.flows[info.slot];
    if (flow.live) s.end_flow(flow, s.last_place, false);
    flow.id = info.id;
    flow.slot = info.slot;
    flow.client = info.client;
    flow.server = info.server;
    flow.file = info.file;
    flow.handshake_seen = info.handshake_seen;
    if (info.is_unix) flow.unix_info = std::make_unique<FlowInfo>(info);
    flow.live = true;
}

void Builder::peers(const FlowInfo& info) {
    State& s = *state_;
    if (info.slot >= s.flows.size()) return;
    FlowState& flow = s.flows[info.slot];
    if (flow.live && flow.id == info.id && flow.unix_info) *flow.unix_info = info;
}

void Builder::on(const Event& event, const Place& place) {
    // By far the most, without a jump through a table.
    if (const auto* frame = std::get_if<SpdyFrame>(&event)) return state_->on(*frame, place);
    if (const auto* data = std::get_if<StreamData>(&event)) return state_->on(*data, place);
    std::visit([&](const auto& fact) { state_->on(fact, place); }, event);
}

void Builder::name_ends(std::uint32_t session, Ends ends) {
    if (Session* known = state_->kept_session(session)) known->ends = std::make_unique<Ends>(std::move(ends));
}

void Builder::know_late(std::uint32_t session, const LateFacts& facts) {
    Session* known = state_->kept_session(session);
    if (!known) return;
    if (known->hop == HopKind::unknown) {
        known->hop = HopKind::runtime;
        known->grade = Grade::seen;
    }
    if (known->op == Op::unknown && facts.op != Op::unknown) {
        known->op = facts.op;
        if (known->over) {  // it was counted a moment ago
            auto& counts = state_->model.sessions_by_op;
            --counts[static_cast<std::size_t>(Op::unknown)];
            ++counts[static_cast<std::size_t>(facts.op)];
        }
    }
    if (known->container.id.empty() && !facts.container_id.empty()) {
        known->container.id = state_->texts.get(facts.container_id);
        state_->cri.complete_names(*known);
    }
    if (!facts.says.empty() && known->evidence.size() < limits::kEvidencePerSessionMax)
        known->evidence.push_back(said(Grade::seen, facts.says, "late"));
}

void Builder::name_container(const ContainerNames& names) { state_->cri.remember(names); }

void Builder::name_container(std::uint32_t session, const ContainerNames& names) {
    state_->cri.remember(names);
    if (Session* known = state_->kept_session(session)) state_->cri.complete_names(*known);
}

void Builder::chain_single_sessions() { state_->chains_of_single_sessions = true; }

void Builder::join(const ChainWanted& wanted) {
    State& s = *state_;
    s.model.chains.clear();
    join_chains(s.model, s.cri, s.tls, s.chains_of_single_sessions, wanted);
}

std::optional<StartedProcess> Builder::started(const Session& session) const {
    return started_by_shim(session, state_->model.sessions, state_->shims, state_->docker);
}

std::uint64_t Builder::shim_starts() const { return state_->shims.starts(); }

void Builder::complete(Chain& chain) const { state_->join_calls(chain); }

void Builder::State::join_calls(Chain& chain) const {
    join_shim(chain, model.sessions, shims, docker);
    join_service(chain, model.sessions, services, docker);
}

void Builder::finish(Timestamp at) { state_->finish(at); }

FlowState* Builder::State::flow_of(const Place& place) {
    if (place.slot >= flows.size()) return nullptr;
    FlowState& flow = flows[place.slot];
    return flow.live && flow.id == place.flow ? &flow : nullptr;
}

void Builder::State::note_time(const Place& place) {
    last_place = place;
    if (place.file >= files.size()) files.resize(std::size_t{place.file} + 1);
    FileSpan& span = files[place.file];
    if (!span.seen) span = {place.at, place.at, true};
    span.first = std::min(span.first, place.at);
    span.last = std::max(span.last, place.at);
}

void Builder::State::on(const FlowOpened& event, const Place& place) {
    note_time(place);
    FlowState* flow = flow_of(place);
    if (!flow) return;
    flow->handshake_seen = event.handshake_seen;
    flow->opened_at = place.at;
    flow->opened_frame = place.frame;
}

void Builder::State::on(const FlowClosing& event, const Place& place) {
    note_time(place);
    FlowState* flow = flow_of(place);
    if (!flow || !flow->work) return;
    Closing& closing = flow->work->closing[index_of(event.direction)];
    if (!closing.seen()) {
        closing.at = place.at;
        closing.frame = place.frame;
    }
    (event.kind == FinKind::fin ? closing.fin : closing.rst) = true;
    const auto close = [&](Session& session) {
        touch(session, place);
        if (session.state != SessionState::open && session.state != SessionState::reset) return;
        session.state =
            flow->work->closing[0].fin || flow->work->closing[1].fin ? SessionState::closed : SessionState::reset;
    };
    if (flow->current) close(*flow->current);
    for (const Exchange& exchange : flow->work->exchanges) {
        if (!exchange.refused) close(*exchange.session);
    }
}

void Builder::State::on(const FlowEnded& event, const Place& place) {
    note_time(place);
    if (FlowState* flow = flow_of(place)) end_flow(*flow, place, event.capture_over);
}

void Builder::State::end_flow(FlowState& flow, const Place& place, bool capture_over) {
    if (flow.work) {
        while (!flow.work->exchanges.empty()) end_exchange(flow, 0, place, capture_over);
    }
    if (flow.current) end_session(flow, *flow.current, place, capture_over);
    cri.flow_ended(flow.id);
    if (flow.tls) tls.add(std::move(flow.tls));
    flow = FlowState{};
}

void Builder::State::on(const Gap& event, const Place& place) {
    ++model.capture.gaps;
    FlowState* flow = flow_of(place);
    if (!flow) return;
    if (flow->tls) flow->tls->gaps = true;
    bool counted = false;
    const auto count = [&](Session& session) {
        ++session.gaps;
        session.missing_bytes += event.missing_bytes;
        counted = true;
    };
    if (flow->current) {
        count(*flow->current);
    } else if (flow->work) {
        for (const Exchange& exchange : flow->work->exchanges) count(*exchange.session);
    }
    if (counted) return;
    FlowWork& work = flow->need_work();
    if (work.early_frame != place.frame) work.early_gaps = 0, work.early_missing = 0;
    work.early_frame = place.frame;
    ++work.early_gaps;
    work.early_missing += event.missing_bytes;
}

void Builder::State::on(const NetNote& event, const Place& place) {
    FlowState* flow = flow_of(place);
    if (!flow) return;
    switch (event.kind) {
        case NetNoteKind::retransmission:
        case NetNoteKind::different_data: ++flow->retransmissions; break;
        case NetNoteKind::reordering: ++flow->reorderings; break;
        case NetNoteKind::out_of_window:
        case NetNoteKind::zero_window:
        case NetNoteKind::keep_alive: break;
    }
}

SealedConnection* Builder::State::sealed_of(const Place& place) {
    FlowState* flow = flow_of(place);
    if (!flow) return nullptr;
    if (!flow->tls) {
        ++model.capture.tls_connections;
        flow->tls = std::make_unique<SealedConnection>();
        flow->tls->flow = flow->id;
        flow->tls->client = flow->client;
        flow->tls->server = flow->server;
        flow->tls->opened = flow->opened_at;
        flow->tls->opened_frame = flow->opened_frame;
        flow->tls->last = place.at;
    }
    return flow->tls.get();
}

void Builder::State::on(const TlsClientHello&, const Place& place) { sealed_of(place); }
void Builder::State::on(const TlsServerHello& event, const Place& place) {
    if (SealedConnection* sealed = sealed_of(place)) {
        sealed->version = event.version;
        sealed->cipher_suite = event.cipher_suite;
    }
}
void Builder::State::on(const TlsCertificate&, const Place& place) { sealed_of(place); }
void Builder::State::on(const TlsRecord& event, const Place& place) {
    if (SealedConnection* sealed = sealed_of(place)) sealed->record(event, place.at);
}
void Builder::State::on(const TlsClosed&, const Place& place) { sealed_of(place); }

void Builder::State::on(const Problem& event, const Place& place) {
    model.loss.add(LossPlace::decoder, event.skipped_bytes);
    FlowState* flow = flow_of(place);
    if (flow && event.skipped_bytes > 0) flow->undecoded = true;
}

void Builder::State::finish(Timestamp at) {
    if (last_place.at < at) last_place.at = at;
    std::vector<FlowState*> open;
    for (FlowState& flow : flows) {
        if (flow.live) open.push_back(&flow);
    }
    std::sort(open.begin(), open.end(), [](const FlowState* a, const FlowState* b) { return a->id < b->id; });
    for (FlowState* flow : open) {
        Place place = last_place;
        place.flow = flow->id;
        place.slot = flow->slot;
        end_flow(*flow, place, true);
    }
    retries.finish();
    find_unused_tokens();
    keeper.trim();
    // Lists of containers may have come after the sessions that they name.
    for (const auto& session : model.sessions) cri.complete_names(*session);
    model.chains.clear();
    join_chains(model, cri, tls, chains_of_single_sessions);
    for (Chain& chain : model.chains) join_calls(chain);
}

}  // namespace hopscope::chain
