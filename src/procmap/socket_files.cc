#include "procmap/socket_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <set>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/account_names.h"

namespace hopscope::procmap {
namespace {

// The defaults of each runtime, in the order in which they are asked; /var/run is a link to /run.
constexpr UsualSocket kUsual[] = {
    {"/run/containerd/containerd.sock", RuntimeApi::cri},
    {"/run/containerd/containerd.sock.ttrpc"},
    {"/run/containerd/debug.sock"},
    {"/run/k3s/containerd/containerd.sock", RuntimeApi::cri},
    {"/run/k3s/containerd/containerd.sock.ttrpc"},
    {"/run/k3s/cri-dockerd/cri-dockerd.sock", RuntimeApi::cri},
    {"/var/snap/microk8s/common/run/containerd.sock", RuntimeApi::cri},
    {"/var/snap/microk8s/common/run/containerd.sock.ttrpc"},
    {"/run/k0s/containerd.sock", RuntimeApi::cri},
    {"/run/k0s/containerd.sock.ttrpc"},
    {"/var/run/crio/crio.sock", RuntimeApi::cri},
    // dockerd's own containerd runs without the CRI plugin.
    {"/run/docker/containerd/containerd.sock"},
    {"/run/docker/containerd/containerd.sock.ttrpc"},
    {"/run/docker/metrics.sock"},
    {"/var/run/cri-dockerd.sock", RuntimeApi::cri},
    {"/var/run/dockershim.sock", RuntimeApi::cri},
    {"/var/run/docker.sock", RuntimeApi::docker},  // after those that name the same containers by their Pods, too
    {"/var/run/nri/nri.sock"},
    {"/run/cilium/cilium.sock"},
};
constexpr std::string_view kUsualDirectories[] = {"/run/containerd/s", "/run/docker/libnetwork"};

constexpr std::string_view kConfigured[] = {
    "grpc.address",
    "ttrpc.address",
    "debug.address",
    "listen",
    "containerd",
    "containerRuntimeEndpoint",
    "imageServiceEndpoint",
    "docker-endpoint",
    "container-runtime-endpoint",
};

using BoundState = BoundPath::State;

class Finder {
public:
    explicit Finder(const HostRoot& root) : root_(root), accounts_(root) {}

    void look(const std::string& path) {
        if (path.empty() || ++looked_ > limits::kSocketFilesMax) return;
        const Result<FileNumbers> numbers = root_.stat(path);
        if (!numbers || !numbers->is_socket) return;
        const std::string real = resolved(root_, path);
        found_.try_emplace(real, SocketFile{Untrusted(real), numbers->device, numbers->inode, access(real, *numbers)});
    }
    // Is the socket's own file where it was bound?  Where it was renamed to within its directory is kept, too.
    void look_for(const Socket& socket, std::vector<BoundPath>& bound) {
        const std::string& path = socket.unix_local.path;
        if (!path.starts_with('/') || socket.file_inode == 0 || ++looked_ > limits::kSocketFilesMax) return;
        const auto is_its = [&](const Result<FileNumbers>& numbers) {
            return numbers && numbers->inode == socket.file_inode && numbers->device == socket.file_device;
        };
        const Result<FileNumbers> here = root_.stat(path);
        if (is_its(here)) return;
        if (!here && here.error().errno_value != ENOENT && here.error().errno_value != ENOTDIR) return;
        // Paths mean what they mean to the process: in a container, or with mounts of its own, it has other files.
        bool seen = false;
        std::set<std::uint32_t> asked;
        for (const SocketOwner& owner : socket.owners) {
            if (asked.size() >= kOwnersAsked || !asked.insert(owner.process.pid).second) continue;
            const std::string through = "/proc/" + std::to_string(owner.process.pid) + "/root";
            const Result<FileNumbers> top = root_.stat(through);
            if (!top || !top->is_directory) continue;
            const Result<FileNumbers> there = root_.stat(through + path);
            if (is_its(there)) {
                bound.push_back({socket.inode, BoundState::own_mounts});
                return;
            }
            seen |= there || there.error().errno_value == ENOENT || there.error().errno_value == ENOTDIR;
        }
        if (!seen) return;
        bound.push_back({socket.inode, here ? BoundState::other_file : BoundState::nothing});
        find_renamed(socket, path.substr(0, path.rfind('/')));
    }
    // Every name in the directory; or `below` in each of its directories.
    void look_in(const std::string& directory, std::span<const std::string_view> below = {}) {
        const Result<std::vector<std::string>> names = root_.list(directory);
        if (!names) return;
        for (const std::string& name : *names) {
            if (looked_ > limits::kSocketFilesMax) return;
            std::string path = directory;
            path.append("/").append(name);
            if (below.empty()) look(path);
            for (std::string_view last : below) look(std::string(path).append("/").append(last));
        }
    }
    std::vector<SocketFile> take() && {
        std::vector<SocketFile> files;
        files.reserve(found_.size());
        for (auto& [path, file] : found_) files.push_back(std::move(file));
        return files;
    }

private:
    static constexpr std::size_t kOwnersAsked = 4;  // of one socket; they nearly always have the same files

    void find_renamed(const Socket& socket, const std::string& directory) {
        const Result<std::vector<std::string>> names = root_.list(directory.empty() ? "/" : directory);
        if (!names) return;
        for (const std::string& name : *names) {
            if (++looked_ > limits::kSocketFilesMax) return;
            const std::string path = std::string(directory).append("/").append(name);
            const Result<FileNumbers> numbers = root_.stat(path);
            if (numbers && numbers->inode == socket.file_inode && numbers->device == socket.file_device)
                return look(path);
        }
    }
    SocketAccess access(const std::string& real, const FileNumbers& numbers) {
        return {.mode = numbers.mode,
                .user_id = numbers.user_id,
                .group_id = numbers.group_id,
                .user = accounts_.user(numbers.user_id),
                .group = accounts_.group(numbers.group_id),
                .others_get_there = others_enter(real.substr(0, real.rfind('/')))};
    }
    // Other users may search the directory and all above it.
    bool others_enter(const std::string& directory) {
        if (const auto known = entered_.find(directory); known != entered_.end()) return known->second;
        const Result<FileNumbers> numbers = root_.stat(directory.empty() ? "/" : directory);
        const bool enters = numbers && (numbers->mode & S_IXOTH) != 0 &&
                            (directory.empty() || others_enter(directory.substr(0, directory.rfind('/'))));
        return entered_[directory] = enters;
    }

    const HostRoot& root_;
    const AccountNames accounts_;
    std::map<std::string, SocketFile> found_;
    std::map<std::string, bool> entered_;  // by directory
    std::size_t looked_ = 0;
};

void look_below_kubelet(Finder& finder, const std::string& directory) {
    static constexpr std::string_view kDrivers[] = {"csi.sock", "dra.sock"};
    finder.look_in(directory + "/device-plugins");
    finder.look_in(directory + "/pod-resources");
    finder.look_in(directory + "/plugins_registry");
    finder.look_in(directory + "/plugins", kDrivers);
}

}  // namespace

std::string unix_path_of(std::string_view endpoint) {
    if (endpoint.starts_with("unix:")) {
        endpoint.remove_prefix(5);
        if (endpoint.starts_with("//")) endpoint.remove_prefix(2);
    }
    return endpoint.starts_with('/') ? std::string(endpoint) : std::string();
}

std::string resolved(const HostRoot& root, std::string_view path) {
    std::string done, rest(path);
    int links = 0;
    while (!rest.empty()) {
        const std::size_t begin = rest.find_first_not_of('/');
        if (begin == std::string::npos) break;
        const std::size_t end = rest.find('/', begin);
        const std::string part = rest.substr(begin, end == std::string::npos ? end : end - begin);
        rest = end == std::string::npos ? std::string() : rest.substr(end);
        if (part == ".") continue;
        if (part == "..") {
            done.resize(done.empty() ? 0 : done.rfind('/'));
            continue;
        }
        std::string here = done;
        here.append("/").append(part);
        const Result<std::string> target = root.read_link(here);
        if (!target || target->empty() || ++links > limits::kSymbolicLinksMax) {
            done = std::move(here);
            continue;
        }
        if (target->starts_with('/')) done.clear();
        rest.insert(0, *target);
    }
    return done.empty() ? "/" : done;
}

std::span<const UsualSocket> usual_sockets() { return kUsual; }

SocketPlaces socket_files(const HostRoot& root, std::span<const ComponentConfig> configs, const SocketTable& table,
                          std::span<const std::string> asked) {
    Finder finder(root);
    for (const std::string& path : asked) finder.look(path);
    std::set<std::string> kubelets = {"/var/lib/kubelet"};
    for (const UsualSocket& usual : kUsual) finder.look(std::string(usual.path));
    for (const ComponentConfig& config : configs) {
        for (std::string_view key : kConfigured)
            if (const ConfigValue* value = config.find(key)) finder.look(unix_path_of(value->value.raw()));
        if (const ConfigValue* hosts = config.find("hosts")) {
            std::string_view all = hosts->value.raw();
            for (std::size_t comma; (comma = all.find(',')) != std::string_view::npos; all.remove_prefix(comma + 1))
                finder.look(unix_path_of(all.substr(0, comma)));
            finder.look(unix_path_of(all));
        }
        if (const ConfigValue* directory = config.find("root-dir"); directory && config.role == ProcessRole::kubelet)
            kubelets.insert(directory->value.raw());
    }
    for (const std::string& directory : kubelets) look_below_kubelet(finder, directory);
    for (std::string_view directory : kUsualDirectories) finder.look_in(std::string(directory));
    SocketPlaces places;
    for (const Socket& socket : table.sockets)
        if (is_unix(socket.transport) && socket.state == SocketState::listen) finder.look_for(socket, places.bound);
    places.files = std::move(finder).take();
    return places;
}

}  // namespace hopscope::procmap
