#include "cli/live_names.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/limits.h"

namespace hopscope::cli {

LiveNames::LiveNames(Ask ask) : ask_(std::move(ask)) {
    if (ask_) return;
    ask_ = [](std::span<const procmap::RuntimeSocket> sockets) {
        return procmap::ask_runtimes(sockets, std::chrono::milliseconds(limits::kLiveNamesWaitMs));
    };
}

std::vector<procmap::RuntimeSocket> sockets_to_ask(const SocketTable& table, const procmap::HostRoot& root) {
    std::vector<procmap::RuntimeSocket> found;
    std::set<std::string> by_others;  // anybody can run such a program for himself
    for (const Socket& socket : table.sockets) {
        const std::string& path = socket.unix_local.path;
        // Beside it they listen for ttrpc and for debugging; what has no file cannot be reached from elsewhere.
        if (socket.transport != Transport::unix_stream || socket.state != SocketState::listen ||
            !path.starts_with('/') || !path.ends_with(".sock") || path.ends_with("debug.sock"))
            continue;
        for (const SocketOwner& owner : socket.owners) {
            const Process* process = find_process(table, owner.process.pid);
            const ProcessRole role = process ? process->role : ProcessRole::unknown;
            const bool docker = role == ProcessRole::dockerd;
            if (!docker && role != ProcessRole::containerd && role != ProcessRole::crio &&
                role != ProcessRole::cri_dockerd)
                continue;
            if (docker && !path.ends_with("docker.sock")) continue;
            if (const auto file = root.stat(path); !file || file->user_id != 0) by_others.insert(path);
            found.push_back({.open_path = root.path(path),
                             .path = path,
                             .component = std::string(to_string(role)),
                             .docker_api = docker});
            break;
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    found.erase(std::unique(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path == b.path; }),
                found.end());
    std::stable_partition(found.begin(), found.end(), [&](const auto& each) { return !by_others.contains(each.path); });
    return found;
}

bool LiveNames::may_ask(const std::string& id, Timestamp now) {
    if (questions_ > 0 && (now - asked_at_).ns < limits::kLiveNamesPauseMs * 1'000'000) return false;
    if (!asked_for_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > limits::kCriNamesMax) {
        asked_for_.erase(order_.front());
        order_.pop_front();
    }
    return true;
}

const ContainerNames* LiveNames::find(const std::string& id, const SocketTable& table, const procmap::HostRoot& root,
                                      Timestamp now) {
    if (!known_.contains(id) && may_ask(id, now)) {
        asked_at_ = now;
        ++questions_;
        for (procmap::RuntimeAnswer& answer : ask_(sockets_to_ask(table, root))) {
            for (ContainerNames& names : answer.containers) {
                if (known_.size() >= limits::kCriNamesMax) known_.clear();
                // The first to name it is right: whose socket is root's is asked before others.
                const std::string named = names.id;
                known_.try_emplace(named, std::move(names));
            }
        }
    }
    const auto found = known_.find(id);
    return found == known_.end() || found->second.pod.empty() ? nullptr : &found->second;
}

bool LiveNames::complete(chain::Chain& chain, const SocketTable& table, const procmap::HostRoot& root, Timestamp now) {
    if (chain.container.id.empty() || !chain.k8s.pod.empty()) return false;
    const ContainerNames* known = find(chain.container.id.raw(), table, root, now);  // raw-ok: compared only
    if (!known) return false;
    const ContainerNames& names = *known;
    if (chain.container.name.empty()) chain.container.name = names.name;
    if (chain.container.runtime.empty()) chain.container.runtime = names.runtime;
    chain.k8s = {names.namespace_, names.pod, names.name, names.pod_uid};
    return true;
}

}  // namespace hopscope::cli
