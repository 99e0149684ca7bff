// The verdicts against what really works: in children that keep some capabilities and drop the others.
#include "procmap/bpf/capabilities.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <map>
#include <set>

#include "procmap/bpf/lockdown.h"
#include "procmap/bpf/process_watcher.h"
#include "procmap/bpf/scanner.h"
#include "procmap/bpf/watcher.h"
#include "sockets_of_a_test.h"

namespace hopscope::procmap {
namespace {

using namespace hopscope::test;
using State = Capability::State;

std::map<std::string, Capability> verdicts() {
    std::map<std::string, Capability> by_code;
    for (Capability& row : check_capabilities()) {
        const std::string code = row.code;
        EXPECT_TRUE(by_code.emplace(code, std::move(row)).second) << code << " twice";
    }
    return by_code;
}

TEST(Capabilities, every_row_says_what_it_means) {
    const auto rows = verdicts();
    const std::set<std::string> expected = {"BPF-01", "BPF-02", "BPF-03", "BPF-04", "BPF-05", "BPF-06",
                                            "CAP-01", "CAP-03", "CAP-04", "CAP-05", "CAP-06", "CAP-07"};
    std::set<std::string> codes;
    for (const auto& [code, row] : rows) {
        codes.insert(code);
        EXPECT_FALSE(row.name.empty()) << code;
        EXPECT_FALSE(row.detail.empty()) << code;
        EXPECT_EQ(row.state == State::ok, row.lost.empty()) << code;
        EXPECT_EQ(row.state == State::ok, row.remedy.empty()) << code;
        std::printf("%s %-26s %s | %s\n", code.c_str(), row.name.c_str(), row.state == State::ok ? "ok" : "--",
                    row.detail.c_str());
    }
    EXPECT_EQ(codes, expected);
}

TEST(Lockdown, mode_in_force) {
    EXPECT_EQ(lockdown_mode_in("none [integrity] confidentiality\n"), "integrity");
    EXPECT_EQ(lockdown_mode_in("[none] integrity confidentiality\n"), "none");
    EXPECT_EQ(lockdown_mode_in("none integrity [confidentiality]\n"), "confidentiality");
    for (const char* nothing : {"", "none", "]none[", "[none", "none]"}) EXPECT_EQ(lockdown_mode_in(nothing), "");
    if (lockdown_mode() != "confidentiality") EXPECT_FALSE(is_refused_by_lockdown(EINVAL));
    EXPECT_FALSE(is_refused_by_lockdown(EPERM));
}

// A process of another user, which needs both capabilities to be looked into.
class Stranger {
public:
    Stranger() {
        int quit[2];
        if (::pipe(quit) != 0) return;
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(quit[1]);
            if (::setresuid(12345, 12345, 12345) != 0) ::_exit(1);
            char end = 0;
            [[maybe_unused]] const ssize_t got = ::read(quit[0], &end, 1);
            ::_exit(0);
        }
        ::close(quit[0]);
        quit_ = Fd(quit[1]);
        ::usleep(20'000);
    }
    ~Stranger() {
        quit_.close();
        ::waitpid(pid_, nullptr, 0);
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    Fd quit_;
};

bool descriptors_of(pid_t pid) {
    DIR* directory = ::opendir(("/proc/" + std::to_string(pid) + "/fd").c_str());
    if (directory == nullptr) return false;
    bool all = true;
    while (const dirent* entry = ::readdir(directory)) {
        char target[64];
        if (entry->d_name[0] != '.' && ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof target) < 0)
            all = false;
    }
    ::closedir(directory);
    return all;
}

// What works, by doing it with the parts of hopscope that need it.
std::map<std::string, bool> what_works(pid_t stranger) {
    std::map<std::string, bool> works;
    works["CAP-01"] = Fd(::socket(AF_PACKET, SOCK_DGRAM, 0)).ok();
    works["CAP-03"] = descriptors_of(stranger);
    works["CAP-04"] = [] {
        const Fd own(::open("/proc/self/ns/net", O_RDONLY));
        return ::setns(own.get(), 0) == 0;
    }();
    works["BPF-01"] = SocketWatcher::open().has_value() && ProcessWatcher::open().has_value();
    auto scanner = Scanner::open();
    works["BPF-04"] = scanner.has_value() && (*scanner)->scan().has_value();
    return works;
}

struct Kept {
    const char* name;
    std::vector<unsigned> capabilities;
    uid_t uid = 0;
};

// In a child with these capabilities only: the verdicts that are wrong, as text; "" when none is.
std::string disagreements(const Kept& kept, pid_t stranger) {
    int out[2];
    if (::pipe(out) != 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
        std::string text;
        ::prctl(PR_SET_KEEPCAPS, 1);
        if (kept.uid != 0 && ::setresuid(kept.uid, kept.uid, kept.uid) != 0) text += "no setresuid; ";
        __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        __user_cap_data_struct data[2]{};
        for (const unsigned capability : kept.capabilities) {
            data[capability / 32].effective |= 1U << (capability % 32);
            data[capability / 32].permitted |= 1U << (capability % 32);
        }
        if (::syscall(SYS_capset, &head, data) != 0) text += "no capset; ";
        const auto real = what_works(stranger);
        for (const auto& [code, row] : verdicts()) {
            const auto known = real.find(code);
            if (known != real.end() && known->second != (row.state == State::ok))
                text += code + " says " + row.detail + ", but it " + (known->second ? "works" : "does not work") + "; ";
        }
        for (const auto& [code, good] : real) text += good ? "+" + code : "";
        [[maybe_unused]] const ssize_t written = ::write(out[1], text.data(), text.size());
        ::_exit(0);
    }
    ::close(out[1]);
    std::string text;
    char piece[4096];
    for (ssize_t got = 0; (got = ::read(out[0], piece, sizeof piece)) > 0;)
        text.append(piece, static_cast<std::size_t>(got));
    ::close(out[0]);
    ::waitpid(child, nullptr, 0);
    return text;
}

bool all_capabilities() {
    __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &head, data) != 0) return false;
    for (const unsigned needed :
         {CAP_NET_RAW, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON})
        if ((data[needed / 32].permitted >> (needed % 32) & 1U) == 0) return false;
    return true;
}

// EBPF capability sets: each says what it is enough for, and nothing else works.
TEST(Capabilities, verdicts_agree_with_what_works_under_every_set) {
    if (!all_capabilities()) GTEST_SKIP() << "needs all capabilities, to drop them";
    const Stranger stranger;
    auto watcher = SocketWatcher::open();
    const bool bpf = watcher.has_value();
    const std::string programs = bpf ? "+BPF-01+BPF-04" : "";
    const std::pair<Kept, std::string> cases[] = {
        {{"none", {}}, ""},
        {{"none, not root", {}, 65534}, ""},
        {{"NET_RAW", {CAP_NET_RAW}}, "+CAP-01"},
        {{"NET_RAW, not root", {CAP_NET_RAW}, 65534}, "+CAP-01"},
        {{"SYS_PTRACE", {CAP_SYS_PTRACE}, 65534}, ""},
        {{"DAC_READ_SEARCH", {CAP_DAC_READ_SEARCH}, 65534}, ""},
        {{"SYS_PTRACE and DAC_READ_SEARCH", {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH}, 65534}, "+CAP-03"},
        {{"BPF", {CAP_BPF}}, ""},
        {{"BPF and PERFMON", {CAP_BPF, CAP_PERFMON}}, programs},
        {{"BPF and PERFMON, not root", {CAP_BPF, CAP_PERFMON}, 65534}, programs},
        {{"SYS_ADMIN", {CAP_SYS_ADMIN}}, programs + "+CAP-04"},
        {{"all of them",
          {CAP_NET_RAW, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON},
          65534},
         programs + "+CAP-01+CAP-03+CAP-04"},
    };
    for (const auto& [kept, works] : cases)
        EXPECT_EQ(disagreements(kept, stranger.pid()), works) << "with " << kept.name;
}

}  // namespace
}  // namespace hopscope::procmap
