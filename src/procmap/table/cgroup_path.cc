#include "procmap/table/cgroup_path.h"

#include <algorithm>
#include <array>
#include <optional>

namespace hopscope::procmap {
namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::array<std::string_view, 6> kRuntimePrefixes{"cri-containerd-", "crio-",    "docker-",
                                                           "libpod-",         "nerdctl-", "containerd-"};
constexpr std::array<std::string_view, 2> kMonitorPrefixes{"crio-conmon-", "libpod-conmon-"};

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool all_hex(std::string_view text) { return std::all_of(text.begin(), text.end(), is_hex); }

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (text.substr(0, prefix.size()) != prefix) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (text.size() < suffix.size() || text.substr(text.size() - suffix.size()) != suffix) return false;
    text.remove_suffix(suffix.size());
    return true;
}

// 8-4-4-4-12 with '-', or with '_' as systemd's names have it.
bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool separator = i == 8 || i == 13 || i == 18 || i == 23;
        if (separator ? text[i] != '-' && text[i] != '_' : !is_hex(text[i])) return false;
    }
    return true;
}

bool is_static_uid(std::string_view text) { return text.size() == 32 && all_hex(text); }

// "podUID", "kubepods-burstable-podUID.slice", and "kubepods-burstable-podUID.slice:cri-containerd:ID" up to its colon.
std::optional<std::string> pod_of(std::string_view name) {
    name = name.substr(0, name.find(':'));
    take_suffix(name, ".slice");
    for (std::size_t at = name.rfind("pod"); at != std::string_view::npos;
         at = at == 0 ? std::string_view::npos : name.rfind("pod", at - 1)) {
        if (at > 0 && name[at - 1] != '-') continue;
        std::string_view uid = name.substr(at + 3);
        if (!is_uuid(uid) && !is_static_uid(uid)) continue;
        std::string text(uid);
        std::replace(text.begin(), text.end(), '_', '-');
        return text;
    }
    return std::nullopt;
}

std::optional<std::string> container_of(std::string_view name) {
    if (const std::size_t colon = name.rfind(':'); colon != std::string_view::npos) {
        // A systemd driver's "slice:prefix:id" that a runtime with the cgroupfs driver took as a path.
        const std::string_view id = name.substr(colon + 1);
        if (id.size() == kIdDigits && all_hex(id)) return std::string(id);
        return std::nullopt;
    }
    take_suffix(name, ".scope");
    for (const std::string_view prefix : kRuntimePrefixes)
        if (take_prefix(name, prefix)) break;
    if (name.size() == kIdDigits && all_hex(name)) return std::string(name);
    return std::nullopt;
}

bool is_monitor_scope(std::string_view name) {
    return std::any_of(kMonitorPrefixes.begin(), kMonitorPrefixes.end(),
                       [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; });
}

template <typename Visit>
void for_each_name(std::string_view path, Visit visit) {
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        if (slash != 0) visit(path.substr(0, slash));
        if (slash == std::string_view::npos) return;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

CgroupNames names_of_cgroup(std::string_view path) {
    CgroupNames names;
    for_each_name(path, [&](std::string_view name) {
        if (auto pod = pod_of(name)) {
            names = {};  // what stood further left is the node's own container
            names.pod_uid = std::move(*pod);
        }
        if (is_monitor_scope(name)) {
            names.is_monitor = true;
            names.container_id.clear();
        } else if (auto id = container_of(name)) {
            names.container_id = std::move(*id);
            names.is_monitor = false;
        }
    });
    return names;
}

std::string_view telling_cgroup(std::string_view file) {
    std::string_view best;
    bool best_tells = false;
    while (!file.empty()) {
        const std::size_t end = file.find('\n');
        const std::string_view line = file.substr(0, end);
        file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view path = line.substr(second + 1);
        // Only a path of some length can name a container: most lines are "/" and are passed over at once.
        const bool tells = path.size() > kIdDigits && !names_of_cgroup(path).container_id.empty();
        if (tells < best_tells || (tells == best_tells && path.size() <= best.size())) continue;
        best = path;
        best_tells = tells;
    }
    return best;
}

bool is_of_user_session(std::string_view path) { return path.find("/user.slice/") != std::string_view::npos; }

}  // namespace hopscope::procmap
