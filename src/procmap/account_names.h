// Names of users and groups by the host's own /etc/passwd and /etc/group (passwd(5), group(5)): those of another root
// are not ours. Users of a directory service are not known. Read once, at most limits::kAccountFileBytesMax of each
// file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/untrusted.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

class AccountNames {
public:
    explicit AccountNames(const HostRoot& root);
    // Empty: not known.
    [[nodiscard]] Untrusted user(std::uint32_t id) const { return name(users_, id); }
    [[nodiscard]] Untrusted group(std::uint32_t id) const { return name(groups_, id); }

private:
    using Names = std::map<std::uint32_t, std::string>;
    static Names read(const HostRoot& root, std::string_view file);
    static Untrusted name(const Names& names, std::uint32_t id);

    Names users_, groups_;
};

}  // namespace hopscope::procmap
