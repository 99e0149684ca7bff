#include <set>

#include "core/limits.h"
#include "core/release.h"
#include "procmap/config/components.h"
#include "procmap/config/flags.h"
#include "procmap/config/toml_file.h"

namespace hopscope::procmap {
namespace {

constexpr std::string_view kDefaultPath = "/etc/containerd/config.toml";
// Version 1 names plugins by their last word, version 2 and 3 by their whole name (containerd docs, PLUGINS.md). The
// streaming server's settings kept this table in 2.x.
constexpr std::string_view kPluginV1 = "cri", kPluginV2 = "io.containerd.grpc.v1.cri";

constexpr std::string_view kServerKeys[] = {
    "grpc.address", "grpc.tcp_address", "ttrpc.address", "debug.address", "metrics.address",
};
constexpr std::string_view kPluginKeys[] = {
    "stream_server_address",
    "stream_server_port",
    "stream_idle_timeout",
    "enable_tls_streaming",
    "x509_key_pair_streaming.tls_cert_file",
    "x509_key_pair_streaming.tls_key_file",
    "disable_tcp_service",
};

void add_place(TomlFile::Place& place, std::string_view dotted) {
    for (std::size_t dot; (dot = dotted.find('.')) != std::string_view::npos; dotted.remove_prefix(dot + 1))
        place.push_back(dotted.substr(0, dot));
    place.push_back(dotted);
}

class Reader {
public:
    Reader(Draft& draft, ProcessFiles& files) : draft_(draft), files_(files) {}

    // The file, then what it imports, in that order: a later writing wins (containerd LoadConfig).
    void read(const std::string& path, bool optional) {
        if (seen_.contains(path)) return;
        if (seen_.size() < limits::kSettingFilesMax) seen_.insert(path);  // those beyond are refused, and told
        const std::optional<std::string> text = files_.read(path, draft_, optional);
        std::optional<TomlFile> file = text ? TomlFile::parse(draft_, *text, path) : std::nullopt;
        if (!file) return;
        for (const char* name : {"version", "root", "state"}) file->into(draft_, {name}, name);
        for (std::string_view key : kServerKeys) {
            TomlFile::Place place;
            add_place(place, key);
            file->into(draft_, place, key);
        }
        add_disabled(*file, path);
        plugin(*file, path);
        bool is_cut = false;
        const std::vector<std::string> patterns = file->list({"imports"}, &is_cut);
        if (is_cut)
            draft_.trouble(display(path) + " imports more than " + std::to_string(limits::kSettingItemsMax) +
                           " patterns: the rest is not read");
        for (const std::string& pattern : patterns)
            for (const std::string& imported : files_.matching(beside(path, pattern), draft_)) read(imported, false);
    }

private:
    static std::string beside(const std::string& path, const std::string& pattern) {
        if (pattern.starts_with('/')) return pattern;
        return path.substr(0, path.rfind('/') + 1) + pattern;
    }

    // The lists of all files are joined.
    void add_disabled(const TomlFile& file, const std::string& path) {
        const std::optional<TomlFile::Value> found = file.value({"disabled_plugins"});
        if (!found) return;
        std::string all(draft_.value("disabled_plugins"));
        if (!all.empty() && !found->text.empty()) all += ',';
        draft_.set("disabled_plugins", all + found->text, {path, found->line});
    }

    void plugin(const TomlFile& file, const std::string& path) {
        const std::optional<TomlFile::Value> version = file.value({"version"});
        const bool first_version = !version || version->text == "1" || version->text == "0";
        const std::string_view name = first_version ? kPluginV1 : kPluginV2;
        const std::string_view other = first_version ? kPluginV2 : kPluginV1;
        if (const std::uint32_t line = file.table({"plugins", other}))
            draft_.trouble(display(path) + ":" + std::to_string(line) + ": plugins." + std::string(other) +
                           " is not read in a file of version " + (first_version ? "1" : display(version->text)));
        if (!file.table({"plugins", name})) return;
        if (!plugin_file_.empty())
            draft_.trouble(display(plugin_file_) + " and " + display(path) +
                           " both set up the CRI plugin; containerd 1.x takes all of it from the later one");
        plugin_file_ = path;
        for (std::string_view key : kPluginKeys) {
            TomlFile::Place place{"plugins", name};
            add_place(place, key);
            file.into(draft_, place, key);
        }
    }

    Draft& draft_;
    ProcessFiles& files_;
    std::set<std::string> seen_;
    std::string plugin_file_;
};

void set_defaults(Draft& draft, const Process& process) {
    const std::optional<Release> release = release_of(process.version);
    // The CRI plugin of 1.0 and 1.1 listened on the node's address; every later one on a random loopback port.
    const bool old = release && *release < Release{1, 2};
    draft.set_default("stream_server_address", old ? "" : "127.0.0.1");
    draft.set_default("stream_server_port", old ? "10010" : "0");
    draft.set_default("enable_tls_streaming", "false");
    draft.set_default("stream_idle_timeout", "4h0m0s");
    draft.set_default("root", "/var/lib/containerd");
    draft.set_default("state", "/run/containerd");
    // Written as empty, as dockerd writes it for its own: the default.
    for (const char* key : {"grpc.address", "ttrpc.address"})
        if (draft.value(key).empty()) draft.unset(key);
    draft.set_default("grpc.address", "/run/containerd/containerd.sock");
    draft.set_default("ttrpc.address", std::string(draft.value("grpc.address")) + ".ttrpc");
}

}  // namespace

void read_containerd(Draft& draft, const Process& process, ProcessFiles& files) {
    const std::string told = flag_value(process, "config", "c");
    Reader(draft, files).read(told.empty() ? std::string(kDefaultPath) : files.absolute(told), told.empty());
    static const FlagSpec flags[] = {
        {"address", "grpc.address"}, {"a", "grpc.address"}, {"root", "root"},
        {"state", "state"},          {"config", "config"},  {"c", "config"},
    };
    apply_flags(draft, process, flags);
    set_defaults(draft, process);
}

}  // namespace hopscope::procmap
