// What is left after privileges were given up: tried in a child process, as it cannot be undone.
#include "cli/privileges.h"

#include <cap-ng.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace hopscope::cli {
namespace {

int in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

bool has(unsigned capability) {
    capng_get_caps_process();
    return capng_have_capability(CAPNG_EFFECTIVE, capability) != 0;
}

TEST(Privileges, OnlyWhatWasAskedForIsLeft) {
    if (!has(CAP_NET_RAW) || !has(CAP_SYS_PTRACE)) GTEST_SKIP() << "needs root";
    const int seen = in_child([] {
        if (!drop_privileges({.user = {}, .keep = {CAP_SYS_PTRACE}})) return 255;
        const bool raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_TCP) >= 0;
        return (raw ? 1 : 0) | (has(CAP_NET_RAW) ? 2 : 0) | (has(CAP_SYS_PTRACE) ? 4 : 0) |
               (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 8 : 0) |
               (::prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) == 1 ? 16 : 0);
    });
    EXPECT_EQ(seen, 4 | 8);
}

TEST(Privileges, AnotherUserKeepsTheCapabilitiesButNotRoot) {
    const passwd* nobody = ::getpwnam("nobody");
    if (::geteuid() != 0 || !has(CAP_SETUID) || !has(CAP_SETPCAP) || nobody == nullptr)
        GTEST_SKIP() << "needs root and a user nobody";
    const uid_t uid = nobody->pw_uid;
    const int seen = in_child([uid] {
        if (!drop_privileges({.user = "nobody", .keep = {CAP_SYS_PTRACE}})) return 255;
        gid_t groups[64];
        const int count = ::getgroups(64, groups);
        bool root_group = ::getegid() == 0;
        for (int i = 0; i < count; ++i) root_group = root_group || groups[i] == 0;
        return (::geteuid() == uid && ::getuid() == uid ? 1 : 0) | (::setuid(0) == 0 ? 2 : 0) |
               (has(CAP_SYS_PTRACE) ? 4 : 0) | (has(CAP_SETUID) ? 8 : 0) | (root_group ? 16 : 0);
    });
    EXPECT_EQ(seen, 1 | 4);
}

TEST(Privileges, UnknownUserIsAnError) {
    const Status dropped = drop_privileges({.user = "no-such-user-here", .keep = {}});
    ASSERT_FALSE(dropped);
    EXPECT_EQ(dropped.error().code, "PRV-01");
}

TEST(Privileges, WithoutAnyThereIsNothingToGiveUp) {
    if (::geteuid() != 0 || !has(CAP_SETUID)) GTEST_SKIP() << "needs root";
    const int seen = in_child([] {
        if (!drop_privileges({.user = "nobody", .keep = {}})) return 255;
        return drop_privileges({.user = {}, .keep = {CAP_SYS_PTRACE}}) && !has(CAP_SYS_PTRACE) ? 0 : 1;
    });
    EXPECT_EQ(seen, 0);
}

}  // namespace
}  // namespace hopscope::cli
