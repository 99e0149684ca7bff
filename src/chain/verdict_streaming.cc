// Which listener of a runtime is its CRI streaming server.
#include <algorithm>

#include "chain/streaming_plan.h"
#include "chain/verdict_draft.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"

namespace hopscope::chain {
namespace {

bool is_proven(const Listener& listener) {
    return std::any_of(listener.drafts.begin(), listener.drafts.end(), [](const Draft& draft) {
        return draft.role == kStreamingRole && (draft.proof.traffic || draft.proof.cri || draft.proof.probe);
    });
}

// Something else than a streaming server, and sure enough.
bool is_explained(const Listener& listener) {
    return std::any_of(listener.drafts.begin(), listener.drafts.end(), [](const Draft& draft) {
        return draft.role != kStreamingRole && sure_of(draft.proof) >= Sure::medium;
    });
}

bool is_in_place(const Listener& listener, const StreamingPlan& plan) {
    const IpAddress& address = listener.socket->local.address;
    if (!plan.place) return address.is_loopback();
    if (plan.place->named_host) return !address.is_loopback();
    return same_address(*plan.place, address);
}

std::string where(const Listener& listener) {
    return listener.socket->local.address.is_loopback() ? "loopback" : listening_place(*listener.socket);
}

// The process was asked for CRI over its socket and answered that it has no such service, hence no streaming server.
// Null: it has, or nobody knows.
const RuntimeFacts* denial_of(const hopscope::Process& process, const NodeIndex& index) {
    for (const RuntimeFacts& runtime : index.node().runtimes) {
        const hopscope::Process* asked = runtime.has_no_cri ? index.asked(runtime) : nullptr;
        if (asked && asked->id == process.id) return &runtime;
    }
    return nullptr;
}

Evidence words_of_denial(const RuntimeFacts& denial, const char* id) {
    return evidence(Grade::decoded, id,
                    "asked for it over its socket it answered that it has no CRI service: nor a streaming server then",
                    elide_middle(display(denial.socket_path), kShownColumns));
}

// "metrics" of a role, for a sentence.
std::string noun_of(const Draft& draft) {
    const RoleText* text = role_text(draft.role);
    return text ? std::string(text->noun) : draft.role;
}

std::size_t count_places(const std::vector<Listener*>& listeners) {
    std::size_t places = 0;  // SO_REUSEPORT: several sockets, one place
    for (std::size_t i = 0; i < listeners.size(); ++i)
        if (i == 0 || listeners[i]->socket->local != listeners[i - 1]->socket->local) ++places;
    return places;
}

// The setting of the port, where it stands, and whether that is only assumed.
std::string words_of_setting(const StreamingPlan& plan) {
    if (plan.assumed.empty()) return cite(*plan.setting);
    return "assumed, as another setting may be in force (" + plan.assumed + "): " + cite(*plan.setting);
}

// What is said of a listener once it is taken for a streaming server, whatever the proof.
Draft words_of_streaming(const Listener& listener, const StreamingRule& rule, const StreamingPlan& plan,
                         const Node& node) {
    Draft draft{.role = std::string(kStreamingRole), .component = std::string(rule.component)};
    draft.proof.holder = holder_of(listener, true);
    draft.tls = plan.tls;
    const std::string name(rule.component);
    const std::string picked = "the kernel picks a free port (net.ipv4.ip_local_port_range " + ephemeral_range(node) +
                               "). It changes with every " + name + " start.";
    const std::string assumed = plan.assumed.empty() ? "" : " (assumed)";
    const Endpoint& local = listener.socket->local;
    const std::string scheme = plan.tls ? "https://" : "http://";
    const std::string url = scheme +
                            (local.address.is_unspecified() ? "HOST:" + std::to_string(local.port) : to_string(local)) +
                            std::string(rule.path_prefix) + "/exec/<token>";
    if (rule.owner == ProcessRole::kubelet) {
        draft.title = "the CRI streaming server of the Docker shim inside kubelet";
        draft.what = "kubectl exec, attach and port-forward end here. kubelet asks the shim for a URL, gets " + url +
                     ", and relays the API server's stream to it.";
        draft.why_this_port = "no flag sets it: the shim listens on port 0 and " + picked;
        draft.short_why = "dockershim in kubelet; port 0 = random";
    } else {
        draft.what = "kubectl exec, attach and port-forward end here. kubelet asks " + name +
                     " for a URL (CRI), gets " + url + ", and relays the API server's stream to it.";
        if (plan.state == StreamingPlan::State::fixed && plan.port == local.port) {
            draft.why_this_port = plan.setting ? words_of_setting(plan) + " names it."
                                               : "10010 was the fixed port of containerd 1.0 and 1.1.";
            draft.short_why = plan.setting ? words_of(*plan.setting) + assumed : "fixed port of containerd 1.0 and 1.1";
        } else if (plan.state == StreamingPlan::State::random && plan.setting) {
            draft.why_this_port = words_of_setting(plan) + ": " + picked;
            draft.short_why = words_of(*plan.setting) + ": random" + assumed;
        } else if (plan.state == StreamingPlan::State::random || plan.state == StreamingPlan::State::possible) {
            draft.why_this_port =
                "nothing is known to set it; unless told otherwise " + name + " listens on port 0 and " + picked;
            draft.short_why = "port 0 by default: random";
        }
    }
    if (plan.tls) draft.what += " TLS is on: " + plan.tls_words + ".";
    if (!rule.path_prefix.empty()) {
        const std::string below(rule.path_prefix);
        draft.why_404 = "it knows only " + below + "/exec/, " + below + "/attach/ and " + below +
                        "/portforward/ plus a token that lives 60 s. /metrics and /healthz answer \"404: Page Not "
                        "Found\", that is normal.";
    }
    return draft;
}

class Chooser {
public:
    Chooser(const hopscope::Process& process, const StreamingRule& rule, const NodeIndex& index,
            std::vector<Listener*> own)
        : process_(process),
          rule_(rule),
          node_(index.node()),
          plan_(streaming_plan(process, rule, index)),
          denial_(denial_of(process, index)),
          own_(std::move(own)) {}

    void choose() {
        for (Listener* listener : own_)
            if (is_proven(*listener)) proven_.push_back(listener);
        for (Listener* listener : proven_) take_proven(*listener);
        if (plan_.state == StreamingPlan::State::none) return rule_out_all(plan_.says);
        if (plan_.state == StreamingPlan::State::fixed) return take_fixed();
        if (!proven_.empty())
            return rule_out_all("that is " + listening_place(*proven_.front()->socket) + ", as was observed");
        take_random();
    }

private:
    void rule_out_all(const std::string& says) {
        for (Listener* listener : own_)
            if (!is_proven(*listener)) listener->ruled_out.push_back({std::string(kStreamingRole), says});
    }

    // The role is known; settings add what they say, for or against.
    void take_proven(Listener& listener) {
        Draft draft = words_of_streaming(listener, rule_, plan_, node_);
        if (plan_.state == StreamingPlan::State::none) {
            draft.proof.contradiction = true;
            draft.evidence.push_back(evidence(Grade::inferred, "contradiction", plan_.says));
        } else if (plan_.state == StreamingPlan::State::fixed && plan_.port != listener.socket->local.port) {
            draft.proof.contradiction = true;
            draft.evidence.push_back(evidence(Grade::inferred, "contradiction",
                                              plan_.setting ? words_of(*plan_.setting) + " names another port"
                                                            : "its version has the fixed port 10010",
                                              plan_.setting ? source_of(*plan_.setting) : ""));
        } else {
            add_plan(draft);
        }
        add_denial(draft);
        add_behaviour(listener, draft);
        add_draft(listener.drafts, std::move(draft));
    }

    void take_fixed() {
        const bool is_there = std::any_of(own_.begin(), own_.end(),
                                          [&](const Listener* each) { return each->socket->local.port == plan_.port; });
        for (Listener* listener : own_) {
            if (is_proven(*listener)) continue;
            if (listener->socket->local.port != plan_.port) {
                std::string says = plan_.setting ? words_of_setting(plan_) : "its version has the fixed port 10010";
                if (plan_.setting && plan_.assumed.empty() && !is_there)
                    says += ", where it does not listen: changed since it was started?";
                listener->ruled_out.push_back({std::string(kStreamingRole), std::move(says)});
                continue;
            }
            Draft draft = words_of_streaming(*listener, rule_, plan_, node_);
            draft.proof.config = plan_.setting && plan_.assumed.empty();
            draft.proof.behaviour = true;
            add_plan(draft);
            if (plan_.setting && !is_in_place(*listener, plan_)) {
                draft.proof.contradiction = true;
                draft.evidence.push_back(
                    evidence(Grade::decoded, "contradiction",
                             "its settings name another address than " + listening_place(*listener->socket)));
            }
            add_denial(draft);
            add_draft(listener->drafts, std::move(draft));
        }
    }

    void take_random() {
        if (denial_)
            for (Listener* listener : own_)
                for (Draft& draft : listener->fallbacks) draft.evidence.push_back(words_of_denial(*denial_, "cri"));
        std::vector<Listener*> candidates;
        for (Listener* listener : own_)
            if (!is_explained(*listener) && is_in_place(*listener, plan_) && !listener->answers_otherwise)
                candidates.push_back(listener);
        // A port outside the range was not picked by the kernel; but the range may have been another when it was.
        if (std::any_of(candidates.begin(), candidates.end(),
                        [&](Listener* each) { return is_ephemeral(each->socket->local, node_); }))
            std::erase_if(candidates, [&](Listener* each) { return !is_ephemeral(each->socket->local, node_); });
        for (Listener* listener : own_)
            if (std::find(candidates.begin(), candidates.end(), listener) == candidates.end())
                listener->ruled_out.push_back({std::string(kStreamingRole), why_no_candidate(*listener)});
        find_rivals(candidates);
        if (denial_ && count_places(candidates) <= rivals_.size()) return take_rivals(candidates);
        for (Listener* listener : candidates) take_candidate(*listener, count_places(candidates));
    }

    // Other services of the process whose ports are left to the kernel, too, and may be among the candidates.
    void find_rivals(const std::vector<Listener*>& candidates) {
        for (const Listener* listener : candidates)
            for (const Draft& draft : listener->fallbacks)
                if (std::none_of(rivals_.begin(), rivals_.end(),
                                 [&](const Draft& other) { return other.role == draft.role; }))
                    rivals_.push_back(draft);
        // A listener that the probe has ruled out is one of the rivals': for it no other has to be there.
        std::vector<Listener*> others;
        for (Listener* listener : own_)
            if (listener->answers_otherwise && !is_explained(*listener) && !listener->fallbacks.empty())
                others.push_back(listener);
        const std::size_t there = count_places(candidates) + count_places(others);
        rivals_missing_ = rivals_.empty() || there > rivals_.size() ? 0 : 1 + rivals_.size() - there;
    }

    // Without a streaming server the rivals explain all of them.
    void take_rivals(const std::vector<Listener*>& candidates) {
        const Evidence denied = words_of_denial(*denial_, "cri");
        for (Listener* listener : candidates)
            listener->ruled_out.push_back({std::string(kStreamingRole), denied.says + " (" + denied.source + ")"});
    }

    std::string why_no_candidate(const Listener& listener) const {
        if (is_explained(listener)) return "its settings, or its usual number, say what this port is for";
        if (listener.answers_otherwise) return "it answers the probe as no streaming server does";
        if (!is_in_place(listener, plan_))
            return plan_.place && plan_.place->address ? "it would listen on " + to_string(plan_.place->address.value())
                                                       : "it would listen on another address";
        return "its port is one that the kernel picks: " + ephemeral_range(node_);
    }

    void take_candidate(Listener& listener, std::size_t places) {
        Draft draft = words_of_streaming(listener, rule_, plan_, node_);
        draft.proof.behaviour = true;
        add_plan(draft);
        add_behaviour(listener, draft);
        const std::string kind = plan_.place && plan_.place->address && plan_.place->address->is_loopback()
                                     ? "loopback listener"
                                     : "listener";
        if (!is_ephemeral(listener.socket->local, node_)) {
            draft.proof.contradiction = true;
            draft.evidence.push_back(
                evidence(Grade::inferred, "contradiction",
                         "the port is outside the range from which the kernel picks: somebody chose it"));
        }
        if (places > 1) tell_which(draft, places);
        if (rivals_missing_ > 0) tell_rivals(draft, places);
        if (denial_) {
            add_denial(draft);
        } else if (places == 1 && rivals_missing_ == 0 && plan_.state == StreamingPlan::State::random &&
                   plan_.settings_known) {
            draft.proof.only_candidate = true;
            draft.evidence.push_back(
                evidence(Grade::inferred, "behaviour",
                         "the only " + kind + " of " + name_of(process_) + " that nothing else explains"));
        }
        add_draft(listener.drafts, std::move(draft));
    }

    void tell_which(Draft& draft, std::size_t places) const {
        draft.proof.contradiction = true;
        draft.what = "if it is the streaming server: " + draft.what;
        draft.short_why += ", one of " + std::to_string(places);
        draft.title = "one of " + std::to_string(places) + " random listeners of " + name_of(process_) +
                      ", of which one " + (rivals_missing_ > 0 ? "may be" : "is") + " its CRI streaming server";
        draft.evidence.push_back(evidence(
            Grade::inferred, "contradiction",
            name_of(process_) + " has " + std::to_string(places) + " such listeners; its configuration does not tell " +
                (places == 2 ? "which of two is which" : "which is which") + "; a capture or --probe does"));
    }

    // Not all services that leave their ports to the kernel listen: the streaming server may be what is missing.
    void tell_rivals(Draft& draft, std::size_t places) const {
        draft.proof.contradiction = true;
        const std::size_t listening = 1 + rivals_.size() - rivals_missing_;
        const std::string too_few = " leaves its port to the kernel as well, and of " +
                                    std::to_string(1 + rivals_.size()) + " such services only " +
                                    std::to_string(listening) + (listening == 1 ? " listens" : " listen") +
                                    ": this may be its ";
        std::string either = "either " + std::string(rule_.component) + "'s CRI streaming server";
        for (const Draft& rival : rivals_) {
            const std::string noun = noun_of(rival);
            either.append(&rival == &rivals_.back() ? " or its " : ", its ").append(noun);
            std::string says = rival.cited;
            says.append(too_few).append(noun);
            Evidence told = evidence(Grade::inferred, "contradiction", std::move(says));
            if (!rival.evidence.empty()) told.source = rival.evidence.front().source;
            draft.evidence.push_back(std::move(told));
        }
        if (places > 1) return;  // the title says already that it is one of several
        draft.title = either;
        draft.what = "if it is the streaming server: " + draft.what;
        draft.short_why += ", or " + rivals_.front().short_why;
    }

    void add_denial(Draft& draft) const {
        if (!denial_) return;
        draft.proof.contradiction = true;
        draft.evidence.push_back(words_of_denial(*denial_, "contradiction"));
    }

    void add_plan(Draft& draft) const {
        draft.proof.version |= plan_.version;
        draft.evidence.insert(draft.evidence.end(), plan_.evidence.begin(), plan_.evidence.end());
        if (plan_.tls) draft.evidence.push_back(evidence(Grade::decoded, "config", "TLS is on: " + plan_.tls_words));
    }

    void add_behaviour(const Listener& listener, Draft& draft) const {
        if (!is_ephemeral(listener.socket->local, node_)) return;
        draft.evidence.push_back(evidence(
            Grade::decoded, "behaviour",
            "on " + where(listener) + ", in the range from which the kernel picks (" + ephemeral_range(node_) + ")",
            "/proc/sys/net/ipv4/ip_local_port_range"));
    }

    const hopscope::Process& process_;
    const StreamingRule& rule_;
    const Node& node_;
    StreamingPlan plan_;
    const RuntimeFacts* denial_;
    std::vector<Listener*> own_, proven_;
    std::vector<Draft> rivals_;
    std::size_t rivals_missing_ = 0;  // how many of them and the streaming server do not listen
};

// Whoever is taken for a streaming server by something else than its answers.
void contradict_by_probe(Listener& listener) {
    if (!listener.answers_otherwise) return;
    for (Draft& draft : listener.drafts) {
        if (draft.role != kStreamingRole) continue;
        draft.proof.contradiction = true;
        draft.evidence.push_back(evidence(Grade::decoded, "contradiction",
                                          "its answers to the probe are not those of a CRI streaming server"));
    }
}

// Of several settings that leave a port to the kernel, and that nothing tells apart, none is sure.
void contradict_each_other(std::vector<Draft>& fallbacks) {
    if (fallbacks.size() < 2) return;
    std::vector<std::string> cited;
    cited.reserve(fallbacks.size());
    for (const Draft& draft : fallbacks) cited.push_back(draft.cited);
    for (std::size_t i = 0; i < fallbacks.size(); ++i) {
        fallbacks[i].proof.contradiction = true;
        for (std::size_t other = 0; other < cited.size(); ++other)
            if (other != i)
                fallbacks[i].evidence.push_back(evidence(Grade::inferred, "contradiction",
                                                         cited[other] + " leaves its port to the kernel as well"));
    }
}

}  // namespace

void draft_streaming(std::vector<Listener>& listeners, const NodeIndex& index) {
    std::map<std::uint32_t, std::vector<Listener*>> by_process;
    for (Listener& listener : listeners)
        if (listener.socket->transport == Transport::tcp && listener.owner && streaming_rule(listener.owner->role))
            by_process[listener.owner->id.pid].push_back(&listener);
    for (auto& [pid, own] : by_process) {
        const hopscope::Process& process = *own.front()->owner;
        Chooser(process, *streaming_rule(process.role), index, own).choose();
    }
    for (Listener& listener : listeners) {
        contradict_by_probe(listener);
        contradict_each_other(listener.fallbacks);
    }
}

}  // namespace hopscope::chain
