#include "cli/reveal_options.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace hopscope::cli {

Result<chain::Reveal> reveal_of(const Invocation& invocation) {
    std::string list;
    for (const std::string& each : invocation.all("reveal")) list += (list.empty() ? "" : ",") + each;
    if (invocation.on("show-payload")) list += list.empty() ? "payload" : ",payload";
    if (list.empty()) return chain::Reveal{};
    return chain::Reveal::parse(list);
}

Glyphs glyphs_of(const Invocation& invocation) {
    if (invocation.on("ascii")) return Glyphs::ascii;
    // A pipe gets the same bytes whatever the locale: only a terminal decides by its character set.
    if (isatty(STDOUT_FILENO) != 1) return Glyphs::unicode;
    return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? Glyphs::unicode : Glyphs::ascii;
}

bool colour_of(const Invocation& invocation) {
    const std::string when = invocation.text("color");
    if (when == "always") return true;
    if (when == "never") return false;
    if (const char* none = std::getenv("NO_COLOR"); none && *none) return false;
    if (const char* force = std::getenv("CLICOLOR_FORCE"); force && *force && std::strcmp(force, "0") != 0) return true;
    const char* terminal = std::getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && terminal && std::strcmp(terminal, "dumb") != 0;
}

std::size_t terminal_columns() {
    winsize size{};
    if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}

}  // namespace hopscope::cli
