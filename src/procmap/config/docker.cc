#include "procmap/config/components.h"
#include "procmap/config/flags.h"
#include "procmap/config/readers.h"

namespace hopscope::procmap {

// dockerd refuses to start when an option and daemon.json name the same thing, so their order does not matter.
void read_dockerd(Draft& draft, const Process& process, ProcessFiles& files) {
    const std::string told = flag_value(process, "config-file");
    const std::string path = told.empty() ? "/etc/docker/daemon.json" : files.absolute(told);
    if (const std::optional<std::string> text = files.read(path, draft, told.empty())) {
        static const FileKey keys[] = {
            {{"hosts"}, "hosts"},
            {{"containerd"}, "containerd"},
            {{"metrics-addr"}, "metrics-addr"},
            {{"exec-opts"}, "exec-opts"},
            {{"exec-root"}, "exec-root"},
            {{"data-root"}, "data-root"},
            {{"tls"}, "tls"},
            {{"tlsverify"}, "tlsverify"},
            {{"debug"}, "debug"},
        };
        read_json(draft, *text, path, keys);
    }
    static const FlagSpec flags[] = {
        {"host", "hosts", false, true},
        {"H", "hosts", false, true},
        {"containerd", "containerd"},
        {"metrics-addr", "metrics-addr"},
        {"exec-opt", "exec-opts", false, true},
        {"exec-root", "exec-root"},
        {"data-root", "data-root"},
        {"tls", "tls", true},
        {"tlsverify", "tlsverify", true},
        {"debug", "debug", true},
        {"D", "debug", true},
    };
    apply_flags(draft, process, flags);
    draft.set_default("hosts", "unix:///var/run/docker.sock");
    draft.set_default("metrics-addr", "");
    draft.set_default("exec-root", "/var/run/docker");
    draft.set_default("tlsverify", "false");
}

void read_cri_dockerd(Draft& draft, const Process& process, ProcessFiles&) {
    static const FlagSpec flags[] = {
        {"streaming-bind-addr", "streaming-bind-addr"},
        {"container-runtime-endpoint", "container-runtime-endpoint"},
        {"docker-endpoint", "docker-endpoint"},
        {"streaming-connection-idle-timeout", "streaming-connection-idle-timeout"},
        {"cri-dockerd-root-directory", "cri-dockerd-root-directory"},
    };
    apply_flags(draft, process, flags);
    draft.set_default("streaming-bind-addr", "");  // empty: every interface, a random port
    draft.set_default("container-runtime-endpoint", "unix:///var/run/cri-dockerd.sock");
    draft.set_default("docker-endpoint", "unix:///var/run/docker.sock");
}

}  // namespace hopscope::procmap
