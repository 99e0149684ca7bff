#include "procmap/config/config.h"

#include "procmap/config/components.h"

namespace hopscope::procmap {
namespace {

using Reader = void (*)(Draft&, const Process&, ProcessFiles&);

// nullptr: a process of this role is not set up by anything that explains a port.
Reader reader_of(const Process& process) {
    switch (process.role) {
        case ProcessRole::kubelet: return is_k3s(process) ? read_k3s : read_kubelet;
        case ProcessRole::containerd: return read_containerd;
        case ProcessRole::dockerd: return read_dockerd;
        case ProcessRole::cri_dockerd: return read_cri_dockerd;
        case ProcessRole::crio: return read_crio;
        case ProcessRole::kube_proxy: return read_kube_proxy;
        case ProcessRole::etcd: return read_etcd;
        case ProcessRole::apiserver: return read_apiserver;
        case ProcessRole::controller_manager: return read_controller_manager;
        case ProcessRole::scheduler: return read_scheduler;
        case ProcessRole::unknown:
        case ProcessRole::containerd_shim:
        case ProcessRole::docker_proxy:
        case ProcessRole::conmon:
        case ProcessRole::runc:
        case ProcessRole::in_container: return nullptr;
    }
    return nullptr;
}

}  // namespace

bool has_config(const Process& process) { return reader_of(process) != nullptr; }

ComponentConfig read_config(const HostRoot& root, const Process& process, std::vector<FileSeen>* seen) {
    Draft draft(process);
    if (const Reader read = reader_of(process)) {
        ProcessFiles files(root, process, seen);
        read(draft, process, files);
    }
    return std::move(draft).take();
}

ComponentConfig read_config(const HostRoot& root, const Process& process) {
    return read_config(root, process, nullptr);
}

}  // namespace hopscope::procmap
