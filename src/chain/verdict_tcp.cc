// Roles that a setting or a port number tells.
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

// Port 0 at this address: it may be any that the kernel picks. Without an address, or with a name for one, only where 0
// is written: a place may have no port at all.
bool is_picked(const std::vector<ListenPlace>& places, std::string_view text, const Endpoint& local, const Node& node) {
    const bool written = text.ends_with(":0");
    return is_ephemeral(local, node) && std::any_of(places.begin(), places.end(), [&](const ListenPlace& place) {
               return place.port == 0 && place.unix_path.empty() && (written || (place.address && !place.named_host)) &&
                      same_address(place, local.address);
           });
}

// One rule against one listener of the component that it is about.
class Weighing {
public:
    Weighing(const TcpRule& rule, Listener& listener, const ComponentConfig* config, const Node& node)
        : rule_(rule),
          listener_(listener),
          owner_(*listener.owner),
          local_(listener.socket->local),
          config_(config),
          node_(node),
          version_(release_of(owner_.version)),
          draft_{.role = std::string(rule.role),
                 .component = std::string(rule.component.empty() ? to_string(owner_.role) : rule.component)} {
        draft_.proof.holder = holder_of(listener, true);
    }

    void weigh() && {
        if (rule_.until != Release{} && version_ && *version_ >= rule_.until)
            return rule_out("removed in " + std::to_string(rule_.until.major) + "." +
                            std::to_string(rule_.until.minor) + ", this is " + version_words(owner_));
        const ConfigValue* value = config_ ? config_->find(rule_.key) : nullptr;
        if (!value) return weigh_default();
        const ConfigValue* enabled = rule_.enabled_key.empty() ? nullptr : config_->find(rule_.enabled_key);
        if (enabled && !is_true(*enabled) && is_assumed(*enabled, config_)) return weigh_unread();
        if (enabled && !is_true(*enabled)) return rule_out(cite(*enabled) + ": " + off_words(*enabled));
        weigh_setting(*value);
    }

private:
    void rule_out(std::string says) { listener_.ruled_out.push_back({std::string(rule_.role), std::move(says)}); }

    void weigh_default() {
        const bool is_known = config_ && config_->trouble.empty();  // all of its settings: what is not there is not set
        const std::string not_set = std::string(rule_.key) + " is not set";
        if (rule_.default_port == 0) {
            if (is_known && rule_.until == Release{} && rule_.key != "https-listen-port") rule_out(not_set);
            return;
        }
        const std::string port = std::to_string(rule_.default_port);
        if (rule_.default_port != local_.port)
            return rule_out(is_known ? not_set : "it would be on " + port + " by default");
        draft_.proof.behaviour = true;
        tell(Grade::inferred, "behaviour",
             port + " is where " + std::string(to_string(owner_.role)) +
                 " serves it by default; no setting is known that says so");
        if (version_) {
            draft_.proof.version = true;
            tell(Grade::decoded, "version", version_words(owner_) + " has this port");
        }
        draft_.short_why = "port " + port + " by default";
        draft_.why_this_port = "it is the default; no setting is known that says so.";
        add_draft(listener_.drafts, std::move(draft_));
    }

    // Whether and where it listens could not be read: its usual number tells something, another number nothing.
    void weigh_unread() {
        if (rule_.default_port != 0 && rule_.default_port == local_.port) weigh_default();
    }

    void weigh_setting(const ConfigValue& value) {
        const std::vector<ListenPlace> places = places_of_rule(rule_, config_, value);
        const Match found = match(places, local_);
        // A bare 0 means off; CRI-O alone listens on any port then.
        const bool off = plain(value).empty() || (plain(value) == "0" && owner_.role != ProcessRole::crio);
        if (!found.place && !off && is_picked(places, plain(value), local_, node_)) return fall_back(value);
        const bool assumed = is_assumed(value, config_);
        if (!found.place && assumed) return weigh_unread();
        if (!found.place) {
            return rule_out(cite(value) + (off ? std::string(": ") + off_words(value) : ""));
        }
        if (assumed) {
            draft_.proof.behaviour = true;
            draft_.proof.version = version_.has_value();
            tell(Grade::inferred, "config",
                 words_of(value) + " would name this port: assumed, for not all of its settings could be read",
                 source_of(value));
            if (version_) tell(Grade::decoded, "version", version_words(owner_) + " has this port by default");
        } else {
            draft_.proof.config = true;
            tell(Grade::decoded, "config", words_of(value) + " names this port", source_of(value));
        }
        const ConfigValue* address = rule_.address_key.empty() ? nullptr : config_->find(rule_.address_key);
        if (!found.address_fits && !assumed && !(address && is_assumed(*address, config_))) {
            draft_.proof.contradiction = true;
            tell(Grade::decoded, "contradiction",
                 "its settings name another address than " + listening_place(*listener_.socket) +
                     ": changed since it was started?",
                 source_of(value));
        }
        draft_.short_why = words_of(value) + (assumed ? " (default, assumed)" : value.is_default ? " (default)" : "");
        draft_.why_this_port = cite(value, config_) + (assumed ? " would name it." : " names it.");
        draft_.tls = found.place->scheme == "https";
        add_draft(listener_.drafts, std::move(draft_));
    }

    // The setting leaves the port to the kernel: it may be this one.
    void fall_back(const ConfigValue& value) {
        draft_.proof.behaviour = true;
        const bool assumed = is_assumed(value, config_);
        tell(assumed ? Grade::inferred : Grade::decoded, "config",
             words_of(value) + ": the kernel picks a new port at every start" +
                 (assumed ? "; assumed, for not all of its settings could be read" : ""),
             source_of(value));
        tell(Grade::inferred, "behaviour", "nothing else explains this port");
        draft_.short_why = words_of(value) + ": random" + (assumed ? " (assumed)" : "");
        draft_.why_this_port = cite(value, config_) + ": the kernel picks a free port.";
        draft_.cited = cite(value);
        listener_.fallbacks.push_back(std::move(draft_));
    }

    void tell(Grade grade, const char* id, std::string says, std::string source = {}) {
        draft_.evidence.push_back(evidence(grade, id, std::move(says), std::move(source)));
    }

    const TcpRule& rule_;
    Listener& listener_;
    const hopscope::Process& owner_;
    const Endpoint& local_;
    const ComponentConfig* config_;
    const Node& node_;
    std::optional<Release> version_;
    Draft draft_;
};

// One of these words is its name. The kernel keeps 15 bytes of a name.
bool has_name_of(const hopscope::Process& process, std::string_view names) {
    constexpr std::size_t kCommBytes = 15;
    while (!names.empty()) {
        const std::string_view name = names.substr(0, names.find(' '));
        if (process.comm == name.substr(0, kCommBytes) || base_name(process.exe.raw()) == name) return true;
        names.remove_prefix(std::min(names.size(), name.size() + 1));
    }
    return false;
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

}  // namespace

void draft_from_settings(Listener& listener, const NodeIndex& index) {
    if (!listener.owner) return;
    const ComponentConfig* config = index.config(*listener.owner);
    for (const TcpRule& rule : tcp_rules())
        if (rule.owner == listener.owner->role) Weighing(rule, listener, config, index.node()).weigh();
}

void draft_from_number(Listener& listener) {
    const Socket& socket = *listener.socket;
    if (listener.owner && listener.owner->role == ProcessRole::docker_proxy) draft_docker_proxy(listener);
    const bool kernel = !listener.owner && socket.owners.empty();
    for (const NumberRule& rule : number_rules()) {
        if (rule.transport != socket.transport || socket.local.port < rule.first || socket.local.port > rule.last)
            continue;
        const bool by_kernel = rule.names.empty();
        const bool named = listener.owner && has_name_of(*listener.owner, rule.names);
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

}  // namespace hopscope::chain
