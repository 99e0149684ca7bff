#include "procmap/account_names.h"

#include <algorithm>
#include <charconv>

#include "core/limits.h"

namespace hopscope::procmap {

AccountNames::AccountNames(const HostRoot& root)
    : users_(read(root, "/etc/passwd")), groups_(read(root, "/etc/group")) {}

// "name:password:number:…" in both files.
AccountNames::Names AccountNames::read(const HostRoot& root, std::string_view file) {
    Names names;
    const Result<std::string> text = root.read(file, limits::kAccountFileBytesMax);
    if (!text) return names;
    for (std::string_view rest = *text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::size_t password = line.find(':');
        if (password == 0 || password == std::string_view::npos) continue;
        const std::size_t number = line.find(':', password + 1);
        if (number == std::string_view::npos) continue;
        std::uint32_t id = 0;
        const char* const end = line.data() + line.size();
        const auto [stop, error] = std::from_chars(line.data() + number + 1, end, id);
        if (error == std::errc() && stop != end && *stop == ':') names.emplace(id, line.substr(0, password));
    }
    return names;
}

Untrusted AccountNames::name(const Names& names, std::uint32_t id) {
    const auto found = names.find(id);
    return found == names.end() ? Untrusted() : Untrusted(found->second);
}

}  // namespace hopscope::procmap
