// Roles that a setting or a port number tells, and the fingerprint of a probe.
#include <algorithm>
#include <charconv>

#include "chain/verdict_draft.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"

namespace hopscope::chain {
namespace {

const char* off_words(const ConfigValue& value) { return value.is_default ? "off by default" : "off"; }

// The places that a rule's setting names: a number with an address beside it, or addresses with ports.
std::vector<ListenPlace> places_of_rule(const TcpRule& rule, const ComponentConfig* config, const ConfigValue& value) {
    if (const auto number = number_of(value)) {
        ListenPlace place;
        place.port = *number;
        const ConfigValue* address = config->find(rule.address_key);
        if (address) {
            place.address = IpAddress::parse(plain(*address));
            place.named_host = !place.address && !plain(*address).empty();
        } else {
            place.named_host = true;  // nothing is known of the address
        }
        return {place};
    }
    return places_of(plain(value));
}

struct Match {
    const ListenPlace* place = nullptr;
    bool address_fits = false;
};
Match match(const std::vector<ListenPlace>& places, const Endpoint& local) {
    Match best;
    for (const ListenPlace& place : places) {
        if (!same_port(place, local)) continue;
        const bool fits_address = same_address(place, local.address);
        if (!best.place || fits_address) best = {&place, fits_address};
    }
    return best;
}

// Port 0 at this address: it may be any that the kernel picks.
bool is_picked(const std::vector<ListenPlace>& places, const Endpoint& local, const Node& node) {
    return local.port >= node.ephemeral_low && local.port <= node.ephemeral_high &&
           std::any_of(places.begin(), places.end(), [&](const ListenPlace& place) {
               return place.port == 0 && place.unix_path.empty() && !place.named_host && place.address &&
                      same_address(place, local.address);
           });
}

void weigh(const TcpRule& rule, Listener& listener, const ComponentConfig* config, const Node& node) {
    const hopscope::Process& owner = *listener.owner;
    const Endpoint& local = listener.socket->local;
    const std::string role(rule.role);
    const auto rule_out = [&](std::string says) { listener.ruled_out.push_back({role, std::move(says)}); };
    const auto version = release_of(owner.version);
    if (rule.until != Release{} && version && *version >= rule.until) {
        rule_out("removed in " + std::to_string(rule.until.major) + "." + std::to_string(rule.until.minor) +
                 ", this is " + version_words(owner));
        return;
    }
    Draft draft{.role = role,
                .component = std::string(rule.component.empty() ? to_string(owner.role) : rule.component)};
    draft.proof.holder = holder_of(listener, true);
    const ConfigValue* value = config ? config->find(rule.key) : nullptr;
    if (!value) {
        if (rule.default_port == 0) {
            if (config && config->trouble.empty() && rule.until == Release{} && rule.key != "https-listen-port")
                rule_out(std::string(rule.key) + " is not set");
            return;
        }
        if (rule.default_port != local.port) {
            // Where the settings are known and name no such port, there is none.
            rule_out(config && config->trouble.empty()
                         ? std::string(rule.key) + " is not set"
                         : "it would be on " + std::to_string(rule.default_port) + " by default");
            return;
        }
        draft.proof.behaviour = true;
        draft.evidence.push_back(evidence(Grade::inferred, "behaviour",
                                          std::to_string(local.port) + " is where " +
                                              std::string(to_string(owner.role)) +
                                              " serves it by default; no setting is known that says so"));
        if (version) {
            draft.proof.version = true;
            draft.evidence.push_back(evidence(Grade::decoded, "version", version_words(owner) + " has this port"));
        }
        draft.short_why = "port " + std::to_string(local.port) + " by default";
        draft.why_this_port = "it is the default; no setting is known that says so.";
        add_draft(listener.drafts, std::move(draft));
        return;
    }
    if (!rule.enabled_key.empty()) {
        const ConfigValue* enabled = config->find(rule.enabled_key);
        if (enabled && !is_true(*enabled)) {
            rule_out(cite(*enabled) + ": " + off_words(*enabled));
            return;
        }
    }
    const std::vector<ListenPlace> places = places_of_rule(rule, config, *value);
    const Match found = match(places, local);
    if (!found.place && is_picked(places, local, node)) {
        draft.proof.behaviour = true;
        draft.evidence.push_back(evidence(Grade::decoded, "config",
                                          words_of(*value) + ": the kernel picks a new port at every start",
                                          source_of(*value)));
        draft.evidence.push_back(evidence(Grade::inferred, "behaviour", "nothing else explains this port"));
        draft.short_why = words_of(*value) + ": random";
        draft.why_this_port = cite(*value) + ": the kernel picks a free port.";
        listener.fallbacks.push_back(std::move(draft));
        return;
    }
    if (!found.place) {
        const bool off = plain(*value).empty() || plain(*value) == "0";
        rule_out(cite(*value) + (off ? std::string(": ") + off_words(*value) : ""));
        return;
    }
    draft.proof.config = true;
    draft.evidence.push_back(
        evidence(Grade::decoded, "config", words_of(*value) + " names this port", source_of(*value)));
    if (!found.address_fits) {
        draft.proof.contradiction = true;
        draft.evidence.push_back(
            evidence(Grade::decoded, "contradiction",
                     "its settings name another address than " + place_words(local) + ": changed since it was started?",
                     source_of(*value)));
    }
    draft.short_why = words_of(*value) + (value->is_default ? " (default)" : "");
    draft.why_this_port = cite(*value) + " names it.";
    draft.tls = found.place->scheme == "https";
    add_draft(listener.drafts, std::move(draft));
}

bool is_named(const hopscope::Process& process, std::string_view name) {
    if (name.empty()) return false;
    // The kernel keeps 15 bytes of a name.
    return process.comm == name.substr(0, 15) || base_name(process.exe.raw()) == name;
}

// docker-proxy is started for one published port, and its arguments say which.
void draft_docker_proxy(Listener& listener) {
    const hopscope::Process& owner = *listener.owner;
    std::uint16_t port = 0;
    const std::string_view text = argument_of(owner, "host-port");
    std::from_chars(text.data(), text.data() + text.size(), port);
    Draft draft{.role = "published-port", .component = "docker-proxy"};
    draft.proof.holder = holder_of(listener, true);
    draft.proof.behaviour = true;
    if (port != 0 && port == listener.socket->local.port) {
        draft.proof.config = true;
        const std::string to = elide_end(display(argument_of(owner, "container-ip")), 45) + ":" +
                               elide_end(display(argument_of(owner, "container-port")), 5);
        draft.evidence.push_back(evidence(
            Grade::decoded, "config", "its arguments name this port and the container's " + to, cmdline_path(owner)));
        draft.short_why = "published port, to " + to;
        draft.why_this_port = "a container publishes it: docker-proxy passes it on to " + to + ".";
    }
    add_draft(listener.drafts, std::move(draft));
}

const ProbeAnswer::Line* find_line(const ProbeAnswer& answer, std::string_view request) {
    for (const ProbeAnswer::Line& line : answer.lines)
        if (line.request == request) return &line;
    return nullptr;
}

bool allows_get_and_post(const Untrusted& allow) {
    const std::string& text = allow.raw();
    return text.find("GET") != std::string::npos && text.find("POST") != std::string::npos;
}

// All three answers together are the fingerprint (PROTOCOLS F.1).
bool is_streaming(const ProbeAnswer& answer, const std::string& prefix) {
    const auto* put = find_line(answer, "PUT " + prefix + "/exec/x");
    const auto* root = find_line(answer, "GET /");
    const auto* get = find_line(answer, "GET " + prefix + "/exec/x");
    return put && root && get && put->status == 405 && allows_get_and_post(put->allow) &&
           put->body.raw().starts_with("405: Method Not Allowed") && root->status == 404 &&
           root->body.raw().starts_with("404: Page Not Found") && get->status == 404 && get->nosniff &&
           get->body.raw().starts_with("404 page not found");
}

// What came back where no fingerprint fits: also that is worth telling.
void take_other_answer(Listener& listener, const ProbeAnswer& answer) {
    if (answer.lines.empty()) {
        listener.probed = answer.tls ? evidence(Grade::seen, "probe", "it speaks TLS: nothing more was asked")
                                     : evidence(Grade::inferred, "probe", answer.trouble);
        return;
    }
    std::string says;
    for (const ProbeAnswer::Line& line : answer.lines)
        says += (says.empty() ? "" : "; ") + line.request + ": " + std::to_string(line.status);
    // The router of a streaming server answers 405 to PUT on its own paths, whatever its version.
    const auto* plain = find_line(answer, "PUT /exec/x");
    const auto* below = find_line(answer, "PUT /cri/exec/x");
    listener.answers_otherwise = plain && below && plain->status != 405 && below->status != 405;
    says += listener.answers_otherwise ? ": no CRI streaming server answers so"
                                       : ": not quite as a CRI streaming server answers";
    listener.probed = evidence(Grade::decoded, "probe", std::move(says));
}

}  // namespace

void draft_from_settings(Listener& listener, const NodeIndex& index) {
    if (!listener.owner) return;
    const ComponentConfig* config = index.config(*listener.owner);
    for (const TcpRule& rule : tcp_rules())
        if (rule.owner == listener.owner->role) weigh(rule, listener, config, index.node());
}

void draft_from_number(Listener& listener) {
    const Socket& socket = *listener.socket;
    if (listener.owner && listener.owner->role == ProcessRole::docker_proxy) draft_docker_proxy(listener);
    const bool kernel = !listener.owner && socket.owners.empty();
    for (const NumberRule& rule : number_rules()) {
        if (rule.transport != socket.transport || socket.local.port < rule.first || socket.local.port > rule.last)
            continue;
        const bool by_kernel = rule.names.front().empty();
        const bool named =
            listener.owner && std::any_of(rule.names.begin(), rule.names.end(),
                                          [&](std::string_view name) { return is_named(*listener.owner, name); });
        if (by_kernel ? !kernel : !named) continue;
        Draft draft{.role = std::string(rule.role), .component = std::string(rule.component)};
        draft.proof.holder = by_kernel ? Holder::invisible : std::min(holder_of(listener, true), Holder::named);
        draft.proof.behaviour = true;
        const bool told = std::any_of(listener.drafts.begin(), listener.drafts.end(), [&](const Draft& other) {
            return other.role == rule.role && other.proof.config;
        });
        if (!told)
            draft.evidence.push_back(evidence(
                Grade::inferred, "behaviour",
                by_kernel ? "only the port number says so: the kernel's own sockets have no owner"
                          : "only the port number and the program's name say so: nothing was read that proves it"));
        draft.short_why = by_kernel ? "known by its number only" : "known by number and name only";
        draft.what = std::string(rule.what) + ".";
        draft.why_this_port = std::to_string(socket.local.port) + " is the usual number.";
        add_draft(listener.drafts, std::move(draft));
    }
    if (listener.owner) return;
    // Whose it is cannot be seen; the number alone is a hint and no more.
    for (const TcpRule& rule : tcp_rules()) {
        if (socket.transport != Transport::tcp || rule.default_port == 0 || rule.default_port != socket.local.port)
            continue;
        Draft draft{.role = std::string(rule.role), .component = std::string(to_string(rule.owner))};
        draft.evidence.push_back(
            evidence(Grade::inferred, "behaviour",
                     "only the port number says so: it is " + std::string(to_string(rule.owner)) + "'s by default"));
        draft.short_why = "known by its number only";
        add_draft(listener.drafts, std::move(draft));
    }
}

void draft_from_probe(Listener& listener, const NodeIndex& index) {
    for (const ProbeAnswer& answer : index.node().probes) {
        if (answer.endpoint != listener.socket->local || !listener.in_host_namespace) continue;
        if (!is_streaming(answer, "") && !is_streaming(answer, "/cri")) take_other_answer(listener, answer);
        for (const std::string& prefix : {std::string(), std::string("/cri")}) {
            if (!is_streaming(answer, prefix)) continue;
            const StreamingRule* rule = listener.owner ? streaming_rule(listener.owner->role) : nullptr;
            Draft draft{.role = "cri-streaming-server", .component = std::string(rule ? rule->component : "")};
            draft.proof.holder = holder_of(listener, rule != nullptr);
            draft.proof.probe = true;
            draft.tls = answer.tls;
            draft.evidence.push_back(evidence(Grade::decoded, "probe",
                                              "PUT " + prefix + "/exec/x: 405 with Allow: GET, POST; GET /: 404; GET " +
                                                  prefix +
                                                  "/exec/x: 404 with nosniff: so answers a CRI streaming server"));
            add_draft(listener.drafts, std::move(draft));
        }
    }
}

}  // namespace hopscope::chain
