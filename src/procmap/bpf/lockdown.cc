#include "procmap/bpf/lockdown.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/descriptor.h"

namespace hopscope::procmap {

std::string lockdown_mode_in(std::string_view text) {
    const std::size_t begin = text.find('['), end = text.find(']');
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
    return std::string(text.substr(begin + 1, end - begin - 1));
}

std::string lockdown_mode() {
    const Descriptor file(::open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC));
    char text[64];
    const ssize_t got = file.ok() ? ::read(file.get(), text, sizeof text) : -1;
    return got > 0 ? lockdown_mode_in({text, static_cast<std::size_t>(got)}) : std::string();
}

bool is_refused_by_lockdown(int error) { return error == EINVAL && lockdown_mode() == "confidentiality"; }

}  // namespace hopscope::procmap
