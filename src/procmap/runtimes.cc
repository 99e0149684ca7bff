#include "procmap/runtimes.h"

#include <algorithm>
#include <map>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/socket_files.h"

namespace hopscope::procmap {
namespace {

constexpr std::size_t kLookedAtMax = 256;

std::string component_of(ProcessRole role) {
    switch (role) {
        case ProcessRole::containerd: return "containerd";
        case ProcessRole::crio: return "cri-o";
        case ProcessRole::dockerd: return "docker";
        case ProcessRole::cri_dockerd: return "cri-dockerd";
        default:
            return {};  // systemd holds it for one of them, a kubelet serves the Docker shim, or the owner is not known
    }
}

class Chooser {
public:
    Chooser(const HostRoot& root, const SocketTable& table, std::span<const SocketFile> files)
        : root_(root), table_(table) {
        std::map<std::pair<std::uint64_t, std::uint64_t>, const Socket*> by_file;
        for (const Socket& socket : table.sockets) {
            if (socket.transport != Transport::unix_stream || socket.state != SocketState::listen) continue;
            const std::string& bound = socket.unix_local.path;
            if (bound.starts_with('/')) listeners_.try_emplace(resolved(root, bound), &socket);
            if (socket.file_inode != 0) by_file.emplace(std::pair(socket.file_device, socket.file_inode), &socket);
        }
        // A socket may have been renamed after bind: then its file's numbers tell.
        for (const SocketFile& file : files)
            if (const auto found = by_file.find({file.device, file.inode}); found != by_file.end())
                listeners_[file.path.raw()] = found->second;
    }

    void add(std::string_view path, RuntimeApi api, std::string component) {
        if (path.empty() || choice_.ask.size() >= kLookedAtMax) return;
        const std::string real = resolved(root_, path);
        const auto listener = listeners_.find(real);
        if (listener == listeners_.end() || refused_.contains(real)) return;
        for (const RuntimeChoice::Candidate& known : choice_.ask)
            if (known.socket.path == real) return;
        for (const SocketOwner& owner : listener->second->owners) {
            const Process* process = find_process(table_, owner.process.pid);
            if (process && component.empty()) component = component_of(process->role);
        }
        choice_.ask.push_back(
            {{root_.path(real), real, std::move(component), api == RuntimeApi::docker}, listener->second->inode});
    }
    void refuse(std::string_view path, std::string component, std::string why) {
        const std::string real = resolved(root_, path);
        if (!refused_.emplace(real, true).second) return;
        RuntimeFacts facts;
        facts.socket_path = Untrusted(real);
        facts.component = std::move(component);
        facts.why_not = std::move(why);
        facts.off = true;
        choice_.not_asked.push_back(std::move(facts));
    }
    // Anybody can run a runtime for himself: those whose socket is root's come first, and are not crowded out.
    RuntimeChoice take() && {
        const auto by_root = [&](const RuntimeChoice::Candidate& candidate) {
            const auto file = root_.stat(candidate.socket.path);
            return file && file->user_id == 0;
        };
        std::stable_partition(choice_.ask.begin(), choice_.ask.end(), by_root);
        if (choice_.ask.size() > limits::kRuntimesMax) choice_.ask.resize(limits::kRuntimesMax);
        return std::move(choice_);
    }

private:
    const HostRoot& root_;
    const SocketTable& table_;
    std::map<std::string, const Socket*> listeners_;
    std::map<std::string, bool> refused_;
    RuntimeChoice choice_;
};

void add_containerd(Chooser& chooser, const ComponentConfig& config) {
    const ConfigValue* address = config.find("grpc.address");
    if (!address) return;
    const ConfigValue* disabled = config.find("disabled_plugins");
    if (disabled && names_cri_plugin(disabled->value.raw()))
        chooser.refuse(address->value.raw(), "containerd",
                       "its CRI plugin is off (disabled_plugins, " + display(disabled->source) + ":" +
                           std::to_string(disabled->line) + ")");
    else
        chooser.add(address->value.raw(), RuntimeApi::cri, "containerd");
}

void add_hosts(Chooser& chooser, std::string_view hosts) {
    while (!hosts.empty()) {
        const std::string_view host = hosts.substr(0, hosts.find(','));
        chooser.add(host.starts_with("fd://") ? "/var/run/docker.sock" : unix_path_of(host), RuntimeApi::docker,
                    "docker");
        hosts.remove_prefix(std::min(hosts.size(), host.size() + 1));
    }
}

}  // namespace

RuntimeChoice choose_runtimes(const HostRoot& root, const SocketTable& table, std::span<const ComponentConfig> configs,
                              std::span<const SocketFile> files) {
    Chooser chooser(root, table, files);
    const auto text = [](const ComponentConfig& config, std::string_view key) {
        const ConfigValue* value = config.find(key);
        return value ? std::string_view(value->value.raw()) : std::string_view();
    };
    for (const ComponentConfig& config : configs) {
        if (config.role == ProcessRole::containerd) add_containerd(chooser, config);
        if (config.role == ProcessRole::crio) chooser.add(text(config, "listen"), RuntimeApi::cri, "cri-o");
        if (config.role == ProcessRole::cri_dockerd) {
            const std::string_view told = text(config, "container-runtime-endpoint");
            chooser.add(told.starts_with("fd://") ? "/var/run/cri-dockerd.sock" : unix_path_of(told), RuntimeApi::cri,
                        "cri-dockerd");
        }
    }
    for (const ComponentConfig& config : configs) {
        if (config.role == ProcessRole::dockerd) add_hosts(chooser, text(config, "hosts"));
        if (config.role == ProcessRole::kubelet)
            chooser.add(unix_path_of(text(config, "containerRuntimeEndpoint")), RuntimeApi::cri, {});
    }
    // For a runtime whose process tells nothing (no permission, or an unknown build).
    for (const UsualSocket& usual : usual_sockets()) {
        if (usual.api != RuntimeApi::none) chooser.add(usual.path, usual.api, {});
    }
    return std::move(chooser).take();
}

}  // namespace hopscope::procmap
