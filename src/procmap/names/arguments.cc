#include "procmap/names/arguments.h"

#include <map>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/names/runtime_answer.h"

namespace hopscope::procmap {
namespace {

// "k8s_main_web_default_6b1f…_0": no part of it may hold '_' (DNS labels and a UUID).
bool take_kubernetes_name(std::string_view name, ContainerNames& names) {
    std::vector<std::string_view> parts;
    for (std::size_t bar; (bar = name.find('_')) != std::string_view::npos; name.remove_prefix(bar + 1))
        parts.push_back(name.substr(0, bar));
    parts.push_back(name);
    if (parts.size() != 6 || parts[0] != "k8s") return false;
    if (parts[1] == "POD")
        names.sandbox_id = names.id;
    else
        names.name = Untrusted(parts[1]);
    names.pod = Untrusted(parts[2]);
    names.namespace_ = Untrusted(parts[3]);
    names.pod_uid = Untrusted(parts[4]);
    return true;
}

class Collector {
public:
    ContainerNames* of(const std::string& id) {
        if (!is_container_id(id)) return nullptr;
        const auto [place, made] = places_.try_emplace(id, all_.size());
        if (made) {
            if (all_.size() >= limits::kCriNamesMax) {
                places_.erase(place);
                return nullptr;
            }
            all_.push_back({.id = id});
        }
        return &all_[place->second];
    }
    std::vector<ContainerNames> take() && { return std::move(all_); }

private:
    std::map<std::string, std::size_t, std::less<>> places_;
    std::vector<ContainerNames> all_;
};

void take_shim(Collector& collector, const Process& process) {
    const std::optional<ShimArguments> shim = shim_arguments(process);
    ContainerNames* names = shim ? collector.of(shim->id) : nullptr;
    if (!names) return;
    const bool docker = shim->namespace_ == "moby" || shim->namespace_.empty();
    names->runtime = docker ? "docker" : "containerd";
    if (shim->namespace_ == "k8s.io") names->sandbox_id = shim->id;
    names->source = "shim arguments of process " + std::to_string(process.id.pid);
}

void take_conmon(Collector& collector, const Process& process) {
    const std::optional<ConmonArguments> conmon = conmon_arguments(process);
    ContainerNames* names = conmon ? collector.of(conmon->id) : nullptr;
    if (!names) return;
    if (!take_kubernetes_name(conmon->name, *names)) names->name = Untrusted(conmon->name);
    names->runtime = names->pod.empty() ? "podman" : "cri-o";
    names->source = "conmon arguments of process " + std::to_string(process.id.pid);
}

// A process in a container: its cgroup tells container and pod; its parent, where that is a shim, the sandbox.
void take_member(Collector& collector, const SocketTable& table, const Process& process) {
    if (process.container_id.empty()) return;
    ContainerNames* names = collector.of(process.container_id.raw());
    if (!names) return;
    if (names->source.empty()) names->source = "cgroup of process " + std::to_string(process.id.pid);
    if (names->pod_uid.empty()) names->pod_uid = process.pod_uid;
    const Process* parent = find_process(table, process.parent_pid);
    if (!parent || parent->role != ProcessRole::containerd_shim) return;
    const std::optional<ShimArguments> shim = shim_arguments(*parent);
    if (!shim) return;
    if (names->runtime.empty()) names->runtime = shim->namespace_ == "k8s.io" ? "containerd" : "docker";
    if (shim->namespace_ != "k8s.io") return;
    names->sandbox_id = shim->id;
    if (ContainerNames* sandbox = collector.of(shim->id); sandbox && sandbox->pod_uid.empty())
        sandbox->pod_uid = process.pod_uid;
}

}  // namespace

std::optional<ShimArguments> shim_arguments(const Process& process) {
    ShimArguments shim{std::string(argument_of(process, "namespace")), std::string(argument_of(process, "id")),
                       std::string(argument_of(process, "address"))};
    if (shim.id.empty()) shim.id = base_name(argument_of(process, "workdir"));
    if (shim.id.empty() && process.cmdline.size() > 1) shim.id = process.cmdline[1].raw();
    if (!is_container_id(shim.id)) return std::nullopt;
    return shim;
}

std::optional<ConmonArguments> conmon_arguments(const Process& process) {
    ConmonArguments conmon{std::string(argument_of(process, "c")), std::string(argument_of(process, "n"))};
    if (conmon.id.empty()) conmon.id = argument_of(process, "cid");
    if (conmon.name.empty()) conmon.name = argument_of(process, "name");
    if (!is_container_id(conmon.id)) return std::nullopt;
    return conmon;
}

std::vector<ContainerNames> names_from_processes(const SocketTable& table) {
    Collector collector;
    for (const Process& process : table.processes) {
        if (process.role == ProcessRole::containerd_shim) take_shim(collector, process);
        if (process.role == ProcessRole::conmon) take_conmon(collector, process);
    }
    for (const Process& process : table.processes) take_member(collector, table, process);
    return std::move(collector).take();
}

}  // namespace hopscope::procmap
