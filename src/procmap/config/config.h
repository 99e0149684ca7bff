// The settings of node components that explain a port, with file and line: kubelet flags and YAML (drop-ins too),
// containerd TOML (version 2 and 3, imports), CRI-O conf and drop-ins, dockerd JSON and flags, cri-dockerd flags.
// Files are read as the process sees them (/proc/PID/root); a file that cannot be read is trouble, never a guess.
#pragma once

#include <vector>

#include "core/node.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

// For a process whose role has a configuration (kubelet, containerd, crio, dockerd, cri-dockerd, kube-proxy, etcd …);
// keys are named as the component names them, see the .cc for the list. Defaults that depend on the version are given
// with is_default.
ComponentConfig read_config(const HostRoot& root, const Process& process);

}  // namespace hopscope::procmap
