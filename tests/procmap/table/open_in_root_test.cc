#include "procmap/open_in_root.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/descriptor.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap {
namespace {

using test::Tree;
using Open = int (*)(int, std::string_view, int);

// Both ways, the kernel's and ours, have to agree.
class OpenInRoot : public ::testing::TestWithParam<Open> {
protected:
    void SetUp() override {
        tree_.write("/etc/passwd", "x");
        tree_.write("/deep/a/b/c", "y");
        tree_.link("/absolute", "/etc/passwd");
        tree_.link("/deep/up", "../../../../etc/passwd");
        tree_.link("/deep/a/again", "/deep/../absolute");
        tree_.link("/deep/directory", "a/b");
        tree_.link("/loop", "/loop");
        tree_.link("/empty-handed", "/nowhere");
        root_.reset(::open(tree_.directory().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    // The inode; 0 and errno_.
    ino_t open(std::string_view path, int flags = O_RDONLY) {
        const Descriptor fd(GetParam()(root_.get(), path, flags | O_CLOEXEC));
        errno_ = errno;
        struct stat status {};
        return fd.ok() && ::fstat(fd.get(), &status) == 0 ? status.st_ino : 0;
    }
    ino_t inode(std::string_view path) {
        struct stat status {};
        EXPECT_EQ(::lstat(tree_.path(path).c_str(), &status), 0) << path;
        return status.st_ino;
    }

    Tree tree_;
    Descriptor root_;
    int errno_ = 0;
};

TEST_P(OpenInRoot, StaysBelow) {
    const ino_t file = inode("/etc/passwd");
    for (const char* path : {"/etc/passwd", "etc/passwd", "/absolute", "/deep/up", "/deep/a/again", "/../../etc/passwd",
                             "//etc/./passwd", "/deep/a/../../etc/passwd"})
        EXPECT_EQ(open(path), file) << path;
    for (const char* path : {"/", "", "..", "/etc/..", "/deep/directory/../../.."}) EXPECT_EQ(open(path), inode("/"));
    EXPECT_EQ(open("/deep/directory/c"), inode("/deep/a/b/c"));
    EXPECT_EQ(open("/deep/directory/", O_RDONLY | O_DIRECTORY), inode("/deep/a/b"));
    EXPECT_EQ(open("/deep/directory/", O_PATH), inode("/deep/a/b"));
}

TEST_P(OpenInRoot, TellsWhyNot) {
    const std::pair<const char*, int> cases[] = {{"/loop", ELOOP},
                                                 {"/empty-handed", ENOENT},
                                                 {"/etc/none", ENOENT},
                                                 {"/etc/passwd/x", ENOTDIR},
                                                 {"/etc/passwd/", ENOTDIR}};
    for (const auto& [path, error] : cases) {
        EXPECT_EQ(open(path), 0U) << path;
        EXPECT_EQ(errno_, error) << path;
    }
    EXPECT_EQ(open("/etc/passwd", O_RDONLY | O_DIRECTORY), 0U);
    EXPECT_EQ(errno_, ENOTDIR);
}

TEST_P(OpenInRoot, TheLinkItself) {
    EXPECT_EQ(open("/absolute", O_PATH | O_NOFOLLOW), inode("/absolute"));
    EXPECT_EQ(open("/absolute", O_RDONLY | O_NOFOLLOW), 0U);
    EXPECT_EQ(errno_, ELOOP);
}

TEST_P(OpenInRoot, LinksOfTheKernelAreNotFollowed) {
    root_.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    EXPECT_NE(open("/proc/self/stat"), 0U);  // "self" is one that has a path
    EXPECT_NE(open("/proc/net/unix"), 0U);
    for (const char* path : {"/proc/self/exe", "/proc/self/root/etc", "/proc/self/cwd", "/proc/self/ns/net"}) {
        EXPECT_EQ(open(path), 0U) << path;
        EXPECT_EQ(errno_, EXDEV) << path;
    }
    EXPECT_NE(open("/proc/self/exe", O_PATH | O_NOFOLLOW), 0U);
}

INSTANTIATE_TEST_SUITE_P(BothWays, OpenInRoot, ::testing::Values(&open_in_root, &walk_in_root));

}  // namespace
}  // namespace hopscope::procmap
