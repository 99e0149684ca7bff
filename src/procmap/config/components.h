// One reader per component; read_config() picks. Each knows its own order of files, drop-ins and options.
#pragma once

#include "procmap/config/draft.h"
#include "procmap/config/files.h"

namespace hopscope::procmap {

void read_kubelet(Draft& draft, const Process& process, ProcessFiles& files);
void read_containerd(Draft& draft, const Process& process, ProcessFiles& files);
void read_crio(Draft& draft, const Process& process, ProcessFiles& files);
void read_dockerd(Draft& draft, const Process& process, ProcessFiles& files);
void read_cri_dockerd(Draft& draft, const Process& process, ProcessFiles& files);
void read_kube_proxy(Draft& draft, const Process& process, ProcessFiles& files);
void read_etcd(Draft& draft, const Process& process, ProcessFiles& files);
void read_apiserver(Draft& draft, const Process& process, ProcessFiles& files);
void read_controller_manager(Draft& draft, const Process& process, ProcessFiles& files);
void read_scheduler(Draft& draft, const Process& process, ProcessFiles& files);
// The kubelet, API server and agent inside a k3s program, with the settings that it gives them.
bool is_k3s(const Process& process);
void read_k3s(Draft& draft, const Process& process, ProcessFiles& files);

}  // namespace hopscope::procmap
