#include "cli/privileges.h"

#include <cap-ng.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cli/report_error.h"
#include "cli/sandbox.h"

namespace hopscope::cli {
namespace {

Unexpected<Error> refused(std::string doing, int error) {
    return unexpected(Error{.doing = std::move(doing),
                            .subject = {},
                            .why = error == 0 ? "the kernel refused" : std::strerror(error),
                            .errno_value = error,
                            .hint = "without --user the capture goes on as the user who started it",
                            .code = "PRV-02"});
}

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
};

Result<User> find_user(const std::string& name) {
    errno = 0;
    const passwd* entry = ::getpwnam(name.c_str());
    if (entry == nullptr)
        return unexpected(Error{.doing = "cannot become user",
                                .subject = name,
                                .why = errno == 0 ? "no such user" : std::strerror(errno),
                                .errno_value = errno,
                                .hint = "a name of /etc/passwd, as nobody",
                                .code = "PRV-01"});
    return User{entry->pw_uid, entry->pw_gid};
}

}  // namespace

std::vector<int> capabilities_for_owners(bool other_net_namespaces) {
    std::vector<int> keep = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_BPF, CAP_PERFMON};
    if (other_net_namespaces) keep.push_back(CAP_SYS_ADMIN);
    return keep;
}

Status drop_privileges(const PrivilegeOptions& options) {
    std::optional<User> user;
    if (!options.user.empty()) {
        const auto found = find_user(options.user);
        if (!found) return unexpected(found.error());
        user = *found;
        if (user->uid == ::geteuid()) user.reset();
    }
    if (capng_get_caps_process() != 0) return refused("cannot read the capabilities", errno);
    std::vector<unsigned> kept;
    for (const int capability : options.keep) {
        const auto number = static_cast<unsigned>(capability);
        if (capng_have_capability(CAPNG_PERMITTED, number) != 0) kept.push_back(number);
    }
    const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
    const bool may_change = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) != 0 &&
                            capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) != 0;
    if (user && !may_change) return refused("cannot become user '" + options.user + "'", EPERM);
    capng_clear(CAPNG_SELECT_BOTH);
    for (const unsigned number : kept)
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), number);
    if (user) {
        // Supplementary groups of root would stay readable otherwise.
        if (::initgroups(options.user.c_str(), user->gid) != 0)
            return refused("cannot take the groups of user '" + options.user + "'", errno);
        if (const int error = capng_change_id(static_cast<int>(user->uid), static_cast<int>(user->gid),
                                              may_bound ? CAPNG_CLEAR_BOUNDING : CAPNG_NO_FLAG);
            error != 0)
            return refused("cannot become user '" + options.user + "'", errno);
    } else if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) {
        return refused("cannot give up capabilities", errno);
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("cannot forbid new privileges", errno);
    return Done{};
}

std::string lacks_for_opener() {
    if (capng_get_caps_process() != 0) return "the right to read capabilities";
    for (const int needed : {CAP_SYS_ADMIN, CAP_NET_RAW}) {
        const auto number = static_cast<unsigned>(needed);
        if (capng_have_capability(CAPNG_EFFECTIVE, number) == 0)
            return needed == CAP_SYS_ADMIN ? "CAP_SYS_ADMIN" : "CAP_NET_RAW";
    }
    return {};
}

bool confine_opener() {
    return drop_privileges({.user = {}, .keep = {CAP_SYS_ADMIN, CAP_NET_RAW, CAP_SYS_PTRACE}}) &&
           enter_sandbox(Sandbox::opener);
}

Status go_on_with_least(const PrivilegeOptions& options) {
    if (Status dropped = drop_privileges(options); !dropped) return dropped;
    if (const Status entered = enter_sandbox(Sandbox::live); !entered) report_error(entered.error());
    return Done{};
}

}  // namespace hopscope::cli
