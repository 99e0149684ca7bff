#include "procmap/names/arguments.h"

#include "procmap/names/execs.h"
#include "procmap/names/fake_server.h"

namespace hopscope::procmap::test {
namespace {

Process with(std::uint32_t pid, ProcessRole role, const std::vector<std::string>& cmdline) {
    Process process;
    process.id = {pid, 7};
    process.role = role;
    for (const std::string& word : cmdline) process.cmdline.emplace_back(word);
    return process;
}

TEST(ShimArguments, three_generations) {
    const auto v2 = shim_arguments(with(1, ProcessRole::containerd_shim,
                                        {"/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", hex_id('a'),
                                         "-address", "/run/containerd/containerd.sock", "-debug"}));
    ASSERT_TRUE(v2);
    EXPECT_EQ(v2->namespace_, "k8s.io");
    EXPECT_EQ(v2->id, hex_id('a'));
    EXPECT_EQ(v2->address, "/run/containerd/containerd.sock");
    const auto v1 = shim_arguments(
        with(1, ProcessRole::containerd_shim,
             {"containerd-shim", "-namespace", "moby", "-workdir",
              "/var/lib/containerd/io.containerd.runtime.v1.linux/moby/" + hex_id('b'), "-address=/run/c.sock"}));
    ASSERT_TRUE(v1);
    EXPECT_EQ(v1->id, hex_id('b'));
    EXPECT_EQ(v1->address, "/run/c.sock");
    const auto old = shim_arguments(
        with(1, ProcessRole::containerd_shim, {"docker-containerd-shim", hex_id('c'), "/var/run/x", "docker-runc"}));
    ASSERT_TRUE(old);
    EXPECT_EQ(old->id, hex_id('c'));
    EXPECT_EQ(old->namespace_, "");
    for (const std::vector<std::string>& odd : std::vector<std::vector<std::string>>{
             {}, {"shim"}, {"shim", "-id"}, {"shim", "-id", "web"}, {"shim", "-workdir", ""}})
        EXPECT_FALSE(shim_arguments(with(1, ProcessRole::containerd_shim, odd)));
}

TEST(ProcessNames, sandbox_container_and_pod_from_command_lines_and_cgroups) {
    SocketTable table;
    table.processes.push_back(
        with(10, ProcessRole::containerd_shim, {"shim", "-namespace", "k8s.io", "-id", hex_id('a')}));
    Process member = with(20, ProcessRole::in_container, {"httpd"});
    member.parent_pid = 10;
    member.container_id = Untrusted(hex_id('b'));
    member.pod_uid = Untrusted("u1");
    table.processes.push_back(member);
    table.processes.push_back(
        with(30, ProcessRole::conmon, {"conmon", "-b", "/x", "-c", hex_id('c'), "-n", "k8s_main_web_default_u2_0"}));
    table.processes.push_back(
        with(31, ProcessRole::conmon, {"conmon", "-c", hex_id('d'), "-n", "k8s_POD_web_default_u2_0"}));
    table.processes.push_back(with(32, ProcessRole::conmon, {"conmon", "-c", hex_id('e'), "-n", "toolbox"}));
    // Only called so: gives no name.
    table.processes.push_back(
        with(40, ProcessRole::unknown, {"containerd-shim", "-namespace", "k8s.io", "-id", hex_id('f')}));
    const std::vector<ContainerNames> all = names_from_processes(table);
    const auto find = [&](char digit) {
        for (const ContainerNames& names : all)
            if (names.id == hex_id(digit)) return names;
        return ContainerNames{};
    };
    EXPECT_EQ(all.size(), 5u);
    EXPECT_EQ(find('a').sandbox_id, hex_id('a'));
    EXPECT_EQ(find('a').pod_uid.raw(), "u1");
    EXPECT_EQ(find('a').source, "shim arguments of process 10");
    EXPECT_EQ(find('b').sandbox_id, hex_id('a'));
    EXPECT_EQ(find('b').runtime, "containerd");
    EXPECT_EQ(find('b').source, "cgroup of process 20");
    EXPECT_EQ(find('c').name.raw(), "main");
    EXPECT_EQ(find('c').pod.raw(), "web");
    EXPECT_EQ(find('c').namespace_.raw(), "default");
    EXPECT_EQ(find('c').runtime, "cri-o");
    EXPECT_EQ(find('d').sandbox_id, hex_id('d'));
    EXPECT_EQ(find('e').name.raw(), "toolbox");
    EXPECT_EQ(find('e').runtime, "podman");
    EXPECT_EQ(find('f').id, "");
}

TEST(ExecFifo, forms) {
    const std::string cri = "/run/containerd/io.containerd.grpc.v1.cri/containers/" + hex_id('a') + "/io/3612524634/";
    const std::string path = cri + hex_id('b') + "-stdin";  // stream_fifo() answers with parts of it
    const auto found = stream_fifo(path);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->container_id, hex_id('a'));
    EXPECT_EQ(found->exec_id, hex_id('b'));
    EXPECT_TRUE(stream_fifo("/var/run/docker/containerd/" + hex_id('a') + "/" + hex_id('b') + "-stderr"));
    const std::string own = cri + hex_id('a') + "-stdout";
    ASSERT_TRUE(stream_fifo(own));
    EXPECT_EQ(stream_fifo(own)->exec_id, stream_fifo(own)->container_id);
    EXPECT_FALSE(stream_fifo("/var/run/docker/containerd/" + hex_id('a') + "/init-stdout"));
    EXPECT_FALSE(stream_fifo(cri + hex_id('b') + "-stdin (deleted)"));
    for (const std::string& odd : {std::string(), std::string("/"), std::string("-stdin"), "socket:[1]" + std::string(),
                                   cri, hex_id('b') + "-stdin", "/" + hex_id('a') + "/" + hex_id('b') + "-stdin",
                                   "/x/containers/" + hex_id('a') + "/io/1/" + hex_id('b') + "-stdin"})
        EXPECT_FALSE(stream_fifo(odd)) << odd;
}

TEST(RunningExecs, holders_of_the_fifos) {
    const Tree tree;
    const std::string base =
        "/run/containerd/io.containerd.grpc.v1.cri/containers/" + hex_id('a') + "/io/1/" + hex_id('b');
    tree.link("/proc/10/fd/17", base + "-stdin");
    tree.link("/proc/10/fd/9", base + "-stdout");
    tree.link("/proc/10/fd/3", "socket:[5]");
    tree.link("/proc/20/fd/5", base + "-stdout");
    tree.link("/proc/30/fd/5", base + "-stdout");
    SocketTable table;
    table.processes = {with(10, ProcessRole::containerd_shim, {}), with(20, ProcessRole::containerd, {}),
                       with(30, ProcessRole::unknown, {}), with(40, ProcessRole::containerd, {})};
    const std::vector<RunningExec> execs = running_execs(HostRoot(tree.directory()), table);
    ASSERT_EQ(execs.size(), 1u);
    EXPECT_EQ(execs[0].container_id, hex_id('a'));
    EXPECT_EQ(execs[0].exec_id.raw(), hex_id('b'));
    const std::vector<SocketOwner> holders = {{{10, 7}, 9}, {{10, 7}, 17}, {{20, 7}, 5}};
    EXPECT_EQ(execs[0].holders, holders);
    tree.link("/proc/20/fd/6", "/run/containerd/io.containerd.grpc.v1.cri/containers/" + hex_id('c') + "/io/2/" +
                                   hex_id('c') + "-stdout");
    const std::vector<HeldStreams> all = held_streams(HostRoot(tree.directory()), table);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_TRUE(all[0].input);
    EXPECT_EQ(all[1].container_id, hex_id('c'));
    EXPECT_EQ(all[1].exec_id, hex_id('c'));  // its main process
    EXPECT_FALSE(all[1].input);
}

}  // namespace
}  // namespace hopscope::procmap::test
