// Where sockets lie, which runtimes are asked, and a survey of the machine that runs the test.
#include "procmap/survey.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "core/limits.h"
#include "procmap/runtimes.h"
#include "procmap/socket_files.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap::test {
namespace {

void bind_at(const std::string& path, int& fd) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof address.sun_path);
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

ComponentConfig config_of(ProcessRole role, std::vector<std::pair<std::string, std::string>> values) {
    ComponentConfig config;
    config.role = role;
    for (auto& [key, value] : values) config.values.push_back({key, Untrusted(value), Untrusted("/etc/x"), 3});
    return config;
}

Socket listener(const std::string& path, std::uint32_t pid, std::uint64_t inode) {
    Socket socket;
    socket.transport = Transport::unix_stream;
    socket.state = SocketState::listen;
    socket.inode = inode;
    socket.unix_local.path = path;
    socket.owners = {{{pid, 1}, 5}};
    return socket;
}

TEST(SocketFiles, endpoints) {
    EXPECT_EQ(unix_path_of("unix:///run/x.sock"), "/run/x.sock");
    EXPECT_EQ(unix_path_of("unix:/run/x.sock"), "/run/x.sock");
    EXPECT_EQ(unix_path_of("/run/x.sock"), "/run/x.sock");
    for (const char* none : {"", "fd://", "tcp://127.0.0.1:2375", "npipe:////./pipe/docker", "unix:", "unix://x"})
        EXPECT_EQ(unix_path_of(none), "") << none;
}

TEST(SocketFiles, links_are_resolved_inside_the_root) {
    const Tree tree;
    tree.write("/run/a/x", "");
    tree.link("/var/run", "/run");
    tree.link("/run/b", "a");
    tree.link("/run/up", "../../../run/a");
    tree.link("/run/loop", "loop");
    const HostRoot root(tree.directory());
    EXPECT_EQ(resolved(root, "/var/run/b/x"), "/run/a/x");
    EXPECT_EQ(resolved(root, "/run/up/x"), "/run/a/x");
    EXPECT_EQ(resolved(root, "/run//a/./x/../x"), "/run/a/x");
    EXPECT_EQ(resolved(root, "/none/x"), "/none/x");
    EXPECT_EQ(resolved(root, "/run/loop/x"), "/run/loop/x");
    EXPECT_EQ(resolved(root, "/"), "/");
}

TEST(SocketFiles, usual_and_configured_places) {
    const Tree tree;
    for (const char* directory : {"/run/containerd/s", "/opt/kubelet/device-plugins", "/opt/kubelet/plugins/driver.io"})
        tree.write(std::string(directory) + "/.keep", "");
    tree.write("/run/docker.sock", "only a file");
    tree.link("/var/run", "/run");
    const std::vector<std::string> paths = {"/run/containerd/containerd.sock",
                                            "/run/containerd/s/00ff",
                                            "/run/own.sock",
                                            "/run/d.sock",
                                            "/opt/kubelet/device-plugins/kubelet.sock",
                                            "/opt/kubelet/plugins/driver.io/csi.sock"};
    std::vector<int> fds(paths.size(), -1);
    for (std::size_t i = 0; i < paths.size(); ++i) bind_at(tree.path(paths[i]), fds[i]);
    const std::vector<ComponentConfig> configs = {
        config_of(ProcessRole::crio, {{"listen", "/var/run/own.sock"}}),
        config_of(ProcessRole::dockerd, {{"hosts", "tcp://127.0.0.1:1,unix:///run/d.sock"}}),
        config_of(ProcessRole::kubelet, {{"root-dir", "/opt/kubelet"}})};
    const HostRoot root(tree.directory());
    const std::vector<SocketFile> files = socket_files(root, configs, {}, {}).files;
    std::vector<std::string> found;
    for (const SocketFile& file : files) {
        found.push_back(file.path.raw());
        EXPECT_EQ(file.inode, root.stat(file.path.raw())->inode);
        EXPECT_NE(file.device, 0u);
    }
    std::vector<std::string> expected = paths;
    std::ranges::sort(expected);
    EXPECT_EQ(found, expected);
    for (const int fd : fds) ::close(fd);
}

TEST(SocketFiles, of_listeners_whose_file_is_not_where_it_was_bound) {
    const Tree tree;
    tree.write("/run/.keep", "");
    tree.write("/far/.keep", "");
    tree.write("/mine/run/.keep", "");
    tree.link("/proc/20/root", "/");
    tree.link("/proc/21/root", "/mine");
    const HostRoot root(tree.directory());
    SocketTable table;
    std::vector<int> fds;
    const auto bound = [&](const std::string& at, const std::string& path, std::uint32_t pid, std::uint64_t inode) {
        bind_at(tree.path(at), fds.emplace_back(-1));
        Socket socket = listener(path, pid, inode);
        socket.file_inode = root.stat(at)->inode;
        socket.file_device = root.stat(at)->device;
        table.sockets.push_back(socket);
    };
    bound("/run/here.sock", "/run/here.sock", 20, 1);
    bound("/run/a.sock", "/run/a.sock", 20, 2);
    bound("/run/b.sock", "/run/b.sock", 20, 3);
    bound("/run/c.sock", "/run/c.sock", 20, 4);
    bound("/run/d.sock", "/run/d.sock", 20, 5);
    bound("/mine/run/e.sock", "/run/e.sock", 21, 6);
    bound("/run/f.sock", "/run/f.sock", 22, 7);
    ASSERT_EQ(::rename(tree.path("/run/a.sock").c_str(), tree.path("/run/moved.sock").c_str()), 0);
    ASSERT_EQ(::rename(tree.path("/run/b.sock").c_str(), tree.path("/far/b.sock").c_str()), 0);
    ASSERT_EQ(::unlink(tree.path("/run/c.sock").c_str()), 0);
    ASSERT_EQ(::rename(tree.path("/run/d.sock").c_str(), tree.path("/far/d.sock").c_str()), 0);
    tree.write("/run/d.sock", "another file");
    ASSERT_EQ(::unlink(tree.path("/run/f.sock").c_str()), 0);
    const std::vector<std::string> asked = {"/far/b.sock"};
    const SocketPlaces places = socket_files(root, {}, table, asked);
    std::vector<std::pair<std::uint64_t, BoundPath::State>> states;
    for (const BoundPath& each : places.bound) states.emplace_back(each.inode, each.state);
    using State = BoundPath::State;
    const std::vector<std::pair<std::uint64_t, State>> wanted = {
        {2, State::nothing}, {3, State::nothing}, {4, State::nothing}, {5, State::other_file}, {6, State::own_mounts}};
    EXPECT_EQ(states, wanted) << "of 7 nobody's files could be looked at";
    std::vector<std::string> found;
    for (const SocketFile& file : places.files) found.push_back(file.path.raw());
    EXPECT_EQ(found, (std::vector<std::string>{"/far/b.sock", "/run/moved.sock"}));
    for (const int fd : fds) ::close(fd);
}

TEST(SocketFiles, who_may_open_them_by_the_names_of_the_host) {
    const Tree tree;
    tree.link("/var/run", "/run");
    tree.write("/etc/passwd",
               "root:x:0:0:root:/root:/bin/sh\n:x:7:7::/:\nbroken\nruntime:x:4711:4712:::\nlate:x:4711:1:::\n");
    tree.write("/etc/group", "root:x:0:\nshort:x:99999999999:\nrunners:x:4712:a,b\nends:x:5");
    tree.write("/run/containerd/.keep", "");
    int fds[2] = {-1, -1};
    const std::string open = tree.path("/run/docker.sock"), hidden = tree.path("/run/containerd/containerd.sock");
    bind_at(open, fds[0]);
    bind_at(hidden, fds[1]);
    ASSERT_EQ(::chmod(open.c_str(), 0666), 0);
    ASSERT_EQ(::chmod(hidden.c_str(), 0620), 0);
    ASSERT_EQ(::chmod(tree.directory().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(tree.path("/run").c_str(), 0711), 0);
    ASSERT_EQ(::chmod(tree.path("/run/containerd").c_str(), 0750), 0);
    const bool is_root = ::chown(hidden.c_str(), 4711, 4712) == 0;
    const std::vector<SocketFile> files = socket_files(HostRoot(tree.directory()), {}, {}, {}).files;
    ASSERT_EQ(files.size(), 2u);
    ASSERT_TRUE(files[0].access && files[1].access);
    EXPECT_EQ(files[0].access->mode, 0620u);
    EXPECT_FALSE(files[0].access->others_get_there);
    EXPECT_EQ(files[1].access->mode, 0666u);
    EXPECT_TRUE(files[1].access->others_get_there);
    if (is_root) {
        EXPECT_EQ(files[0].access->user_id, 4711u);
        EXPECT_EQ(files[0].access->user.raw(), "runtime");
        EXPECT_EQ(files[0].access->group.raw(), "runners");
        EXPECT_EQ(files[1].access->user.raw(), "root");
    }
    for (const int fd : fds) ::close(fd);
}

TEST(ChooseRuntimes, only_where_somebody_listens) {
    const Tree tree;
    tree.link("/var/run", "/run");
    const HostRoot root(tree.directory());
    SocketTable table;
    Process kubelet, dockerd, systemd;
    systemd.id = {1, 1};
    kubelet.id = {10, 1};
    kubelet.role = ProcessRole::kubelet;
    dockerd.id = {20, 1};
    dockerd.role = ProcessRole::dockerd;
    table.processes = {systemd, kubelet, dockerd};
    table.sockets = {listener("/run/docker.sock", 20, 100), listener("/var/run/dockershim.sock", 10, 101),
                     listener("/run/c/c.sock", 30, 102), listener("/run/off.sock", 40, 103)};
    const std::vector<ComponentConfig> configs = {
        config_of(ProcessRole::containerd, {{"grpc.address", "/run/c/c.sock"}}),
        config_of(ProcessRole::containerd,
                  {{"grpc.address", "/run/off.sock"}, {"disabled_plugins", "x,io.containerd.grpc.v1.cri"}}),
        config_of(ProcessRole::crio, {{"listen", "/var/run/crio/crio.sock"}}),
        config_of(ProcessRole::dockerd, {{"hosts", "fd://,tcp://0.0.0.0:2375"}}),
        config_of(ProcessRole::kubelet, {{"containerRuntimeEndpoint", "unix:///run/c/c.sock"}}),
    };
    const RuntimeChoice choice = choose_runtimes(root, table, configs, {});
    ASSERT_EQ(choice.ask.size(), 3u);
    EXPECT_EQ(choice.ask[0].socket.path, "/run/c/c.sock");
    EXPECT_EQ(choice.ask[0].socket.open_path, tree.path("/run/c/c.sock"));
    EXPECT_EQ(choice.ask[0].socket.component, "containerd");
    EXPECT_EQ(choice.ask[0].inode, 102u);
    EXPECT_EQ(choice.ask[1].socket.path, "/run/docker.sock");
    EXPECT_TRUE(choice.ask[1].socket.docker_api);
    EXPECT_EQ(choice.ask[2].socket.path, "/run/dockershim.sock");
    EXPECT_FALSE(choice.ask[2].socket.docker_api);
    ASSERT_EQ(choice.not_asked.size(), 1u);
    EXPECT_EQ(choice.not_asked[0].why_not, "its CRI plugin is off (disabled_plugins, /etc/x:3)");
}

// containerd binds under another name and renames: the path of the socket is old, its file's numbers are right.
TEST(ChooseRuntimes, a_renamed_socket_is_known_by_its_file) {
    const Tree tree;
    SocketTable table;
    table.sockets = {listener("/run/containerd/tmp123", 30, 102)};
    table.sockets[0].file_device = 7;
    table.sockets[0].file_inode = 99;
    const std::vector<SocketFile> other = {{Untrusted("/run/containerd/containerd.sock"), 7, 98}};
    EXPECT_TRUE(choose_runtimes(HostRoot(tree.directory()), table, {}, other).ask.empty());
    const std::vector<SocketFile> same = {{Untrusted("/run/containerd/containerd.sock"), 7, 99}};
    const RuntimeChoice choice = choose_runtimes(HostRoot(tree.directory()), table, {}, same);
    ASSERT_EQ(choice.ask.size(), 1u);
    EXPECT_EQ(choice.ask[0].inode, 102u);
}

TEST(Survey, settings_are_read_again_only_when_their_files_change) {
    const Tree tree;
    tree.write("/proc/1/stat", "");
    tree.write("/etc/k.yaml", "port: 1\n");
    tree.write("/proc/50/stat",
               "50 (kubelet) S 1 50 50 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 "
               "0 0 0\n");
    tree.write("/proc/50/comm", "kubelet\n");
    tree.write("/proc/50/status", "Name:\tkubelet\nPPid:\t1\nUid:\t0\t0\t0\t0\n");
    tree.write("/proc/50/cmdline", std::string("kubelet\0--config=/etc/k.yaml\0", 29));
    tree.write("/usr/bin/kubelet",
               "go1.20\n\tpath\tk8s.io/kubernetes/cmd/kubelet\n\tmod\tk8s.io/kubernetes\t(devel)\n");
    tree.link("/proc/50/exe", "/usr/bin/kubelet");
    tree.write("/proc/50/net/tcp", "  sl  local_address rem_address   st\n");
    tree.link("/proc/net", "50/net");
    Survey survey({.root = HostRoot(tree.directory())}, {});
    const auto port = [&] {
        const Result<Node> node = survey.take();
        EXPECT_TRUE(node.has_value()) << (node ? "" : node.error().why);
        if (!node || node->configs.empty()) return std::string("none");
        return node->configs[0].find("port")->value.raw();
    };
    EXPECT_EQ(port(), "1");
    EXPECT_EQ(port(), "1");
    tree.write("/etc/k.yaml", "port: 12\n");
    EXPECT_EQ(port(), "12");
}

// Listeners on loopback that end every connection at once.
class Doors {
public:
    explicit Doors(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
            EXPECT_EQ(::listen(fd, 8), 0);
            socklen_t size = sizeof address;
            ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
            places.push_back({*IpAddress::parse("127.0.0.1"), ntohs(address.sin_port)});
            waiting_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
        }
        thread_ = std::thread([this] {
            while (!over_) {
                if (::poll(waiting_.data(), waiting_.size(), 10) <= 0) continue;
                for (const pollfd& each : waiting_) {
                    if (each.revents == 0) continue;
                    const int fd = ::accept4(each.fd, nullptr, nullptr, SOCK_CLOEXEC);
                    if (fd < 0) continue;
                    ++knocks;
                    ::close(fd);
                }
            }
        });
    }
    ~Doors() {
        over_ = true;
        thread_.join();
        for (const pollfd& each : waiting_) ::close(each.fd);
    }
    std::vector<Endpoint> places;
    std::atomic<std::size_t> knocks = 0;

private:
    std::vector<pollfd> waiting_;
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

TEST(Survey, probes_what_was_chosen_and_tells_what_it_did_not) {
    Doors doors(limits::kProbesMax + 2);
    std::vector<Endpoint> chosen = doors.places;
    chosen.push_back(doors.places.front());  // asked for twice
    chosen.push_back({*IpAddress::parse("192.0.2.1"), 80});
    Survey survey({.root = HostRoot("/")},
                  {.ask_runtimes = false, .probe = true, .probe_choice = [&](const Node& node) {
                       EXPECT_FALSE(node.table.sockets.empty());
                       return chosen;
                   }});
    const Result<Node> node = survey.take();
    ASSERT_TRUE(node.has_value());
    EXPECT_EQ(node->probes.size(), limits::kProbesMax);
    const auto told = [&](const std::string& sentence) { return std::ranges::count(node->limits, sentence); };
    EXPECT_EQ(told("1 listener was not asked by --probe: it listens on another address than loopback, or in another "
                   "network namespace"),
              1);
    EXPECT_EQ(told("2 listeners were not asked by --probe: no more than 64 are asked; hopscope why PORT --probe asks "
                   "one by name"),
              1);
    // Each is asked once, however often one looks (--watch).
    const std::size_t knocks = doors.knocks;
    EXPECT_GE(knocks, limits::kProbesMax);
    const Result<Node> again = survey.take();
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->probes.size(), limits::kProbesMax);
    EXPECT_EQ(doors.knocks, knocks);
}

TEST(Survey, of_this_machine) {
    Survey survey({.root = HostRoot("/")}, {});
    const auto begin = std::chrono::steady_clock::now();
    const Result<Node> first = survey.take();
    const auto middle = std::chrono::steady_clock::now();
    ASSERT_TRUE(first.has_value()) << first.error().why;
    const Process* self = find_process(first->table, static_cast<std::uint32_t>(::getpid()));
    EXPECT_NE(self, nullptr);
    EXPECT_LT(first->ephemeral_low, first->ephemeral_high);
    const Result<Node> again = survey.take();
    const auto end = std::chrono::steady_clock::now();
    ASSERT_TRUE(again.has_value());
    RecordProperty("first_us",
                   static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(middle - begin).count()));
    RecordProperty("again_us",
                   static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(end - middle).count()));
    EXPECT_EQ(first->configs.size(), again->configs.size());
}

}  // namespace
}  // namespace hopscope::procmap::test
