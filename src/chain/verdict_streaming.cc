// Which listener of a runtime is its CRI streaming server (PROTOCOLS F.2).
#include <algorithm>

#include "chain/verdict_draft.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"
#include "core/release.h"

namespace hopscope::chain {
namespace {

constexpr std::string_view kRole = "cri-streaming-server";

// What settings and version say of one process's streaming server.
struct Plan {
    enum class State { none, fixed, random, possible } state = State::possible;
    std::string says;                  // none: why there is none
    std::uint16_t port = 0;            // fixed
    std::optional<ListenPlace> place;  // where its address is to be; none: unknown
    const ConfigValue* setting = nullptr;
    std::vector<Evidence> evidence;
    bool version = false;         // its version has one
    bool settings_known = false;  // all of them: what they do not explain nothing explains
    bool tls = false;
    std::string tls_words;
};

// Options that Kubernetes 1.24 took away with the Docker shim; a kubelet of 1.24 that is given one does not start.
const char* shim_option(const hopscope::Process& process) {
    static constexpr const char* kOptions[] = {"--network-plugin",
                                               "--cni-bin-dir",
                                               "--docker-endpoint",
                                               "--container-runtime=docker",
                                               "--redirect-container-streaming",
                                               "--cadvisor-port"};
    for (const Untrusted& word : process.cmdline)
        for (const char* option : kOptions) {
            const std::string_view text = word.raw();
            const std::string_view name(option);
            if (text.starts_with(name) && (text.size() == name.size() || text[name.size()] == '=')) return option;
        }
    return nullptr;
}

void plan_kubelet(Plan& plan, const hopscope::Process& process, const ComponentConfig* config) {
    const auto none = [&](std::string says) {
        plan.state = Plan::State::none;
        plan.says = std::move(says);
    };
    const auto version = release_of(process.version);
    if (version && *version >= Release{1, 24})
        return none("the Docker shim was removed in 1.24, this is " + version_words(process));
    const ConfigValue* runtime = config ? config->find("container-runtime") : nullptr;
    if (runtime && plain(*runtime) != "docker") return none(cite(*runtime) + ": the Docker shim is off");
    if (version && *version < Release{1, 11})
        return none("before 1.11 the Docker shim streams on the kubelet's own API port under /cri/, this is " +
                    version_words(process));
    const ConfigValue* redirect = config ? config->find("redirect-container-streaming") : nullptr;
    if (redirect && is_true(*redirect))
        return none(cite(*redirect) + ": the Docker shim streams on the kubelet's own API port under /cri/");
    const char* option = version ? nullptr : shim_option(process);
    if (!version && !option && !(runtime && !runtime->is_default)) {
        const ConfigValue* endpoint = config ? config->find("containerRuntimeEndpoint") : nullptr;
        const std::string path = endpoint ? normal_path(plain(*endpoint)) : "";
        if (endpoint && !path.empty() && path.find("dockershim") == std::string::npos)
            return none(cite(*endpoint) + ": the runtime is a program of its own");
        plan.state = Plan::State::possible;  // version unknown
        return;
    }
    plan.state = Plan::State::random;
    plan.version = true;
    plan.place = ListenPlace{
        .scheme = {}, .unix_path = {}, .address = IpAddress::parse("127.0.0.1"), .named_host = false, .port = 0};
    std::string says = version_words(process);
    if (runtime) says += (version ? ", " : " with ") + words_of(*runtime);
    if (option) says += std::string(runtime ? ", " : " with ") + option;
    says += ": has the Docker shim, whose streaming server listens on 127.0.0.1, port 0 (1.11 to 1.23)";
    plan.evidence.push_back(evidence(Grade::decoded, "version", std::move(says),
                                     runtime && !runtime->is_default ? source_of(*runtime) : cmdline_path(process)));
}

void plan_place(Plan& plan, const StreamingRule& rule, const ComponentConfig& config, const ConfigValue& port) {
    if (const auto number = number_of(port)) {
        plan.port = *number;
        if (const ConfigValue* address = config.find(rule.address_key)) {
            const std::string_view host = plain(*address);
            ListenPlace place;
            place.address = IpAddress::parse(host == "localhost" ? "127.0.0.1" : host);
            // Without an address containerd and CRI-O take one of the node's, which is not written down anywhere.
            place.named_host = !place.address;
            plan.place = place;
        }
    } else if (rule.address_key.empty()) {
        const std::vector<ListenPlace> places = places_of(plain(port));
        plan.place = places.empty() ? ListenPlace{} : places.front();
        plan.port = plan.place->port;
    }
    plan.state = plan.port == 0 ? Plan::State::random : Plan::State::fixed;
}

void plan_runtime(Plan& plan, const StreamingRule& rule, const hopscope::Process& process,
                  const ComponentConfig* config) {
    if (rule.owner == ProcessRole::containerd && !has_cri(config, &plan.says)) {
        plan.state = Plan::State::none;
        return;
    }
    const auto version = release_of(process.version);
    plan.version = version.has_value() || rule.owner == ProcessRole::cri_dockerd;
    const ConfigValue* port = config ? config->find(rule.port_key) : nullptr;
    if (port) {
        plan.setting = port;
        plan_place(plan, rule, *config, *port);
        std::string says = words_of(*port);
        if (plan.state == Plan::State::random)
            says += rule.address_key.empty() && plain(*port).empty()
                        ? ": all addresses, and the kernel picks a new port at every start"
                        : ": the kernel picks a new port at every start";
        else
            says += " names this port";
        const bool guessed = port->is_default && !config->trouble.empty();
        plan.evidence.push_back(
            evidence(guessed ? Grade::inferred : Grade::decoded, "config", std::move(says), source_of(*port)));
    } else if (version) {
        const bool old = rule.owner == ProcessRole::containerd && *version < Release{1, 2};
        plan.state = old ? Plan::State::fixed : Plan::State::random;
        if (old) plan.port = 10010;
    }
    if (version)
        plan.evidence.push_back(
            evidence(Grade::decoded, "version", version_words(process) + " has a CRI streaming server"));
    const ConfigValue* tls = config ? config->find(rule.tls_key) : nullptr;
    if (tls && is_true(*tls)) {
        plan.tls = true;
        plan.tls_words = cite(*tls);
    }
}

Plan plan_of(const hopscope::Process& process, const StreamingRule& rule, const NodeIndex& index) {
    const ComponentConfig* config = index.config(process);
    Plan plan;
    plan.settings_known = config && config->trouble.empty();
    if (rule.owner == ProcessRole::kubelet)
        plan_kubelet(plan, process, config);
    else
        plan_runtime(plan, rule, process, config);
    return plan;
}

bool is_proven(const Listener& listener) {
    return std::any_of(listener.drafts.begin(), listener.drafts.end(), [](const Draft& draft) {
        return draft.role == kRole && (draft.proof.traffic || draft.proof.cri || draft.proof.probe);
    });
}

// Something else than a streaming server, and sure enough.
bool is_explained(const Listener& listener) {
    return std::any_of(listener.drafts.begin(), listener.drafts.end(),
                       [](const Draft& draft) { return draft.role != kRole && sure_of(draft.proof) >= Sure::medium; });
}

bool is_ephemeral(const Listener& listener, const Node& node) {
    const std::uint16_t port = listener.socket->local.port;
    return port >= node.ephemeral_low && port <= node.ephemeral_high;
}

bool is_in_place(const Listener& listener, const Plan& plan) {
    const IpAddress& address = listener.socket->local.address;
    if (!plan.place) return address.is_loopback();
    if (plan.place->named_host) return !address.is_loopback();
    return same_address(*plan.place, address);
}

std::string where(const Listener& listener) {
    return listener.socket->local.address.is_loopback() ? "loopback" : place_words(listener.socket->local);
}

// What is said of a listener once it is taken for a streaming server, whatever the proof.
Draft words_of_streaming(const Listener& listener, const StreamingRule& rule, const Plan& plan, const Node& node) {
    Draft draft{.role = std::string(kRole), .component = std::string(rule.component)};
    draft.proof.holder = holder_of(listener, true);
    draft.tls = plan.tls;
    const std::string name(rule.component);
    const std::string range = std::to_string(node.ephemeral_low) + "-" + std::to_string(node.ephemeral_high);
    const std::string picked = "the kernel picks a free port (net.ipv4.ip_local_port_range " + range +
                               "). It changes with every " + name + " start.";
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
        if (plan.state == Plan::State::fixed && plan.port == local.port) {
            draft.why_this_port = plan.setting ? cite(*plan.setting) + " names it."
                                               : "10010 was the fixed port of containerd 1.0 and 1.1.";
            draft.short_why = plan.setting ? words_of(*plan.setting) : "fixed port of containerd 1.0 and 1.1";
        } else if (plan.state == Plan::State::random && plan.setting) {
            draft.why_this_port = cite(*plan.setting) + ": " + picked;
            draft.short_why = words_of(*plan.setting) + ": random";
        } else if (plan.state == Plan::State::random || plan.state == Plan::State::possible) {
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
          plan_(plan_of(process, rule, index)),
          own_(std::move(own)) {}

    void choose() {
        for (Listener* listener : own_)
            if (is_proven(*listener)) proven_.push_back(listener);
        for (Listener* listener : proven_) take_proven(*listener);
        if (plan_.state == Plan::State::none) return rule_out_all(plan_.says);
        if (plan_.state == Plan::State::fixed) return take_fixed();
        if (!proven_.empty())
            return rule_out_all("that is " + place_words(proven_.front()->socket->local) + ", as was observed");
        take_random();
    }

private:
    void rule_out_all(const std::string& says) {
        for (Listener* listener : own_)
            if (!is_proven(*listener)) listener->ruled_out.push_back({std::string(kRole), says});
    }

    // The role is known; settings add what they say, for or against.
    void take_proven(Listener& listener) {
        Draft draft = words_of_streaming(listener, rule_, plan_, node_);
        if (plan_.state == Plan::State::none) {
            draft.proof.contradiction = true;
            draft.evidence.push_back(evidence(Grade::inferred, "contradiction", plan_.says));
        } else if (plan_.state == Plan::State::fixed && plan_.port != listener.socket->local.port) {
            draft.proof.contradiction = true;
            draft.evidence.push_back(evidence(Grade::inferred, "contradiction",
                                              plan_.setting ? words_of(*plan_.setting) + " names another port"
                                                            : "its version has the fixed port 10010",
                                              plan_.setting ? source_of(*plan_.setting) : ""));
        } else {
            add_plan(draft);
        }
        add_behaviour(listener, draft);
        add_draft(listener.drafts, std::move(draft));
    }

    void take_fixed() {
        const bool is_there = std::any_of(own_.begin(), own_.end(),
                                          [&](const Listener* each) { return each->socket->local.port == plan_.port; });
        for (Listener* listener : own_) {
            if (is_proven(*listener)) continue;
            if (listener->socket->local.port != plan_.port) {
                std::string says = plan_.setting ? cite(*plan_.setting) : "its version has the fixed port 10010";
                if (plan_.setting && !is_there) says += ", where it does not listen: changed since it was started?";
                listener->ruled_out.push_back({std::string(kRole), std::move(says)});
                continue;
            }
            Draft draft = words_of_streaming(*listener, rule_, plan_, node_);
            draft.proof.config = plan_.setting != nullptr;
            draft.proof.behaviour = true;
            add_plan(draft);
            if (plan_.setting && !is_in_place(*listener, plan_)) {
                draft.proof.contradiction = true;
                draft.evidence.push_back(
                    evidence(Grade::decoded, "contradiction",
                             "its settings name another address than " + place_words(listener->socket->local)));
            }
            if (listener->answers_otherwise) draft.proof.contradiction = true;  // the probe's evidence says it
            add_draft(listener->drafts, std::move(draft));
        }
    }

    void take_random() {
        std::vector<Listener*> candidates;
        for (Listener* listener : own_)
            if (!is_explained(*listener) && is_in_place(*listener, plan_) && !listener->answers_otherwise)
                candidates.push_back(listener);
        // A port outside the range was not picked by the kernel; but the range may have been another when it was.
        if (std::any_of(candidates.begin(), candidates.end(),
                        [&](Listener* each) { return is_ephemeral(*each, node_); }))
            std::erase_if(candidates, [&](Listener* each) { return !is_ephemeral(*each, node_); });
        for (Listener* listener : own_)
            if (std::find(candidates.begin(), candidates.end(), listener) == candidates.end())
                listener->ruled_out.push_back({std::string(kRole), why_no_candidate(*listener)});
        std::size_t places = 0;  // SO_REUSEPORT: several sockets, one place
        for (std::size_t i = 0; i < candidates.size(); ++i)
            if (i == 0 || candidates[i]->socket->local != candidates[i - 1]->socket->local) ++places;
        for (Listener* listener : candidates) take_candidate(*listener, places);
    }

    std::string why_no_candidate(const Listener& listener) const {
        if (is_explained(listener)) return "its settings say what this port is for";
        if (listener.answers_otherwise) return "it answers the probe as no streaming server does";
        if (!is_in_place(listener, plan_))
            return plan_.place && plan_.place->address ? "it would listen on " + to_string(plan_.place->address.value())
                                                       : "it would listen on another address";
        return "its port is one that the kernel picks: " + std::to_string(node_.ephemeral_low) + "-" +
               std::to_string(node_.ephemeral_high);
    }

    void take_candidate(Listener& listener, std::size_t places) {
        Draft draft = words_of_streaming(listener, rule_, plan_, node_);
        draft.proof.behaviour = true;
        add_plan(draft);
        add_behaviour(listener, draft);
        const std::string kind = plan_.place && plan_.place->address && plan_.place->address->is_loopback()
                                     ? "loopback listener"
                                     : "listener";
        if (!is_ephemeral(listener, node_)) {
            draft.proof.contradiction = true;
            draft.evidence.push_back(
                evidence(Grade::inferred, "contradiction",
                         "the port is outside the range from which the kernel picks: somebody chose it"));
        }
        if (places > 1) {
            draft.proof.contradiction = true;
            draft.what = "if it is the streaming server: " + draft.what;
            draft.short_why += ", one of " + std::to_string(places);
            draft.title = "one of " + std::to_string(places) + " random listeners of " + name_of(process_) +
                          ", of which one is its CRI streaming server";
            draft.evidence.push_back(evidence(Grade::inferred, "contradiction",
                                              name_of(process_) + " has " + std::to_string(places) +
                                                  " such listeners; its configuration does not tell " +
                                                  (places == 2 ? "which of two is which" : "which is which") +
                                                  "; a capture or --probe does"));
        } else if (plan_.state == Plan::State::random && plan_.settings_known) {
            draft.proof.only_candidate = true;
            draft.evidence.push_back(
                evidence(Grade::inferred, "behaviour",
                         "the only " + kind + " of " + name_of(process_) + " that nothing else explains"));
        }
        add_draft(listener.drafts, std::move(draft));
    }

    void add_plan(Draft& draft) const {
        draft.proof.version |= plan_.version;
        draft.evidence.insert(draft.evidence.end(), plan_.evidence.begin(), plan_.evidence.end());
        if (plan_.tls) draft.evidence.push_back(evidence(Grade::decoded, "config", "TLS is on: " + plan_.tls_words));
    }

    void add_behaviour(const Listener& listener, Draft& draft) const {
        if (!is_ephemeral(listener, node_)) return;
        draft.evidence.push_back(evidence(Grade::decoded, "behaviour",
                                          "on " + where(listener) + ", in the range from which the kernel picks (" +
                                              std::to_string(node_.ephemeral_low) + "-" +
                                              std::to_string(node_.ephemeral_high) + ")",
                                          "/proc/sys/net/ipv4/ip_local_port_range"));
    }

    const hopscope::Process& process_;
    const StreamingRule& rule_;
    const Node& node_;
    Plan plan_;
    std::vector<Listener*> own_, proven_;
};

}  // namespace

bool has_cri(const ComponentConfig* config, std::string* says) {
    const ConfigValue* disabled = config ? config->find("disabled_plugins") : nullptr;
    if (!disabled) return true;
    const std::string_view all = plain(*disabled);
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t end = std::min(all.find_first_of(",[]\"' ", at), all.size());
        const std::string_view name = all.substr(at, end - at);
        at = end + 1;
        if (name != "cri" && name != "io.containerd.grpc.v1.cri") continue;
        if (says) *says = "the CRI plugin is off: " + cite(*disabled);
        return false;
    }
    return true;
}

void draft_streaming(std::vector<Listener>& listeners, const NodeIndex& index) {
    std::map<std::uint32_t, std::vector<Listener*>> by_process;
    for (Listener& listener : listeners)
        if (listener.socket->transport == Transport::tcp && listener.owner && streaming_rule(listener.owner->role))
            by_process[listener.owner->id.pid].push_back(&listener);
    for (auto& [pid, own] : by_process) {
        const hopscope::Process& process = *own.front()->owner;
        Chooser(process, *streaming_rule(process.role), index, own).choose();
    }
}

}  // namespace hopscope::chain
