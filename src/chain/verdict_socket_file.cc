// Where the file of a unix socket lies, and what that means for those who look for it.
#include <algorithm>

#include "chain/verdict_parts.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"

namespace hopscope::chain {
namespace {

std::string shown(std::string_view path) { return elide_middle(display(path), kShownColumns); }

bool is_path(std::string_view a, std::string_view b) { return normal_path(a) == normal_path(b); }

const BoundPath* bound_path_of(const Socket& socket, const Node& node) {
    for (const BoundPath& bound : node.bound_paths)
        if (bound.inode == socket.inode) return &bound;
    return nullptr;
}

// Who listens on the file that lies at this path; "somebody else" where that is not known.
std::string holder_at(std::string_view path, const NodeIndex& index) {
    for (const SocketFile& file : index.node().socket_files) {
        if (!is_path(file.path.raw(), path) || file.inode == 0) continue;
        for (const Socket* socket : index.listeners())
            if (is_unix(socket->transport) && socket->file_inode == file.inode && socket->file_device == file.device)
                if (const hopscope::Process* owner = index.main_owner(*socket)) return name_of(*owner);
    }
    return "somebody else";
}

// A component is told to listen at this path, or to connect to it.
bool is_named(std::string_view path, const NodeIndex& index) {
    static constexpr std::string_view kOfClients[] = {"containerRuntimeEndpoint", "docker-endpoint", "containerd"};
    for (const ComponentConfig& config : index.node().configs) {
        for (const std::string_view key : kOfClients)
            if (const ConfigValue* value = config.find(key); value && is_path(plain(*value), path)) return true;
        for (const SocketKey& key : socket_keys()) {
            const ConfigValue* value = key.owner == config.role ? config.find(key.key) : nullptr;
            if (!value) continue;
            for (const ListenPlace& place : places_of(plain(*value)))
                if (!place.unix_path.empty() && is_path(place.unix_path + std::string(key.suffix), path)) return true;
        }
    }
    return false;
}

enum class Expected : std::uint8_t { not_at_all, by_its_name, by_its_place };
// How much speaks for clients that look for a component's socket at this path.
Expected expected_at(std::string_view path, const NodeIndex& index) {
    if (is_named(path, index)) return Expected::by_its_place;
    Expected expected = Expected::not_at_all;
    for (const SocketRule& rule : socket_rules()) {
        if (rule.owner == ProcessRole::unknown || !fits(rule.path, normal_path(path))) continue;
        const bool exact = rule.path.find('*') == std::string_view::npos;
        expected = std::max(expected, exact ? Expected::by_its_place : Expected::by_its_name);
    }
    return expected;
}

void tell_missing(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings) {
    const std::string& bound = listener.socket->unix_local.path;
    const bool moved = listener.place == FilePlace::moved;
    // Some are bound under another name on purpose, and renamed when they are ready.
    if (moved && expected_at(listener.unix_path, index) >= expected_at(bound, index)) return;
    const BoundPath* state = bound_path_of(*listener.socket, index.node());
    const bool other = listener.place == FilePlace::replaced || (state && state->state == BoundPath::State::other_file);
    const std::string holder = other ? holder_at(bound, index) : "";
    const std::string name = name_of(*listener.owner), old = shown(bound);
    const std::string who_dials = other ? "who dials that path reaches " + holder : "who dials that path fails";
    const std::string there =
        other ? "the file at " + old + " is another one's (" + holder + ")" : "no file lies at " + old + " any more";
    std::string says = there + ", where " + name + " listens: ";
    std::string remedy = "restart " + name + ", which makes its file anew";
    if (moved) {
        const std::string now = shown(listener.unix_path);
        verdict.title += ", moved away from " + old;
        says = name + "'s socket was bound as " + old + " and lies at " + now + " now; " + there + ": ";
        if (!other) remedy = "mv " + now + " " + old + ", or restart " + name;
    } else {
        verdict.title += other ? ", whose file was replaced" : ", whose file is gone";
        verdict.who_can_reach = "nobody anew: " + there + ". Connections that are open go on.";
    }
    if (other) remedy = "look at what " + holder + " is; then restart " + name + ", which makes its file anew";
    says += who_dials + ", connections that are open go on";
    add_finding(verdict, "PRT-12", Severity::error, std::move(says), std::move(remedy), index.node().table.at,
                findings);
}

}  // namespace

// Paths name different files in different mount namespaces, and files are renamed: device and inode tell, the text of
// the path only where they are missing.
void find_file(Listener& listener, const NodeIndex& index) {
    const Socket& socket = *listener.socket;
    const std::string& bound = socket.unix_local.path;
    listener.unix_path = bound;
    if (bound.starts_with('@') || bound.empty()) return;
    const bool numbered = socket.file_inode != 0 || socket.file_device != 0;
    const SocketFile* same = nullptr;
    const SocketFile* at_path = nullptr;
    for (const SocketFile& file : index.node().socket_files) {
        const bool path_fits = is_path(file.path.raw(), bound);
        if (path_fits) at_path = &file;
        if (!numbered || file.inode != socket.file_inode || file.device != socket.file_device) continue;
        if (!same || path_fits || (!is_path(same->path.raw(), bound) && file.path < same->path)) same = &file;
    }
    const auto tell = [&](Grade grade, const char* id, std::string says, std::string_view source) {
        listener.file_evidence.push_back(evidence(grade, id, std::move(says), shown(source)));
    };
    const BoundPath* known = bound_path_of(socket, index.node());
    const auto is = [&](BoundPath::State state) { return known && known->state == state; };
    if (same) {
        if (same->access) listener.access = &*same->access;
        if (is_path(same->path.raw(), bound)) {
            listener.place = FilePlace::here;
            return tell(Grade::decoded, "owner",
                        "the file at " + shown(bound) + " is this socket's: device and inode are equal",
                        same->path.raw());
        }
        listener.unix_path = same->path.raw();
        if (is(BoundPath::State::nothing) || is(BoundPath::State::other_file)) listener.place = FilePlace::moved;
        return tell(Grade::decoded, "owner",
                    "was bound as " + shown(bound) + " and lies at " + shown(same->path.raw()) +
                        " now: device and inode are equal" +
                        (is(BoundPath::State::nothing)      ? "; nothing lies at the old path"
                         : is(BoundPath::State::other_file) ? "; another file lies at the old path"
                                                            : ""),
                    same->path.raw());
    }
    if (is(BoundPath::State::own_mounts)) {
        listener.place = FilePlace::own_mounts;
        return tell(Grade::decoded, "owner",
                    "its process sees its file at " + shown(bound) + ", in a mount namespace of its own", "");
    }
    if (is(BoundPath::State::nothing)) {
        listener.place = FilePlace::gone;
        return tell(Grade::decoded, "owner", "no file lies at " + shown(bound) + " any more: it was deleted, or moved",
                    bound);
    }
    if (is(BoundPath::State::other_file) || (at_path && numbered && (at_path->inode != 0 || at_path->device != 0))) {
        listener.place = FilePlace::replaced;
        return tell(Grade::decoded, "contradiction",
                    "the file at " + shown(bound) + " is another socket's: this one was replaced" +
                        (known ? "" : ", or belongs to another mount namespace"),
                    bound);
    }
    if (at_path)
        tell(Grade::inferred, "owner", "told by the text of its path only: the file's numbers are not known", bound);
}

bool is_usurped(const Draft& draft, const Listener& listener, const NodeIndex& index) {
    if (!is_unix(listener.socket->transport) || draft.proof.holder != Holder::stranger) return false;
    if (listener.place != FilePlace::here && listener.place != FilePlace::unknown) return false;
    if (!listener.owner || listener.owner->id.pid == 1 || is_component(listener.owner->role)) return false;
    return expected_at(listener.unix_path, index) == Expected::by_its_place;
}

void tell_place(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings) {
    if (!listener.owner) return;
    const bool away = listener.place == FilePlace::moved || listener.place == FilePlace::gone ||
                      (listener.place == FilePlace::replaced && bound_path_of(*listener.socket, index.node()));
    if (away && is_component(listener.owner->role) && verdict.role != "unknown") {
        if (listener.place == FilePlace::moved) verdict.bound_path = listener.socket->unix_local.path;
        tell_missing(verdict, listener, index, findings);
    }
    const Draft* best = best_draft(listener.drafts);
    if (!best || !is_usurped(*best, listener, index)) return;
    const std::string name = name_of(*listener.owner), path = shown(listener.unix_path);
    const RoleText* text = role_text(best->role);
    const std::string whose = best->component + "'s " + std::string(text ? text->noun : best->role);
    if (verdict.role == "unknown") {
        verdict.title = "a socket of " + name + " where " + whose + " belongs";
        verdict.short_why = "not " + best->component;
    }
    add_finding(verdict, "PRT-13", Severity::error,
                name + " listens at " + path + ", where " + whose + " belongs, and is no " + best->component +
                    ": who dials it talks to " + name,
                "look at what it is: ls -l /proc/" + std::to_string(listener.owner->id.pid) +
                    "/exe; a restart of the runtime makes its own file anew",
                index.node().table.at, findings);
}

}  // namespace hopscope::chain
