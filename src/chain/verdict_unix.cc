// What a unix socket is: by its path, the settings that name it, and who answered there.
#include <algorithm>

#include "chain/sha256.h"
#include "chain/streaming_plan.h"
#include "chain/verdict_draft.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"

namespace hopscope::chain {
namespace {

std::string shown(std::string_view path) { return elide_middle(display(path), kShownColumns); }

bool is_same_path(const Listener& listener, std::string_view path) {
    if (path.empty()) return false;
    const std::string normal = normal_path(path);
    return normal == normal_path(listener.unix_path) || normal == normal_path(listener.socket->unix_local.path);
}

Draft draft_of(const Listener& listener, std::string role, std::string component, bool fits_owner) {
    Draft draft{.role = std::move(role), .component = std::move(component)};
    draft.proof.holder = holder_of(listener, fits_owner);
    if (listener.place == FilePlace::replaced) draft.proof.contradiction = true;
    return draft;
}

void draft_from_own_settings(Listener& listener, const NodeIndex& index) {
    if (!listener.owner) return;
    const ComponentConfig* config = index.config(*listener.owner);
    if (!config) return;
    for (const SocketKey& key : socket_keys()) {
        if (key.owner != listener.owner->role) continue;
        const ConfigValue* value = config->find(key.key);
        if (!value) continue;
        for (const ListenPlace& place : places_of(plain(*value))) {
            if (place.unix_path.empty() || !is_same_path(listener, place.unix_path + std::string(key.suffix))) continue;
            Draft draft = draft_of(listener, std::string(key.role), std::string(key.component), true);
            const bool assumed = is_assumed(*value, config);
            draft.proof.config = !assumed;
            draft.proof.behaviour = assumed;
            draft.evidence.push_back(evidence(
                assumed ? Grade::inferred : Grade::decoded, "config",
                words_of(*value) +
                    (assumed ? " would name it: assumed, for not all of its settings could be read" : " names it"),
                source_of(*value)));
            draft.short_why = words_of(*value) + (assumed             ? " (default, assumed)"
                                                  : value->is_default ? " (default)"
                                                                      : "");
            add_draft(listener.drafts, std::move(draft));
            break;
        }
    }
}

// "fd://": systemd made the listener and handed it over, and holds it as well.
void draft_activated(Listener& listener, const NodeIndex& index, Draft& draft) {
    const Socket& socket = *listener.socket;
    if (std::none_of(socket.owners.begin(), socket.owners.end(),
                     [](const SocketOwner& owner) { return owner.process.pid == 1; }))
        return;
    draft.evidence.push_back(
        evidence(Grade::decoded, "behaviour", "process 1 holds it too: socket activation by systemd"));
    if (!listener.owner) return;
    const ComponentConfig* config = index.config(*listener.owner);
    const char* key = listener.owner->role == ProcessRole::dockerd       ? "hosts"
                      : listener.owner->role == ProcessRole::cri_dockerd ? "container-runtime-endpoint"
                                                                         : nullptr;
    const ConfigValue* value = config && key ? config->find(key) : nullptr;
    if (!value || value->value.raw().find("fd://") == std::string::npos) return;
    draft.proof.config = true;
    draft.evidence.push_back(
        evidence(Grade::decoded, "config", words_of(*value) + ": systemd hands the socket over", source_of(*value)));
    draft.short_why = words_of(*value) + ", from systemd";
}

// dockerd's own sockets lie below its exec-root: what the rules call /run/docker. Null: it was not told another one.
const ConfigValue* moved_exec_root(const Listener& listener, const NodeIndex& index) {
    if (!listener.owner || listener.owner->role != ProcessRole::dockerd) return nullptr;
    const ComponentConfig* config = index.config(*listener.owner);
    const ConfigValue* value = config ? config->find("exec-root") : nullptr;
    return value && !value->is_default && !plain(*value).empty() ? value : nullptr;
}

// The path as the rules have it.
std::string usual_path(std::string_view path, const ConfigValue* exec_root) {
    std::string normal = normal_path(path);
    if (!exec_root) return normal;
    std::string root = normal_path(plain(*exec_root));
    while (root.ends_with('/')) root.pop_back();
    if (normal.size() <= root.size() || normal[root.size()] != '/' || !normal.starts_with(root)) return normal;
    return "/run/docker" + normal.substr(root.size());
}

void draft_from_rule(Listener& listener, const NodeIndex& index) {
    const ConfigValue* exec_root = moved_exec_root(listener, index);
    const std::string now = usual_path(listener.unix_path, exec_root);
    const std::string bound = usual_path(listener.socket->unix_local.path, exec_root);
    const SocketRule* found = nullptr;
    for (const SocketRule& rule : socket_rules()) {
        if (!fits(rule.path, now) && !fits(rule.path, bound)) continue;
        const bool owner_fits =
            rule.owner != ProcessRole::unknown && listener.owner && rule.owner == listener.owner->role;
        if (!found) found = &rule;
        // The first path that fits tells, unless a later one names the same path for this very owner.
        if (owner_fits) {
            found = &rule;
            break;
        }
    }
    if (!found) return;
    const bool third_party = found->owner == ProcessRole::unknown;
    const bool owner_fits = listener.owner && found->owner == listener.owner->role;
    Draft draft = draft_of(listener, std::string(found->role), std::string(found->component), owner_fits);
    if (third_party) draft.proof.holder = std::min(holder_of(listener, true), Holder::named);
    draft.proof.behaviour = true;
    draft.evidence.push_back(evidence(Grade::inferred, "behaviour",
                                      third_party ? "only its path says so: nothing was read that proves it"
                                                  : "this is where " + std::string(found->component) + " has it"));
    if (!third_party && listener.owner && !owner_fits && listener.owner->id.pid != 1) {
        draft.proof.contradiction = true;
        draft.evidence.push_back(evidence(Grade::decoded, "contradiction",
                                          name_of(*listener.owner) + " is no " + std::string(to_string(found->owner))));
    }
    if (owner_fits && !listener.owner->version.empty()) {
        draft.proof.version = true;
        draft.evidence.push_back(
            evidence(Grade::decoded, "version", version_words(*listener.owner) + " has this socket"));
    }
    draft.short_why = third_party ? "known by its path only" : "its usual path";
    if (exec_root && bound != normal_path(listener.socket->unix_local.path)) {
        draft.proof.config = true;
        draft.evidence.push_back(evidence(Grade::decoded, "config", words_of(*exec_root), source_of(*exec_root)));
        draft.short_why = words_of(*exec_root);
    }
    draft.what = std::string(found->what);
    if (!draft.what.empty()) draft.what += found->protocol.empty() ? "." : ". " + std::string(found->protocol) + ".";
    draft_activated(listener, index, draft);
    add_draft(listener.drafts, std::move(draft));
}

// containerd names a shim's socket by what it is for (1.3.10 and later, SocketAddress): the shim's own arguments hold
// the same words.
// Whole, so that it can be checked: a socket's path of at most 107 bytes, a namespace, an id of 64.
constexpr std::size_t kDigestedColumns = 256;

void draft_from_shim_name(Listener& listener) {
    if (!listener.owner || listener.owner->role != ProcessRole::containerd_shim) return;
    const std::string_view name = base_name(listener.socket->unix_local.path);
    const std::string_view id = argument_of(*listener.owner, "id");
    const std::string_view address = argument_of(*listener.owner, "address");
    if (name.size() != 64 || id.empty() || address.empty()) return;
    const std::string words =
        std::string(address) + "/" + std::string(argument_of(*listener.owner, "namespace")) + "/" + std::string(id);
    if (name != sha256_hex(words)) return;
    Draft draft = draft_of(listener, "shim-socket", "containerd-shim", true);
    draft.proof.config = true;
    draft.evidence.push_back(evidence(
        Grade::decoded, "config",
        "its name is the SHA-256 of what the shim's arguments say: " + elide_middle(display(words), kDigestedColumns),
        cmdline_path(*listener.owner)));
    draft.short_why = "shim of " + display(id.substr(0, 12));
    add_draft(listener.drafts, std::move(draft));
}

// Others are told to use it: the kubelet its runtime, a shim of Docker its daemon.
void draft_from_others(Listener& listener, const NodeIndex& index) {
    struct Use {
        ProcessRole user;
        std::string_view key, role;
    };
    static constexpr Use kUses[] = {{ProcessRole::kubelet, "containerRuntimeEndpoint", "cri-socket"},
                                    {ProcessRole::kubelet, "docker-endpoint", "docker-api"},
                                    {ProcessRole::cri_dockerd, "docker-endpoint", "docker-api"},
                                    {ProcessRole::dockerd, "containerd", "containerd-api"}};
    for (Draft& draft : listener.drafts) {
        for (const ComponentConfig& config : index.node().configs) {
            for (const Use& use : kUses) {
                // A kubelet that is told to use what has no CRI: it is worth telling, and proves nothing.
                const bool in_vain = use.role == "cri-socket" && draft.role == "containerd-api";
                if (use.user != config.role || (use.role != draft.role && !in_vain)) continue;
                const ConfigValue* value = config.find(use.key);
                if (!value || !is_same_path(listener, plain(*value))) continue;
                const bool assumed = is_assumed(*value, &config);
                draft.proof.config |= !in_vain && !assumed;
                draft.evidence.push_back(
                    evidence(assumed ? Grade::inferred : Grade::decoded, "config",
                             std::string(to_string(config.role)) + "[" + std::to_string(config.process.pid) +
                                 (assumed ? "] would use it by default, as is assumed" : "] is told to use it") +
                                 (in_vain ? " as its CRI runtime, which it is not" : "") + ": " + words_of(*value),
                             source_of(*value)));
            }
        }
        if (draft.role != "cri-socket" && draft.role != "docker-api") continue;
        for (const RuntimeFacts& runtime : index.node().runtimes) {
            if (!runtime.answered || !index.is_asked(*listener.socket, runtime)) continue;
            const bool docker = runtime.component == "docker";
            if (docker != (draft.role == "docker-api")) continue;
            draft.proof.cri = true;
            std::string says =
                "it answered as " + display(runtime.name.empty() ? runtime.component : runtime.name.raw());
            if (!runtime.version.empty()) says += " " + display(runtime.version);
            if (!runtime.api_version.empty()) says += docker ? " (API " : " (CRI ";
            if (!runtime.api_version.empty()) says += display(runtime.api_version) + ")";
            draft.evidence.push_back(
                evidence(Grade::decoded, "cri", std::move(says), shown(runtime.socket_path.raw())));
        }
    }
}

// The same socket of a containerd without the CRI plugin is for its own API only.
void turn_off_cri(Listener& listener, const NodeIndex& index) {
    const RuntimeFacts* denied = nullptr;
    for (const RuntimeFacts& runtime : index.node().runtimes)
        if (runtime.has_no_cri && index.is_asked(*listener.socket, runtime)) denied = &runtime;
    std::string says;
    const bool of_containerd = listener.owner && listener.owner->role == ProcessRole::containerd;
    if (!denied && (!of_containerd || has_cri(index.config(*listener.owner), &says))) return;
    if (says.empty()) says = "it was asked and answered that it has no CRI service";
    for (Draft& draft : listener.drafts) {
        if (draft.role != "cri-socket" || draft.proof.cri) continue;
        if (denied)
            draft.evidence.push_back(evidence(Grade::decoded, of_containerd ? "cri" : "contradiction",
                                              "it was asked and answered that it has no CRI service",
                                              shown(denied->socket_path.raw())));
        if (denied && !of_containerd) {
            draft.proof.contradiction = true;
            continue;
        }
        draft.role = "containerd-api";
        draft.title = "containerd's API, without CRI";
        draft.what = "The runtime's own API; it has no CRI, so no kubelet can use it.";
        if (denied)
            draft.remedy =
                "if a kubelet is to use it: ctr plugins ls tells whether the CRI plugin is off "
                "(disabled_plugins) or failed to start, and containerd's log why";
        listener.ruled_out.push_back({"cri-socket", says});
    }
    std::vector<Draft> drafts;
    for (Draft& draft : listener.drafts) add_draft(drafts, std::move(draft));
    listener.drafts = std::move(drafts);
}

}  // namespace

void draft_from_path(Listener& listener, const NodeIndex& index) {
    draft_from_own_settings(listener, index);
    draft_from_shim_name(listener);
    draft_from_rule(listener, index);
    turn_off_cri(listener, index);
    draft_from_others(listener, index);
}

}  // namespace hopscope::chain
