// Requests to streaming paths, their answers, and the CRI calls that issue their tokens.
#include <algorithm>

#include "chain/builder_state.h"
#include "chain/routes.h"
#include "chain/url.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

void add_list(std::vector<Untrusted>& list, std::string_view value, std::size_t items_max, SharedTexts& texts) {
    while (!value.empty() && list.size() < items_max) {
        const auto comma = std::min(value.find(','), value.size());
        const std::string_view item = trimmed(value.substr(0, comma));
        if (!item.empty()) list.push_back(texts.get(item));
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
}

// Servers look for the word anywhere in the header; "SPDY/3.1, websocket" is served as SPDY.
Proto asked_proto(std::string_view upgrade) {
    if (contains_ignoring_case(upgrade, "spdy/3.1")) return Proto::spdy31;
    return contains_ignoring_case(upgrade, "websocket") ? Proto::websocket : Proto::http11;
}

void read_headers(Session& session, std::span<const Header> headers, SharedTexts& texts) {
    for (const auto& [name, value] : headers) {
        if (equal_ignoring_case(name, "upgrade")) {
            if (session.proto != Proto::spdy31) session.proto = asked_proto(value);
        } else if (equal_ignoring_case(name, "x-stream-protocol-version") ||
                   equal_ignoring_case(name, "sec-websocket-protocol")) {
            add_list(session.offered, value, limits::kOfferedMax, texts);
        } else if (equal_ignoring_case(name, "kubectl-session")) {
            session.kubectl_session = texts.get(value);
        } else if (equal_ignoring_case(name, "kubectl-command")) {
            session.kubectl_command = texts.get(value);
        } else if (equal_ignoring_case(name, "user-agent")) {
            session.user_agent = texts.get(value);
        } else if (equal_ignoring_case(name, "x-forwarded-for")) {
            add_list(session.forwarded_for, value, limits::kForwardedForMax, texts);
        } else if (equal_ignoring_case(name, "host") || name == ":authority") {
            session.host = texts.get(value);
        }
    }
}

void read_route(Session& session, Route& route, SharedTexts& texts) {
    session.op = route.op;
    session.hop = route.hop;
    session.tty = route.tty;
    session.k8s.namespace_ = texts.get(route.namespace_);
    session.k8s.pod = texts.get(route.pod);
    session.k8s.uid = texts.get(route.uid);
    session.k8s.container = texts.get(route.container);
    session.command.reserve(route.command.size());
    for (const std::string& word : route.command) session.command.push_back(texts.get(word));
}

std::size_t find_exchange(const FlowState& flow, std::uint32_t number) {
    if (!flow.work) return SIZE_MAX;
    const auto& all = flow.work->exchanges;
    const auto found = std::find_if(all.begin(), all.end(), [&](const Exchange& e) { return e.number == number; });
    return found == all.end() ? SIZE_MAX : static_cast<std::size_t>(found - all.begin());
}

// Adds to the refusal's first line; true when the line is complete.
bool add_to_line(std::string& line, Bytes piece) {
    std::string_view text = as_text(piece);
    if (line.empty()) {
        while (!text.empty() && (text.front() == '\n' || text.front() == '\r')) text.remove_prefix(1);
    }
    const auto end = std::min(text.find('\n'), text.size());
    line += text.substr(0, std::min(end, limits::kRefusalBytesKept - line.size()));
    return end < text.size() || line.size() == limits::kRefusalBytesKept;
}

}  // namespace

void Builder::State::on(const HttpRequest& event, const Place& place) {
    note_time(place);
    ++model.capture.http_requests;
    FlowState* flow = flow_of(place);
    if (!flow) return;
    const bool first = !flow->http_seen;
    flow->http_seen = true;
    if (flow->current) return;  // the connection is no longer HTTP
    if (flow->unix_info) flow->request_at = place.at;
    auto route = parse_route(event.target);
    if (!route) return;

    FlowWork& work = flow->need_work();
    if (work.exchanges.size() >= limits::kExchangesPerConnectionMax) end_exchange(*flow, 0, place, false);
    Session& session = open_session(*flow, place);
    if (first && flow->handshake_seen) session.connected = flow->opened_at;
    session.proto = event.version.starts_with("HTTP/1") ? Proto::http11 : Proto::unknown;
    session.method = texts.get(kept(event.method, 64));
    session.target = Untrusted(kept(event.target, limits::kTargetBytesKept));
    read_route(session, *route, texts);
    read_headers(session, event.headers, texts);
    const bool upgrade_asked = session.proto == Proto::spdy31 || session.proto == Proto::websocket;
    if (work.early_gaps > 0 && work.early_frame == place.frame) {
        session.gaps = work.early_gaps;
        session.missing_bytes = work.early_missing;
        if (!upgrade_asked) session.proto = Proto::unknown;  // the header may have been in the hole
    }
    work.early_gaps = 0;
    work.early_missing = 0;
    if (route->hop == HopKind::runtime) {
        make_room(place.at);
        session.token = Token{Untrusted(kept(route->token)), tokens.see(route->token, place.at)};
        if (TokenFacts* facts = tokens.facts(session.token->number)) facts->last_session = session.number;
        if (const CriCall* call = cri.call_of(session.token->number)) cri.complete(session, *call);
    }
    Exchange& exchange = work.exchanges.emplace_back();
    exchange.number = event.exchange;
    exchange.session = &session;
    exchange.upgrade_asked = upgrade_asked;
    if (observer) observer->session_opened(session, place);
    retries.requested(session);
}

void Builder::State::on(const HttpResponse& event, const Place& place) {
    note_time(place);
    FlowState* flow = flow_of(place);
    if (!flow || flow->current) return;
    const std::size_t at = find_exchange(*flow, event.exchange);
    const bool interim = event.status >= 100 && event.status < 200 && event.status != 101;
    if (at == SIZE_MAX || interim || flow->work->exchanges[at].refused) return;
    Exchange& exchange = flow->work->exchanges[at];
    Session& session = *exchange.session;
    touch(session, place);
    session.answered = place.at;
    session.answer_frame = place.frame;
    session.status = event.status;
    // Only a request that reached the handler uses its token up; 405 comes from the router before it.
    if (session.token && event.status != 405) {
        TokenFacts* facts = tokens.facts(session.token->number);
        if (facts && facts->consumed_by == 0) {
            facts->consumed_by = session.number;
            facts->consumed_as = session.op;
            facts->consumed_by_404 = event.status == 404;
        }
    }
    if (event.status == 101) {
        ports.answered(session);
        promote(*flow, at);
        return;
    }
    session.state = SessionState::refused;
    exchange.refused = true;
}

void Builder::State::on(const HttpBody& event, const Place& place) {
    if (event.direction != Direction::to_client) return;
    FlowState* flow = flow_of(place);
    if (!flow || flow->current) return;
    const std::size_t at = find_exchange(*flow, event.exchange);
    if (at == SIZE_MAX) return;
    Exchange& exchange = flow->work->exchanges[at];
    if (!exchange.refused) return;
    touch(*exchange.session, place);
    if (!exchange.line_over) exchange.line_over = add_to_line(exchange.refusal, event.piece);
}

void Builder::State::on(const HttpEnd& event, const Place& place) {
    if (event.direction != Direction::to_client) return;
    FlowState* flow = flow_of(place);
    if (!flow || flow->current) return;
    const std::size_t at = find_exchange(*flow, event.exchange);
    if (at == SIZE_MAX || !flow->work->exchanges[at].refused) return;
    touch(*flow->work->exchanges[at].session, place);
    end_exchange(*flow, at, place, false);
}

void Builder::State::on(const Upgraded& event, const Place& place) {
    note_time(place);
    FlowState* flow = flow_of(place);
    if (!flow || flow->foreign) return;
    if (flow->docker && !flow->current) open_docker_session(*flow, place);
    if (!flow->current) {
        const std::size_t at = find_exchange(*flow, event.exchange);
        if (at == SIZE_MAX) {
            flow->foreign = true;
            return;
        }
        promote(*flow, at);
    }
    Session& session = *flow->current;
    touch(session, place);
    session.subprotocol = texts.get(event.subprotocol);
    switch (event.carrier) {
        case Carrier::spdy31: session.proto = Proto::spdy31; break;
        case Carrier::websocket: session.proto = Proto::websocket; break;
        case Carrier::raw: break;
    }
}

CriConnection Builder::State::connection_of(const Place& place) {
    CriConnection connection;
    const FlowState* flow = flow_of(place);
    if (!flow) return connection;
    connection.client = flow->client;
    connection.server = flow->server;
    if (const FlowInfo* info = flow->unix_info.get()) {
        connection.unix_socket = info->unix_server;
        connection.client_pid = info->client_pid;
        connection.server_pid = info->server_pid;
    }
    return connection;
}

void Builder::State::on(const CriMessage& event, const Place& place) {
    if (!event.url.empty()) make_room(place.at);
    const CriCall* call = cri.on(event, place, connection_of(place));
    if (!call) return;
    ports.named_by_cri(*call, cri.runtime_name());
    const TokenFacts* facts = tokens.facts(call->token);
    if (!facts) return;
    // Two captures of one time may be read out of step: the session can be there before its token was issued.
    if (Session* session = kept_session(facts->last_session)) cri.complete(*session, *call);
}

void Builder::State::on(const CriDone& event, const Place& place) { cri.on(event, place); }

void Builder::State::on(const TaskMessage& event, const Place& place) {
    const bool by_shim = event.service != "containerd.services.tasks.v1.Tasks";
    (by_shim ? shims : services).on(event, place, connection_of(place));
}

}  // namespace hopscope::chain
