#include "cli/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

namespace hopscope::cli {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// By name: a call that this architecture or libseccomp does not know needs no rule.
constexpr std::array kNever = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "mount_setattr",
    "swapon",
    "swapoff",
    "reboot",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "add_key",
    "request_key",
    "keyctl",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "open_by_handle_at",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "acct",
    "quotactl",
    "syslog",
    "mknod",
    "mknodat",
    "vhangup",
    "nfsservctl",
    "personality",
    "uselib",
    "modify_ldt",
    "lookup_dcookie",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
};
constexpr std::array kNeverOffline = {
    "socket",    "socketpair", "connect",         "bind",   "listen", "accept",   "accept4",
    "setns",     "bpf",        "perf_event_open", "setuid", "setgid", "setreuid", "setregid",
    "setresuid", "setresgid",  "setgroups",       "capset", "kill",   "tkill",
};

// All that a process may do that opens packet sockets in network namespaces, beside what depends on arguments.
constexpr std::array kOpenerAlways = {
    "recvfrom",   "recvmsg", "sendto",     "sendmsg",      "fstat",
    "newfstatat", "close",   "exit_group", "rt_sigreturn", "restart_syscall",
};

Unexpected<Error> failed(int error) {
    return unexpected(Error{.doing = "cannot restrict the system calls",
                            .subject = {},
                            .why = std::strerror(error),
                            .errno_value = error,
                            .hint = "a kernel with CONFIG_SECCOMP_FILTER=y",
                            .code = "SBX-01"});
}

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

// Files are opened for reading, namespaces of networks entered, packet sockets made: nothing else.
Status enter_opener_sandbox() {
    const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
    if (!filter) return failed(ENOMEM);
    const auto allow = [&](const char* name, std::optional<scmp_arg_cmp> where) {
        const int number = seccomp_syscall_resolve_name(name);
        if (number < 0) return 0;
        return where ? seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, number, 1, &*where)
                     : seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, number, 0, nullptr);
    };
    for (const char* name : kOpenerAlways) {
        if (const int error = allow(name, std::nullopt); error != 0) return failed(-error);
    }
    const std::pair<const char*, scmp_arg_cmp> kOnly[] = {
        {"openat", {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = O_ACCMODE | O_CREAT, .datum_b = O_RDONLY}},
        {"setns", {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = CLONE_NEWNET, .datum_b = 0}},
        {"socket", {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_PACKET, .datum_b = 0}},
    };
    for (const auto& [name, where] : kOnly) {
        if (const int error = allow(name, where); error != 0) return failed(-error);
    }
    if (const int error = seccomp_load(filter.get()); error != 0) return failed(-error);
    return Done{};
}

}  // namespace

bool sandbox_works() { return !kSanitized; }

Status enter_sandbox(Sandbox kind) {
    if (kSanitized) return Done{};
    if (kind == Sandbox::opener) return enter_opener_sandbox();
    const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return failed(ENOMEM);
    // 32-bit and x32 calls have other numbers: none of ours are made that way.
    if (const int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)); error != 0)
        return failed(-error);
    const auto refuse = [&](const char* name) {
        const int number = seccomp_syscall_resolve_name(name);
        if (number < 0) return 0;
        return seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0);
    };
    for (const char* name : kNever) {
        if (const int error = refuse(name); error != 0) return failed(-error);
    }
    if (kind == Sandbox::offline) {
        for (const char* name : kNeverOffline) {
            if (const int error = refuse(name); error != 0) return failed(-error);
        }
    }
    // Sets no_new_privs, too.
    if (const int error = seccomp_load(filter.get()); error != 0) return failed(-error);
    return Done{};
}

}  // namespace hopscope::cli
