// k3s and RKE2 run the kubelet (and on servers the control plane) inside their own process and overwrite their command
// line; what they were told stands in /etc/rancher/k3s/config.yaml and its drop-ins. The containerd that they start is
// a process of its own with a command line of its own.
#include <algorithm>
#include <cctype>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/config/components.h"
#include "procmap/config/kubelet_keys.h"

namespace hopscope::procmap {
namespace {

// "--kubelet-arg=anonymous-auth=true" and "kubelet-arg: [anonymous-auth=true]" hold one option each, without its
// dashes.
void apply_kubelet_argument(Draft& draft, std::string_view argument, Origin origin) {
    while (argument.starts_with('-')) argument.remove_prefix(1);
    const Untrusted whole("--" + std::string(argument));
    apply_flags(draft, std::span(&whole, 1), kubelet_flags(), origin);
}

void apply_file(Draft& draft, ProcessFiles& files, const std::string& path, YamlList& kubelet_arguments) {
    const std::optional<std::string> text = files.read(path, draft, true);
    if (!text) return;
    static const FileKey keys[] = {
        {{"https-listen-port"}, "https-listen-port"},
        {{"container-runtime-endpoint"}, "containerRuntimeEndpoint"},
        {{"docker"}, "docker"},
    };
    read_yaml(draft, *text, path, keys, &kubelet_arguments);
}

// Of config.yaml.d (k3s pkg/configfilearg).
bool is_drop_in(std::string path) {
    std::ranges::transform(path, path.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return path.ends_with(".yaml") || path.ends_with(".yml");
}

// All files together make one list, to which the command line adds: a later "kubelet-arg" takes an earlier one back.
void apply_files(Draft& draft, ProcessFiles& files) {
    const std::string base = "/etc/rancher/k3s";
    YamlList arguments{.name = "kubelet-arg"};
    apply_file(draft, files, base + "/config.yaml", arguments);
    for (const std::string& path : files.with_suffix(base + "/config.yaml.d", "", draft))
        if (is_drop_in(path)) apply_file(draft, files, path, arguments);
    for (const YamlList::Item& item : arguments.items) apply_kubelet_argument(draft, item.text, {item.path, item.line});
    if (arguments.is_cut)
        draft.trouble("kubelet-arg has more than " + std::to_string(limits::kSettingItemsMax) +
                      " items: the rest is not read");
}

}  // namespace

// The title is "/usr/local/bin/k3s server", one argument; the executable lies unpacked in a directory of the data's
// hash.
bool is_k3s(const Process& process) {
    const std::string_view exe = process.exe.raw();
    if (base_name(exe) == "k3s" || exe.find("/rancher/k3s/data/") != std::string_view::npos) return true;
    if (process.cmdline.empty()) return false;
    std::string_view title = process.cmdline[0].raw();
    title = title.substr(0, title.find(' '));
    title = base_name(title);
    return title == "k3s" || title == "k3s-server" || title == "k3s-agent";
}

void read_k3s(Draft& draft, const Process& process, ProcessFiles& files) {
    apply_files(draft, files);
    static const FlagSpec own[] = {
        {"https-listen-port", "https-listen-port"},
        {"container-runtime-endpoint", "containerRuntimeEndpoint"},
        {"docker", "docker", true},
    };
    apply_flags(draft, process, own);
    const std::string cmdline = cmdline_path(process);
    for (std::size_t i = 1; i < process.cmdline.size(); ++i) {
        std::string_view argument = process.cmdline[i].raw();
        if (argument.starts_with("--kubelet-arg="))
            apply_kubelet_argument(draft, argument.substr(14), {cmdline});
        else if (argument == "--kubelet-arg" && i + 1 < process.cmdline.size())
            apply_kubelet_argument(draft, process.cmdline[++i].raw(), {cmdline});
    }
    // pkg/daemons/agent (k3s): what it gives its kubelet unless told otherwise.
    draft.set_default("https-listen-port", "6443");
    draft.set_default("readOnlyPort", "0");
    draft.set_default("authentication.anonymous.enabled", "false");
    draft.set_default("authentication.webhook.enabled", "true");
    draft.set_default("authorization.mode", "Webhook");
    if (draft.value("docker") == "true")
        draft.set_default("containerRuntimeEndpoint", "unix:///run/k3s/cri-dockerd/cri-dockerd.sock");
    draft.set_default("containerRuntimeEndpoint", "unix:///run/k3s/containerd/containerd.sock");
    kubelet_common_defaults(draft);
}

}  // namespace hopscope::procmap
