#include "core/release.h"
#include "procmap/config/components.h"
#include "procmap/config/flags.h"
#include "procmap/config/readers.h"

namespace hopscope::procmap {
namespace {

// Options of a Kubernetes program that serves one secure port; old releases had an insecure one besides.
void read_secure_port(Draft& draft, const Process& process, std::string_view port) {
    static const FlagSpec flags[] = {
        {"secure-port", "secure-port"}, {"bind-address", "bind-address"}, {"port", "port"},
        {"address", "address"},         {"profiling", "profiling", true},
    };
    apply_flags(draft, process, flags);
    draft.set_default("secure-port", port);
    draft.set_default("bind-address", "0.0.0.0");
    draft.set_default("profiling", "true");
}

}  // namespace

// With --config the options for the same things are not looked at (cmd/kube-proxy/app).
void read_kube_proxy(Draft& draft, const Process& process, ProcessFiles& files) {
    static const FlagSpec flags[] = {
        {"metrics-bind-address", "metricsBindAddress"},
        {"healthz-bind-address", "healthzBindAddress"},
        {"bind-address", "bindAddress"},
        {"proxy-mode", "mode"},
        {"profiling", "enableProfiling", true},
    };
    const std::string config = flag_value(process, "config");
    if (config.empty()) {
        apply_flags(draft, process, flags);
    } else if (const auto text = files.read(files.absolute(config), draft, false)) {
        static const FileKey keys[] = {
            {{"metricsBindAddress"}, "metricsBindAddress"},
            {{"healthzBindAddress"}, "healthzBindAddress"},
            {{"bindAddress"}, "bindAddress"},
            {{"mode"}, "mode"},
            {{"enableProfiling"}, "enableProfiling"},
        };
        read_yaml(draft, *text, files.absolute(config), keys);
    } else {
        return;  // neither its file nor a default can be named
    }
    // kubeadm writes these two as "", which means the default.
    for (const char* key : {"metricsBindAddress", "healthzBindAddress", "bindAddress"})
        if (draft.value(key).empty()) draft.unset(key);
    draft.set_default("metricsBindAddress", "127.0.0.1:10249");
    draft.set_default("healthzBindAddress", "0.0.0.0:10256");
    draft.set_default("bindAddress", "0.0.0.0");
    draft.set_default("enableProfiling", "false");
}

// With --config-file options are not looked at; settings in the environment are not readable without asking for
// secrets.
void read_etcd(Draft& draft, const Process& process, ProcessFiles& files) {
    static const FlagSpec flags[] = {
        {"listen-client-urls", "listen-client-urls"},   {"listen-peer-urls", "listen-peer-urls"},
        {"listen-metrics-urls", "listen-metrics-urls"}, {"listen-client-http-urls", "listen-client-http-urls"},
        {"client-cert-auth", "client-cert-auth", true}, {"enable-pprof", "enable-pprof", true},
    };
    const std::string config = flag_value(process, "config-file");
    if (config.empty()) {
        apply_flags(draft, process, flags);
    } else if (const auto text = files.read(files.absolute(config), draft, false)) {
        static const FileKey keys[] = {
            {{"listen-client-urls"}, "listen-client-urls"},
            {{"listen-peer-urls"}, "listen-peer-urls"},
            {{"listen-metrics-urls"}, "listen-metrics-urls"},
            {{"listen-client-http-urls"}, "listen-client-http-urls"},
            {{"client-transport-security", "client-cert-auth"}, "client-cert-auth"},
            {{"enable-pprof"}, "enable-pprof"},
        };
        read_yaml(draft, *text, files.absolute(config), keys);
    } else {
        return;
    }
    draft.set_default("listen-client-urls", "http://localhost:2379");
    draft.set_default("listen-peer-urls", "http://localhost:2380");
    draft.set_default("client-cert-auth", "false");
    draft.set_default("enable-pprof", "false");
}

void read_apiserver(Draft& draft, const Process& process, ProcessFiles&) {
    static const FlagSpec flags[] = {
        {"insecure-port", "insecure-port"},
        {"insecure-bind-address", "insecure-bind-address"},
        {"anonymous-auth", "anonymous-auth", true},
        {"authorization-mode", "authorization-mode"},
    };
    apply_flags(draft, process, flags);
    read_secure_port(draft, process, "6443");
    draft.set_default("anonymous-auth", "true");
    // Served on 8080 until 1.20, where its default became 0 and the option lost its meaning.
    const std::optional<Release> release = release_of(process.version);
    if (release && *release < Release{1, 20}) draft.set_default("insecure-port", "8080");
}

void read_controller_manager(Draft& draft, const Process& process, ProcessFiles&) {
    read_secure_port(draft, process, "10257");
}

void read_scheduler(Draft& draft, const Process& process, ProcessFiles&) { read_secure_port(draft, process, "10259"); }

}  // namespace hopscope::procmap
