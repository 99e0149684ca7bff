#include "core/release.h"
#include "procmap/config/components.h"
#include "procmap/config/flags.h"
#include "procmap/config/toml_file.h"

namespace hopscope::procmap {
namespace {

struct Setting {
    std::string_view table, name;
};
constexpr Setting kSettings[] = {
    {"api", "listen"},
    {"api", "host_ip"},
    {"api", "stream_address"},
    {"api", "stream_port"},
    {"api", "stream_enable_tls"},
    {"api", "stream_tls_cert"},
    {"api", "stream_tls_key"},
    {"api", "stream_tls_ca"},
    {"api", "stream_idle_timeout"},
    {"metrics", "enable_metrics"},
    {"metrics", "metrics_host"},
    {"metrics", "metrics_port"},
    {"metrics", "metrics_socket"},
    {"metrics", "metrics_cert"},
    {"metrics", "metrics_key"},
};

void read_file(Draft& draft, ProcessFiles& files, const std::string& path, bool optional) {
    const std::optional<std::string> text = files.read(path, draft, optional);
    const std::optional<TomlFile> file = text ? TomlFile::parse(draft, *text, path) : std::nullopt;
    if (!file) return;
    for (const Setting& setting : kSettings) file->into(draft, {"crio", setting.table, setting.name}, setting.name);
    for (const char* name : {"root", "runroot"}) file->into(draft, {"crio", name}, name);
}

}  // namespace

// crio(8): the main file, then every drop-in in order of names, then options.
void read_crio(Draft& draft, const Process& process, ProcessFiles& files) {
    const std::string told = flag_value(process, "config", "c");
    read_file(draft, files, told.empty() ? "/etc/crio/crio.conf" : files.absolute(told), told.empty());
    const std::string told_directory = flag_value(process, "config-dir", "d");
    const std::string directory = told_directory.empty() ? "/etc/crio/crio.conf.d" : files.absolute(told_directory);
    for (const std::string& path : files.with_suffix(directory, "", draft)) read_file(draft, files, path, false);
    static const FlagSpec flags[] = {
        {"listen", "listen"},
        {"host-ip", "host_ip"},
        {"stream-address", "stream_address"},
        {"stream-port", "stream_port"},
        {"stream-enable-tls", "stream_enable_tls", true},
        {"stream-tls-cert", "stream_tls_cert"},
        {"stream-tls-key", "stream_tls_key"},
        {"stream-tls-ca", "stream_tls_ca"},
        {"stream-idle-timeout", "stream_idle_timeout"},
        {"enable-metrics", "enable_metrics", true},
        {"metrics-host", "metrics_host"},
        {"metrics-port", "metrics_port"},
        {"metrics-socket", "metrics_socket"},
        {"metrics-cert", "metrics_cert"},
        {"metrics-key", "metrics_key"},
        {"profile", "profile", true},
        {"profile-port", "profile_port"},
        {"root", "root"},
        {"runroot", "runroot"},
    };
    apply_flags(draft, process, flags);
    const std::optional<Release> release = release_of(process.version);
    const bool old = release && *release < Release{1, 12};
    draft.set_default("stream_address", old ? "" : "127.0.0.1");
    draft.set_default("stream_port", old ? "10010" : "0");
    draft.set_default("stream_enable_tls", "false");
    draft.set_default("listen", "/var/run/crio/crio.sock");
    draft.set_default("enable_metrics", "false");
    draft.set_default("metrics_port", "9090");
    draft.set_default("profile", "false");
    draft.set_default("profile_port", "6060");
}

}  // namespace hopscope::procmap
