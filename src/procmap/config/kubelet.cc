#include "core/release.h"
#include "procmap/config/components.h"
#include "procmap/config/kubelet_keys.h"

namespace hopscope::procmap {
namespace {

// pkg/kubelet/apis/config/v1beta1/defaults.go and cmd/kubelet/app/options/options.go (applyLegacyDefaults): who starts
// the kubelet with bare options gets the old, open defaults; a configuration file brings the safe ones.
void authentication_defaults(Draft& draft, bool from_file) {
    draft.set_default("readOnlyPort", from_file ? "0" : "10255");
    draft.set_default("authentication.anonymous.enabled", from_file ? "false" : "true");
    draft.set_default("authentication.webhook.enabled", from_file ? "true" : "false");
    draft.set_default("authorization.mode", from_file ? "Webhook" : "AlwaysAllow");
}

void runtime_defaults(Draft& draft, const Process& process) {
    const std::optional<Release> release = release_of(process.version);
    if (!release) return;  // the version decides whether there is a shim: no guess
    const bool has_shim = *release < Release{1, 24};
    if (has_shim) draft.set_default("container-runtime", "docker");
    const bool uses_shim = has_shim && draft.value("container-runtime") == "docker";
    if (uses_shim) {
        draft.set_default("containerRuntimeEndpoint", "unix:///var/run/dockershim.sock");
        draft.set_default("docker-endpoint", "unix:///var/run/docker.sock");
        if (*release >= Release{1, 11} && *release < Release{1, 20})
            draft.set_default("redirect-container-streaming", "false");
    } else if (!has_shim) {
        draft.set_default("containerRuntimeEndpoint", "unix:///run/containerd/containerd.sock");
    }
    if (*release < Release{1, 11}) draft.set_default("cadvisor-port", "4194");
    if (*release == Release{1, 11}) draft.set_default("cadvisor-port", "0");
}

}  // namespace

std::span<const FlagSpec> kubelet_flags() {
    static const FlagSpec flags[] = {
        {"address", "address"},
        {"port", "port"},
        {"read-only-port", "readOnlyPort"},
        {"healthz-port", "healthzPort"},
        {"healthz-bind-address", "healthzBindAddress"},
        {"anonymous-auth", "authentication.anonymous.enabled", true},
        {"authentication-token-webhook", "authentication.webhook.enabled", true},
        {"client-ca-file", "authentication.x509.clientCAFile"},
        {"authorization-mode", "authorization.mode"},
        {"enable-debugging-handlers", "enableDebuggingHandlers", true},
        {"streaming-connection-idle-timeout", "streamingConnectionIdleTimeout"},
        {"container-runtime-endpoint", "containerRuntimeEndpoint"},
        {"image-service-endpoint", "imageServiceEndpoint"},
        {"tls-cert-file", "tlsCertFile"},
        {"tls-private-key-file", "tlsPrivateKeyFile"},
        {"container-runtime", "container-runtime"},
        {"docker-endpoint", "docker-endpoint"},
        {"redirect-container-streaming", "redirect-container-streaming", true},
        {"cadvisor-port", "cadvisor-port"},
        {"root-dir", "root-dir"},
        {"config", "config"},
        {"config-dir", "config-dir"},
    };
    return flags;
}

std::span<const FileKey> kubelet_file_keys() {
    static const FileKey keys[] = {
        {{"address"}, "address"},
        {{"port"}, "port"},
        {{"readOnlyPort"}, "readOnlyPort"},
        {{"healthzPort"}, "healthzPort"},
        {{"healthzBindAddress"}, "healthzBindAddress"},
        {{"authentication", "anonymous", "enabled"}, "authentication.anonymous.enabled"},
        {{"authentication", "webhook", "enabled"}, "authentication.webhook.enabled"},
        {{"authentication", "x509", "clientCAFile"}, "authentication.x509.clientCAFile"},
        {{"authorization", "mode"}, "authorization.mode"},
        {{"enableDebuggingHandlers"}, "enableDebuggingHandlers"},
        {{"enableSystemLogHandler"}, "enableSystemLogHandler"},
        {{"enableProfilingHandler"}, "enableProfilingHandler"},
        {{"streamingConnectionIdleTimeout"}, "streamingConnectionIdleTimeout"},
        {{"containerRuntimeEndpoint"}, "containerRuntimeEndpoint"},
        {{"imageServiceEndpoint"}, "imageServiceEndpoint"},
        {{"tlsCertFile"}, "tlsCertFile"},
        {{"tlsPrivateKeyFile"}, "tlsPrivateKeyFile"},
    };
    return keys;
}

void kubelet_common_defaults(Draft& draft) {
    draft.set_default("address", "0.0.0.0");
    draft.set_default("port", "10250");
    draft.set_default("healthzPort", "10248");
    draft.set_default("healthzBindAddress", "127.0.0.1");
    draft.set_default("enableDebuggingHandlers", "true");
    draft.set_default("streamingConnectionIdleTimeout", "4h0m0s");
    draft.set_default("root-dir", "/var/lib/kubelet");
}

void read_kubelet(Draft& draft, const Process& process, ProcessFiles& files) {
    // --config-dir (1.28) merges what ends in .conf, in order of names; options win over both.
    bool any_file = false;
    const auto read_file = [&](const std::string& path) {
        const std::optional<std::string> text = files.read(path, draft, false);
        if (text) read_yaml(draft, *text, path, kubelet_file_keys());
        any_file = true;  // it runs, hence it could read it, even where we cannot
    };
    if (const std::string config = flag_value(process, "config"); !config.empty()) read_file(files.absolute(config));
    if (const std::string directory = flag_value(process, "config-dir"); !directory.empty()) {
        for (const std::string& path : files.with_suffix(files.absolute(directory), ".conf", draft)) read_file(path);
        any_file = true;
    }
    apply_flags(draft, process, kubelet_flags());
    kubelet_common_defaults(draft);
    authentication_defaults(draft, any_file);
    runtime_defaults(draft, process);
}

}  // namespace hopscope::procmap
