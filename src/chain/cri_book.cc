#include "chain/cri_book.h"

#include "chain/routes.h"
#include "chain/url.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

Op op_of_method(std::string_view method) {
    if (method == "Exec") return Op::exec;
    if (method == "Attach") return Op::attach;
    if (method == "PortForward") return Op::portforward;
    return Op::unknown;
}

std::uint64_t key_of(FlowId flow, std::uint32_t stream) { return std::uint64_t{flow} << 32 | stream; }

// Names that CRI servers give themselves in Version; anything else is shown as it came, made printable.
std::string runtime_of(std::string_view name) { return display(name.substr(0, 64)); }

}  // namespace

Hop hop_over(const CriConnection& connection, HopKind kind, const char* proto) {
    Hop hop;
    hop.kind = kind;
    hop.unix_socket = connection.unix_socket;
    hop.client = connection.client;
    hop.server = connection.server;
    if (connection.client_pid != 0) hop.from = Process{.pid = connection.client_pid, .comm = {}, .exe = {}};
    if (connection.server_pid != 0) hop.to = Process{.pid = connection.server_pid, .comm = {}, .exe = {}};
    hop.proto = proto;
    return hop;
}

const CriCall* CriBook::on(const CriMessage& message, const Place& place, const CriConnection& connection) {
    now_ = place.at;
    if (!message.runtime_name.empty()) runtime_name_ = runtime_of(message.runtime_name);
    remember_names(message);
    if (!message.response) {
        remember_request(message, place);
        return nullptr;
    }
    return message.url.empty() ? nullptr : remember_answer(message, place, connection);
}

void CriBook::on(const CriDone& done, const Place& place) { waiting_.erase(key_of(place.flow, done.stream)); }

void CriBook::flow_ended(FlowId flow) {
    if (waiting_.empty()) return;
    std::erase_if(waiting_, [&](const auto& entry) { return entry.first >> 32 == flow; });
}

void CriBook::remember_request(const CriMessage& message, const Place& place) {
    const Op op = op_of_method(message.method);
    // Joined late the method may be unknown: then any request that names a container or sandbox may be the one.
    if (op == Op::unknown && (message.method_known || (message.container_id.empty() && message.sandbox_id.empty())))
        return;
    if (waiting_.size() >= limits::kCriNamesMax) waiting_.clear();
    CriCall& call = waiting_[key_of(place.flow, message.stream)];
    call = CriCall{};
    call.op = op;
    call.container_id = texts_.get(message.container_id);
    call.sandbox_id = texts_.get(message.sandbox_id);
    for (const std::string_view word : message.command) {
        if (call.command.size() < limits::kCommandWordsMax) call.command.push_back(texts_.get(word));
    }
    call.request_seen = true;
    call.tty = message.tty;
    call.asked = place.at;
    call.asked_frame = place.frame;
    call.request_bytes = message.message_bytes;
}

const CriCall* CriBook::remember_answer(const CriMessage& message, const Place& place,
                                        const CriConnection& connection) {
    CriCall call;
    if (const auto found = waiting_.find(key_of(place.flow, message.stream)); found != waiting_.end()) {
        call = std::move(found->second);
        waiting_.erase(found);
    }
    const UrlParts url = split_url(message.url);
    const auto route = parse_route(url.path);
    if (!route || route->hop != HopKind::runtime) return nullptr;
    if (is_full()) forget_oldest();
    if (call.op == Op::unknown) call.op = route->op;
    call.token = tokens_.see(route->token, place.at);
    call.streaming = endpoint_of(url.authority);
    call.flow = place.flow;
    call.connection = connection;
    call.answered = place.at;
    call.answered_frame = place.frame;
    call.file = place.file;
    call.answer_bytes = message.message_bytes;
    calls_.push_back(std::move(call));
    if (TokenFacts* facts = tokens_.facts(calls_.back().token))
        facts->call = forgotten_ + static_cast<std::uint32_t>(calls_.size());
    return &calls_.back();
}

// Containers come and go for as long as a live run lasts; the kubelet lists those that are there at least every five
// minutes (its generic PLEG relists each second, the evented one each 300 s).
bool CriBook::room_for_name(NameTable& table) const {
    constexpr std::int64_t kUnlistedNs = 900 * kNanosecondsPerSecond, kLookPauseNs = 60 * kNanosecondsPerSecond;
    if (table.by_id.size() < limits::kCriNamesMax) return true;
    if (table.looked_through.ns != 0 && (now_ - table.looked_through).ns < kLookPauseNs) return false;
    table.looked_through = now_;
    std::erase_if(table.by_id, [&](const auto& entry) { return (now_ - entry.second.listed).ns > kUnlistedNs; });
    return table.by_id.size() < limits::kCriNamesMax;
}

void CriBook::remember(NameTable& table, std::string_view id, std::string_view name, std::string_view sandbox_id,
                       std::string_view pod, std::string_view namespace_, std::string_view uid) {
    if (id.empty() || id.size() > limits::kTextBytesKept) return;
    const std::string key(id);
    // The kubelet asks for these lists every second: what is known is not built again.
    if (const auto known = table.by_id.find(key); known != table.by_id.end()) {
        known->second.listed = now_;
        if (!known->second.k8s.pod.empty() || pod.empty()) return;
    } else if (!room_for_name(table)) {
        return;
    }
    Names& names = table.by_id[key];
    names.listed = now_;
    names.k8s.container = texts_.get(name);
    names.k8s.pod = texts_.get(pod);
    names.k8s.namespace_ = texts_.get(namespace_);
    names.k8s.uid = texts_.get(uid);
    names.sandbox_id = texts_.get(sandbox_id);
}

void CriBook::remember_names(const CriMessage& message) {
    for (const CriContainer& c : message.containers)
        remember(containers_, c.id, c.name, c.sandbox_id, c.pod, c.namespace_, c.uid);
    for (const CriSandbox& s : message.sandboxes) remember(sandboxes_, s.id, {}, {}, s.pod, s.namespace_, s.uid);
}

void CriBook::remember(const ContainerNames& names) {
    const bool is_sandbox = names.id == names.sandbox_id;
    const std::string_view name = is_sandbox ? std::string_view{} : std::string_view{names.name.raw()};
    remember(is_sandbox ? sandboxes_ : containers_, names.id, name,
             is_sandbox ? std::string_view{} : std::string_view{names.sandbox_id}, names.pod.raw(),
             names.namespace_.raw(), names.pod_uid.raw());
}

const CriCall* CriBook::call_of(std::uint32_t token_number) {
    const TokenFacts* facts = tokens_.facts(token_number);
    if (facts && facts->call > forgotten_) return &calls_[facts->call - 1 - forgotten_];
    const auto kept = kept_.find(token_number);
    return kept == kept_.end() ? nullptr : &kept->second.call;
}

void CriBook::forget_oldest() {
    calls_.pop_front();
    ++forgotten_;
}

void CriBook::keep(const CriCall& call, std::uint32_t session) {
    if (call.token != 0 && kept_.size() < limits::kCriCallsMax) kept_.try_emplace(call.token, Kept{call, session});
}

void CriBook::keep_only(const std::function<bool(std::uint32_t)>& is_there) {
    // Each look is paid for by as many calls as it looks at.
    if (kept_.empty() || ++kept_unseen_ < kept_.size()) return;
    kept_unseen_ = 0;
    std::erase_if(kept_, [&](const auto& entry) { return !is_there(entry.second.session); });
}

void CriBook::complete(Session& session, const CriCall& call) const {
    if (session.evidence.size() < limits::kEvidencePerSessionMax && call.request_seen)
        session.evidence.push_back({.grade = Grade::decoded,
                                    .says = "the CRI call that issued token t" + std::to_string(call.token) +
                                            " names the " + (call.container_id.empty() ? "sandbox" : "container"),
                                    .frame = call.answered_frame,
                                    .source = {},
                                    .id = "cri"});
    if (session.container.id.empty()) session.container.id = call.container_id;
    if (session.container.sandbox_id.empty()) session.container.sandbox_id = call.sandbox_id;
    if (session.container.runtime.empty()) session.container.runtime = runtime_name_;
    if (session.command.empty()) session.command = call.command;
    if (!session.tty && call.request_seen && call.op != Op::portforward) session.tty = call.tty;
    complete_names(session);
}

void CriBook::complete_names(Session& session) const {
    const auto fill = [](Untrusted& into, const Untrusted& from) {
        if (into.empty()) into = from;
    };
    const auto fill_names = [&](const Names& names) {
        fill(session.k8s.namespace_, names.k8s.namespace_);
        fill(session.k8s.pod, names.k8s.pod);
        fill(session.k8s.uid, names.k8s.uid);
        fill(session.k8s.container, names.k8s.container);
    };
    if (!session.container.id.empty()) {
        if (const auto found = containers_.by_id.find(session.container.id.raw()); found != containers_.by_id.end()) {
            fill(session.container.sandbox_id, found->second.sandbox_id);
            fill(session.container.name, found->second.k8s.container);
            fill_names(found->second);
        }
    }
    if (!session.container.sandbox_id.empty()) {
        if (const auto found = sandboxes_.by_id.find(session.container.sandbox_id.raw());
            found != sandboxes_.by_id.end())
            fill_names(found->second);
    }
}

}  // namespace hopscope::chain
