#include "procmap/host_root.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "procmap/table/tree.h"

namespace hopscope::procmap {
namespace {

using test::Tree;

TEST(HostRoot, LiveRootIsTheNode) {
    const HostRoot root;
    EXPECT_TRUE(root.is_live());
    EXPECT_EQ(root.path("/proc/self/stat"), "/proc/self/stat");
    const auto stat = root.read("/proc/self/stat");
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->substr(0, stat->find(' ')), std::to_string(::getpid()));
    EXPECT_EQ(HostRoot("///").directory(), "");
    EXPECT_EQ(HostRoot("/host/").path("/etc"), "/host/etc");
    EXPECT_FALSE(HostRoot("/host/").is_live());
}

TEST(HostRoot, ReadsAtMostTheLimit) {
    Tree tree;
    tree.write("/etc/long", std::string(10'000, 'x'));
    tree.write("/etc/empty", "");
    const HostRoot root(tree.directory());
    EXPECT_EQ(root.read("/etc/long")->size(), 10'000U);
    EXPECT_EQ(root.read("/etc/long", 5000)->size(), 5000U);
    EXPECT_EQ(root.read("/etc/long", 0)->size(), 0U);
    EXPECT_EQ(*root.read("/etc/empty"), "");
    const auto missing = root.read("/etc/none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().errno_value, ENOENT);
    EXPECT_EQ(root.read("/etc").error().errno_value, EISDIR);
}

TEST(HostRoot, LinksStayBelowTheRoot) {
    Tree tree;
    tree.write("/etc/passwd", "of the tree");
    tree.write("/usr/bin/thing", "program");
    tree.link("/etc/absolute", "/etc/passwd");
    tree.link("/etc/up", "../../../../../../../../etc/passwd");
    tree.link("/bin", "/usr/bin");
    tree.link("/proc/7/exe", "/usr/bin/thing");
    const HostRoot root(tree.directory());
    EXPECT_EQ(*root.read("/etc/absolute"), "of the tree");
    EXPECT_EQ(*root.read("/etc/up"), "of the tree");
    EXPECT_EQ(*root.read("/bin/thing"), "program");
    EXPECT_EQ(*root.read("/proc/7/exe"), "program");
    EXPECT_EQ(*root.read_link("/proc/7/exe"), "/usr/bin/thing");
    EXPECT_EQ(root.stat("/etc/absolute")->size_bytes, 11U);
    EXPECT_EQ(root.read_link("/etc/passwd").error().errno_value, EINVAL);
}

TEST(HostRoot, FollowsLinksOfTheKernelBelowAnotherRoot) {
    // As in a container with the host's root at /host: here the tree's /proc is the real one.
    Tree tree;
    std::filesystem::create_directory_symlink("/proc", tree.directory() + "/proc");
    const HostRoot root(tree.directory());
    // The link itself is absolute and so leads to the tree's own (looping) /proc: only the plain way remains.
    const auto exe = root.stat("/proc/" + std::to_string(::getpid()) + "/exe");
    ASSERT_TRUE(exe) << exe.error().why;
    EXPECT_TRUE(exe->is_regular);
}

TEST(HostRoot, ReadsOnlyRegularFiles) {
    Tree tree;
    tree.write("/run/file", "x");
    ASSERT_EQ(::mkfifo(tree.path("/run/fifo").c_str(), 0600), 0);
    const HostRoot root(tree.directory());
    const auto fifo = root.read("/run/fifo");
    ASSERT_FALSE(fifo);
    EXPECT_EQ(fifo.error().why, "Not a regular file");
    EXPECT_TRUE(root.stat("/run/fifo")->is_fifo);
    EXPECT_FALSE(HostRoot().read("/dev/zero", 16));
}

TEST(HostRoot, ListsSorted) {
    Tree tree;
    for (const char* name : {"/d/b", "/d/a", "/d/.c"}) tree.write(name, "");
    const HostRoot root(tree.directory());
    EXPECT_EQ(*root.list("/d"), (std::vector<std::string>{".c", "a", "b"}));
    EXPECT_EQ(root.list("/d/a").error().errno_value, ENOTDIR);
    EXPECT_EQ(root.list("/none").error().errno_value, ENOENT);
}

}  // namespace
}  // namespace hopscope::procmap
