#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "procmap/table/fake_node.h"
#include "procmap/table/process_facts.h"
#include "procmap/table/reader.h"

namespace hopscope::procmap {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

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
