#include "procmap/host_root.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
    // As in a container with the host's root at /host: another name of a root whose /proc is the real one.
    const HostRoot root("/proc/self/root");
    ASSERT_FALSE(root.is_live());
    EXPECT_TRUE(root.has_real_proc());
    const std::string own = "/proc/" + std::to_string(::getpid());
    for (const std::string file : {"/exe", "/fd/0", "/cwd", "/root", "/ns/net"})
        EXPECT_TRUE(root.stat(own + file)) << file;
    EXPECT_TRUE(root.stat(own + "/exe")->is_regular);
    EXPECT_EQ(root.stat("/proc/self/exe")->inode, HostRoot().stat("/proc/self/exe")->inode);
    EXPECT_EQ(root.stat(own + "/root/etc")->inode, HostRoot().stat("/etc")->inode);
    const auto through = root.stat(own + "/cwd/CMakeLists.txt");  // what lies below leads anywhere
    ASSERT_FALSE(through);
    EXPECT_EQ(through.error().errno_value, EXDEV);
}

// A link that leads to itself, and one that leads to where it would be outside: neither is followed out of the tree.
TEST(HostRoot, NoLinkOfATreeLeadsOut) {
    Tree outside;
    outside.write("/secret", "of the node");
    Tree tree;
    tree.link("/proc/7/root/loop", outside.path("/secret"));
    tree.link(outside.path("/secret"), outside.path("/secret"));  // in the tree: to itself
    tree.link("/proc/7/exe", outside.path("/secret"));
    tree.link("/proc/7/cwd", "/proc/7/cwd");
    const HostRoot root(tree.directory());
    for (const char* path : {"/proc/7/root/loop", "/proc/7/exe", "/proc/7/cwd"}) {
        EXPECT_FALSE(root.read(path)) << path;
        EXPECT_FALSE(root.stat(path)) << path;
        EXPECT_FALSE(root.list(path)) << path;
    }
    Tree linked;
    std::filesystem::create_directory_symlink("/proc", linked.directory() + "/proc");
    const HostRoot other(linked.directory());
    EXPECT_FALSE(other.has_real_proc());
    EXPECT_FALSE(other.stat("/proc/" + std::to_string(::getpid()) + "/exe"));
    EXPECT_FALSE(other.open_directory("/proc"));
}

// A process of the tree whose root is a link, and links below it.
TEST(HostRoot, BelowARootOfATreesProcess) {
    Tree tree;
    tree.write("/etc/settings", "of the tree");
    tree.write("/containers/a/etc/settings", "of the container");
    tree.link("/containers/a/absolute", "/etc/settings");
    tree.link("/containers/a/up", "../../../etc/settings");
    tree.link("/proc/7/root", "/containers/a");
    const HostRoot root(tree.directory());
    EXPECT_EQ(*root.read("/proc/7/root/absolute"), "of the container");
    EXPECT_EQ(*root.read("/proc/7/root/up"), "of the container");
    EXPECT_EQ(*root.read("/proc/7/root/../../etc/settings"), "of the container");
    EXPECT_EQ(*root.read_link("/proc/7/root/absolute"), "/etc/settings");
    EXPECT_EQ(*root.list("/proc/7/root"), (std::vector<std::string>{"absolute", "etc", "up"}));
}

// The node itself: the files of a process that changed its root.
TEST(HostRoot, LinksOfAnotherRootStayInIt) {
    if (::geteuid() != 0) GTEST_SKIP() << "chroot needs root";
    Tree outside, tree;
    outside.write("/settings", "of the node");
    tree.write(outside.path("/settings"), "of the process");
    tree.link("/absolute", outside.path("/settings"));
    tree.link("/only-outside", outside.path("/other"));
    outside.write("/other", "of the node");
    tree.link("/kernels", "/proc/self/exe");
    ASSERT_EQ(::mkfifo(tree.path("/fifo").c_str(), 0600), 0);
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const bool in = ::chroot(tree.directory().c_str()) == 0 && ::chdir("/") == 0;
        if (::write(pipe[1], in ? "y" : "n", 1) == 1) ::pause();
        ::_exit(1);
    }
    ASSERT_GT(child, 0);
    char done = 'n';
    EXPECT_EQ(::read(pipe[0], &done, 1), 1);
    const std::string below = "/proc/" + std::to_string(child) + "/root";
    for (const HostRoot& root : {HostRoot(), HostRoot("/proc/self/root")}) {
        const auto read = root.read(below + "/absolute"), link = root.read_link(below + "/only-outside");
        EXPECT_EQ(read ? *read : read.error().why, "of the process");
        EXPECT_EQ(root.stat(below + "/absolute")->size_bytes, std::string("of the process").size());
        EXPECT_FALSE(root.stat(below + "/only-outside"));
        EXPECT_EQ(link ? *link : link.error().why, outside.path("/other"));
        EXPECT_FALSE(root.open(below + "/kernels"));
        EXPECT_EQ(root.read(below + "/fifo").error().why, "Not a regular file");
        EXPECT_EQ(root.read(below + "/").error().errno_value, EISDIR);
    }
    EXPECT_EQ(done, 'y');
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
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
