#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/descriptor.h"
#include "core/limits.h"
#include "procmap/table/elf_builder.h"
#include "procmap/table/fake_node.h"
#include "procmap/table/process_facts.h"
#include "procmap/table/reader.h"

namespace hopscope::procmap {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const Socket* by_inode(const SocketTable& table, std::uint64_t inode) {
    for (const Socket& socket : table.sockets)
        if (socket.inode == inode) return &socket;
    return nullptr;
}

std::string tcp_line(const char* local, const char* state, unsigned inode) {
    return std::string("   0: ") + local + " 00000000:0000 " + state +
           " 00000000:00000000 00:00000000 00000000     0        0 " + std::to_string(inode) + " 1\n";
}

TEST(FakeTree, TwoNamespacesOneOfThemAPod) {
    const test::Tree tree;
    test::add(
        tree,
        {.pid = 1, .parent = 0, .comm = "systemd", .arguments = {"/sbin/init"}, .sockets = {{3, 100}}, .start = 5});
    test::add(tree, {.pid = 20,
                     .comm = "a) (b",
                     .arguments = {"x", "", "y z"},
                     .sockets = {{4, 100}, {5, 101}},
                     .start = 77,
                     .uid = 12});
    test::add(tree, {.pid = 300, .parent = 20, .comm = "nginx", .sockets = {{6, 200}}, .net_namespace = 4026532999});
    test::add(tree, {.pid = 2, .parent = 0, .comm = "kthreadd", .flags = 0x208040});
    tree.write("/proc/net/tcp", "header\n" + tcp_line("0100007F:280A", "0A", 100));
    tree.write("/proc/net/udp", "header\n" + tcp_line("00000000:0035", "07", 101));
    tree.write("/proc/300/net/tcp",
               "header\n" + tcp_line("00000000:0050", "0A", 200) + tcp_line("00000000:0051", "0A", 201));
    tree.write("/proc/self-is-no-process/stat", "");
    tree.write("/proc/stat", "cpu  1 2 3\nintr 5\nbtime 1763742100\nprocesses 9\n");
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    EXPECT_EQ(table->method, "/proc/net + /proc/*/fd");
    ASSERT_EQ(table->processes.size(), 4U);
    const Process* odd = find_process(*table, 20);
    EXPECT_TRUE(odd->comm == "a) (b");
    EXPECT_EQ(odd->id.start_ticks, 77U);
    EXPECT_EQ(rfc3339(odd->started), "2025-11-21T16:21:40.770000000Z");
    EXPECT_EQ(rfc3339(table->booted), "2025-11-21T16:21:40.000000000Z");
    EXPECT_FALSE(runs_as_root(HostRoot(tree.directory()), 20));
    EXPECT_TRUE(runs_as_root(HostRoot(tree.directory()), 300));
    EXPECT_FALSE(runs_as_root(HostRoot(tree.directory()), 4711));
    ASSERT_EQ(odd->cmdline.size(), 3U);
    EXPECT_TRUE(odd->cmdline[1].empty());
    EXPECT_TRUE(odd->cmdline[2] == "y z");

    ASSERT_EQ(table->sockets.size(), 4U);
    const Socket* shared = by_inode(*table, 100);
    EXPECT_EQ(shared->owners, (std::vector<SocketOwner>{{{1, 5}, 3}, {{20, 77}, 4}}));
    EXPECT_EQ(to_string(shared->local), "127.0.0.1:10250");
    EXPECT_EQ(shared->net_namespace, 4026531840U);
    EXPECT_EQ(by_inode(*table, 101)->transport, Transport::udp);
    const Socket* inside = by_inode(*table, 200);
    EXPECT_EQ(inside->net_namespace, 4026532999U);
    EXPECT_EQ(inside->owners, (std::vector<SocketOwner>{{{300, 1000}, 6}}));
    EXPECT_TRUE(by_inode(*table, 201)->owners.empty());
    EXPECT_EQ(table->owners_unknown, 1U);
    EXPECT_THAT(table->limits, Contains(HasSubstr("cannot name the owner of 1 of 4 sockets")));
}

TEST(FakeTree, OnlyItsOwnNamespaceWhereAsked) {
    const test::Tree tree;
    test::add(tree, {.pid = 1, .comm = "init"});
    test::add(tree, {.pid = 300, .comm = "nginx", .net_namespace = 9});
    tree.write("/proc/1/net/tcp", tcp_line("0100007F:280A", "0A", 100));
    tree.write("/proc/300/net/tcp", tcp_line("00000000:0050", "0A", 200));
    tree.write("/proc/1/net/udp", tcp_line("00000000:0035", "07", 101));
    TableReader reader({.root = HostRoot(tree.directory()), .all_net_namespaces = false, .udp = false});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    ASSERT_EQ(table->sockets.size(), 1U);
    EXPECT_EQ(table->sockets[0].inode, 100U);
}

TEST(FakeTree, ChangesAreSeenAtOnce) {
    const test::Tree tree;
    test::add(tree, {.pid = 5, .comm = "one", .sockets = {{3, 100}}});
    tree.write("/proc/net/tcp", tcp_line("0100007F:280A", "0A", 100));
    TableReader reader({.root = HostRoot(tree.directory())});
    EXPECT_EQ(reader.read()->sockets.at(0).owners.size(), 1U);
    std::filesystem::remove_all(tree.path("/proc/5"));
    test::add(tree, {.pid = 5, .comm = "other", .start = 2000});
    const auto again = reader.read();
    EXPECT_TRUE(again->sockets.at(0).owners.empty());
    EXPECT_TRUE(again->processes.at(0).comm == "other");
}

TEST(FakeTree, WithoutProcIsAnError) {
    const test::Tree tree;
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().errno_value, ENOENT);
}

// Programs that are searched in vain, and after them the one that matters: it is told that it was not reached, and the
// next look begins where this one ended.
TEST(FakeTree, SearchedProgramsHaveAMeasureForEachLook) {
    const test::Tree tree;
    constexpr std::uint32_t kMany = limits::kProgramScanBytesPerLook / limits::kProgramScanBytesMax;
    for (std::uint32_t pid = 1; pid <= kMany; ++pid) {
        const std::string exe = "/bin/" + std::to_string(pid);
        test::write_with_holes(tree, exe, {".gopclntab"}, limits::kProgramScanBytesMax);
        test::add(tree, {.pid = pid, .comm = "x", .exe = exe});
    }
    tree.write("/bin/dockerd", test::elf64({{".gopclntab", "github.com/docker/docker/daemon.(*Daemon)"}}));
    test::add(tree, {.pid = 100, .comm = "dockerd", .arguments = {"dockerd"}, .exe = "/bin/dockerd"});
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto first = reader.read();
    ASSERT_TRUE(first);
    EXPECT_EQ(find_process(*first, 100)->role, ProcessRole::unknown);
    EXPECT_THAT(first->limits, Contains("the programs of 1 process were not searched for what they are: others took "
                                        "all of 536870912 bytes"));
    const auto second = reader.read();
    ASSERT_TRUE(second);
    EXPECT_EQ(find_process(*second, 100)->role, ProcessRole::dockerd);
    EXPECT_THAT(second->limits, Not(Contains(HasSubstr("were not searched"))));
}

// Files that are missing or hold anything: no process of them, no error.
TEST(FakeTree, BrokenProcesses) {
    const test::Tree tree;
    test::add(tree, {.pid = 1, .comm = "fine"});
    tree.write("/proc/2/stat", "");
    tree.write("/proc/3/stat", "3 (x");
    tree.write("/proc/4/stat", "4 (x) S 1 2");
    tree.write("/proc/5/comm", "no stat");
    tree.link("/proc/6/stat", "/proc/1/stat");
    tree.write("/proc/99999999999999/stat", "1 (x) S");
    tree.write("/proc/7", "a file");
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    ASSERT_EQ(table->processes.size(), 1U);
    EXPECT_TRUE(table->processes[0].comm == "fine");
}

// /proc of the running node is not taken for the tree's, whatever part of a path is a link to it.
TEST(FakeTree, LinksToTheNodesOwnProcesses) {
    const test::Tree tree;
    test::add(tree, {.pid = 1, .comm = "fine"});
    const std::string own = "/proc/" + std::to_string(::getpid());
    tree.link("/proc/5", own);
    test::add(tree, {.pid = 7, .comm = "links"});
    std::filesystem::remove_all(tree.path("/proc/7/fd"));
    std::filesystem::remove_all(tree.path("/proc/7/ns"));
    tree.link("/proc/7/fd", own + "/fd");
    tree.link("/proc/7/ns", own + "/ns");
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct stat status {};
    ASSERT_EQ(::fstat(socket.get(), &status), 0);
    tree.write("/proc/net/unix",
               "0: 00000002 00000000 00010000 0001 01 " + std::to_string(status.st_ino) + " /run/x\n");
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    ASSERT_EQ(table->processes.size(), 2U);
    EXPECT_TRUE(table->processes[1].comm == "links");
    EXPECT_EQ(table->processes[1].net_namespace, 0U);
    EXPECT_EQ(table->processes[1].pid_namespace, 0U);
    ASSERT_EQ(table->sockets.size(), 1U);
    EXPECT_TRUE(table->sockets[0].owners.empty());

    const test::Tree linked;
    std::filesystem::create_directory_symlink("/proc", linked.path("/proc"));
    TableReader other({.root = HostRoot(linked.directory())});
    EXPECT_FALSE(other.read());
}

// A name with a line end gives a descriptor of somebody else a path.
TEST(FakeTree, MadeUpLinesOfUnixSockets) {
    const test::Tree tree;
    test::add(tree, {.pid = 1, .comm = "containerd", .sockets = {{3, 100}, {4, 101}, {5, 102}}});
    test::add(tree, {.pid = 9, .comm = "liar", .sockets = {{3, 300}}});
    const auto line = [](unsigned inode, const std::string& rest) {
        return "0000000000000000: 00000002 00000000 00010000 0001 01 " + std::to_string(inode) + rest + "\n";
    };
    tree.write("/proc/net/tcp", tcp_line("0100007F:280A", "0A", 102));
    tree.write("/proc/net/unix", "Num       RefCount Protocol Flags    Type St Inode Path\n" + line(300, " @x") +
                                     line(100, " /run/evil.sock") + line(301, " @x") + line(101, " /run/e") +
                                     line(302, " @x") + line(102, " /run/evil.sock") + line(7, "") +
                                     line(100, " /run/true.sock") + line(8, " @b") + line(101, " /run/f"));
    TableReader reader({.root = HostRoot(tree.directory())});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    EXPECT_EQ(by_inode(*table, 100)->unix_local.path, "/run/true.sock");  // this one cannot be the end of a name
    EXPECT_EQ(by_inode(*table, 101)->unix_local.path, "");                // one of the two is made up: which?
    EXPECT_NE(by_inode(*table, 101)->state, SocketState::listen);
    EXPECT_EQ(by_inode(*table, 101)->owners.size(), 1U);
    EXPECT_EQ(by_inode(*table, 102)->transport, Transport::tcp);
    for (const Socket& socket : table->sockets) EXPECT_NE(socket.unix_local.path, "/run/evil.sock");
    EXPECT_THAT(table->limits, Contains(HasSubstr("4 lines of /proc/net/unix contradicted others")));
}

TEST(ProcessFacts, OnlyAllFourUsersOfRootAreRoot) {
    const test::Tree tree;
    const HostRoot root(tree.directory());
    const auto is_root = [&](std::string_view users) {
        tree.write("/proc/7/status", "Name:\tx\nUid:\t" + std::string(users) + "\nGid:\t0\t0\t0\t0\n");
        return runs_as_root(root, 7);
    };
    EXPECT_TRUE(is_root("0\t0\t0\t0"));
    EXPECT_FALSE(is_root("65534\t0\t0\t0"));  // a setuid program that nobody started
    EXPECT_FALSE(is_root("0\t65534\t0\t0"));
    EXPECT_FALSE(is_root("0\t0\t1\t0"));
    EXPECT_FALSE(is_root("0\t0\t0\t10"));
    EXPECT_FALSE(is_root("0\t0"));
    EXPECT_FALSE(is_root(""));
    EXPECT_FALSE(runs_as_root(root, 8));
}

TEST(ProcessFacts, StatCutAnywhere) {
    const std::string line = "42 (a) b (c)) S 7 1 1 0 -1 2097152 0 0 0 0 0 0 0 0 0 0 0 0 68125 1 2";
    ProcessFacts facts;
    ASSERT_TRUE(parse_stat(line, facts));
    EXPECT_TRUE(facts.process.comm == "a) b (c)");
    EXPECT_EQ(facts.process.parent_pid, 7U);
    EXPECT_TRUE(facts.is_kernel_thread);
    EXPECT_EQ(facts.process.id.start_ticks, 68125U);
    for (std::size_t length = 0; length < line.find("68125"); ++length) {
        ProcessFacts cut;
        EXPECT_FALSE(parse_stat(line.substr(0, length), cut)) << length;
    }
}

TEST(ProcessFacts, PlacesInMemory) {
    const std::string start = "42 (a) S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 68125 1 2 18446744073709551615 ";
    ProcessFacts facts;
    ASSERT_TRUE(parse_stat(start + "94 95 140723 0 0", facts));
    EXPECT_EQ(facts.places, (MemoryPlaces{94, 95, 140723}));
    facts = {};
    ASSERT_TRUE(parse_stat(start + "1 1 0 0 0", facts));  // of somebody else's process
    EXPECT_EQ(facts.places, MemoryPlaces());
    facts = {};
    ASSERT_TRUE(parse_stat(start + "94 95", facts));  // an old kernel's line, or a cut one
    EXPECT_EQ(facts.places, MemoryPlaces());
}

}  // namespace
}  // namespace hopscope::procmap
