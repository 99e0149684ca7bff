#include "core/process.h"

namespace hopscope {

std::string_view to_string(ProcessRole role) {
    switch (role) {
        case ProcessRole::unknown: return "";
        case ProcessRole::kubelet: return "kubelet";
        case ProcessRole::containerd: return "containerd";
        case ProcessRole::containerd_shim: return "containerd-shim";
        case ProcessRole::dockerd: return "dockerd";
        case ProcessRole::docker_proxy: return "docker-proxy";
        case ProcessRole::cri_dockerd: return "cri-dockerd";
        case ProcessRole::crio: return "crio";
        case ProcessRole::conmon: return "conmon";
        case ProcessRole::runc: return "runc";
        case ProcessRole::kube_proxy: return "kube-proxy";
        case ProcessRole::etcd: return "etcd";
        case ProcessRole::apiserver: return "kube-apiserver";
        case ProcessRole::controller_manager: return "kube-controller-manager";
        case ProcessRole::scheduler: return "kube-scheduler";
        case ProcessRole::in_container: return "container";
    }
    return "";
}

}  // namespace hopscope
