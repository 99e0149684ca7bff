#include "chain/verdict_draft.h"

#include <algorithm>

namespace hopscope::chain {
namespace {

// Between drafts that are equally sure, what was observed outweighs what was configured, and that what is usual.
auto weight(const Draft& draft) {
    const Proof& proof = draft.proof;
    return std::tuple(sure_of(proof), proof.traffic || proof.cri || proof.probe, proof.config, proof.only_candidate,
                      proof.behaviour);
}

}  // namespace

Holder holder_of(const Listener& listener, bool fits) {
    if (!listener.owner) return Holder::invisible;
    if (!listener.owner->role_doubt.empty() && !is_component(listener.owner->role)) return Holder::doubtful;
    if (!fits) return Holder::stranger;
    return listener.owner->role_doubt.empty() ? Holder::proven : Holder::claimed;
}

void add_draft(std::vector<Draft>& drafts, Draft draft) {
    const auto same =
        std::find_if(drafts.begin(), drafts.end(), [&](const Draft& other) { return other.role == draft.role; });
    if (same == drafts.end()) {
        drafts.push_back(std::move(draft));
        return;
    }
    Proof& proof = same->proof;
    proof.holder = std::max(proof.holder, draft.proof.holder);
    proof.config |= draft.proof.config;
    proof.only_candidate |= draft.proof.only_candidate;
    proof.cri |= draft.proof.cri;
    proof.traffic |= draft.proof.traffic;
    proof.probe |= draft.proof.probe;
    proof.behaviour |= draft.proof.behaviour;
    proof.version |= draft.proof.version;
    proof.contradiction |= draft.proof.contradiction;
    same->tls |= draft.tls;
    for (Evidence& each : draft.evidence) same->evidence.push_back(std::move(each));
    const auto fill = [](std::string& into, std::string& from) {
        if (into.empty()) into = std::move(from);
    };
    fill(same->component, draft.component);
    fill(same->short_why, draft.short_why);
    fill(same->why_this_port, draft.why_this_port);
    fill(same->why_404, draft.why_404);
    fill(same->what, draft.what);
    fill(same->title, draft.title);
    fill(same->remedy, draft.remedy);
}

const Draft* best_draft(const std::vector<Draft>& drafts) {
    const Draft* best = nullptr;
    for (const Draft& draft : drafts)
        if (!best || weight(draft) > weight(*best)) best = &draft;
    return best;
}

bool is_ephemeral(const Endpoint& local, const Node& node) {
    return local.port >= node.ephemeral_low && local.port <= node.ephemeral_high;
}

std::string ephemeral_range(const Node& node) {
    return std::to_string(node.ephemeral_low) + "-" + std::to_string(node.ephemeral_high);
}

}  // namespace hopscope::chain
