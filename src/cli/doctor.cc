// hopscope doctor: what works here and what does not, each really tried; hopscope doctor CODE: what a code means.
#include "cli/doctor.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cli/codes.h"
#include "cli/commands.h"
#include "cli/doctor_host.h"
#include "cli/node_reader.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"

namespace hopscope::cli {
namespace {

using exports::DoctorRow;
using State = DoctorRow::State;

int explain_codes(const std::vector<std::string>& names, const std::string& format) {
    int code = kDone;
    std::vector<CodePage> pages;
    for (const std::string& name : names) {
        const CodePage* page = find_code(name);
        if (!page) {
            std::vector<std::string_view> known;
            for (const CodePage& each : codes()) known.push_back(each.code);
            const std::string_view meant = nearest(name, known);
            report_error({.doing = "there is no code",
                          .subject = name,
                          .why = meant.empty() ? "" : "did you mean '" + std::string(meant) + "'?",
                          .hint = "hopscope help codes lists them",
                          .code = "USE-01"});
            code = kUsage;
            continue;
        }
        pages.push_back(*page);
    }
    if (pages.empty()) return code;
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    if (format == "json") {
        exports::write_codes_json(out, pages);
    } else {
        for (std::size_t i = 0; i < pages.size(); ++i) out.append((i == 0 ? "" : "\n") + code_page(pages[i]));
    }
    return finish(out, code);
}

// PRETTY_NAME of os-release(5).
std::string system_name(const procmap::HostRoot& root) {
    for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
        const auto text = root.read(path, 16 * 1024);
        if (!text) continue;
        constexpr std::string_view kKey = "PRETTY_NAME=";
        std::size_t at = text->starts_with(kKey) ? 0 : text->find("\n" + std::string(kKey));
        if (at == std::string::npos) continue;
        at = text->find('=', at) + 1;
        std::string name = text->substr(at, text->find('\n', at) - at);
        std::erase(name, '"');
        return name;
    }
    return "";
}

TerminalFacts terminal_facts() {
    TerminalFacts facts;
    facts.is_terminal = ::isatty(STDOUT_FILENO) == 1;
    winsize size{};
    if (facts.is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        facts.columns = size.ws_col;
        facts.rows = size.ws_row;
    }
    facts.utf8 = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
    if (const char* name = std::getenv("TERM")) facts.name = name;
    return facts;
}

State worst_of(const std::vector<DoctorRow>& rows, std::initializer_list<std::string_view> codes) {
    State worst = State::ok;
    for (const DoctorRow& row : rows)
        if (std::find(codes.begin(), codes.end(), row.code) != codes.end()) worst = std::max(worst, row.state);
    return worst;
}

// What the user may want to do, from the rows that it depends on. Without a privilege a thing works for what one may
// see.
std::vector<exports::DoctorFeature> features_of(const std::vector<DoctorRow>& rows) {
    const auto at_most_limited = [](State state) { return std::min(state, State::limited); };
    return {{"ports", at_most_limited(worst_of(rows, {"CAP-03", "CAP-06"}))},
            {"short connections", at_most_limited(worst_of(rows, {"BPF-01", "BPF-06"}))},
            {"pod names", at_most_limited(worst_of(rows, {"K8S-02"}))},
            {"capture", worst_of(rows, {"CAP-01"})},
            {"analyze", State::ok}};
}

}  // namespace

int run_doctor(const Invocation& invocation) {
    if (!invocation.arguments.empty()) return explain_codes(invocation.arguments, invocation.format());
    auto reader = NodeReader::open(invocation, {});
    if (!reader) {
        report_error(reader.error());
        return exit_code(reader.error());
    }
    exports::DoctorPage page;
    page.version = HOPSCOPE_VERSION;
    utsname name{};
    if (::uname(&name) == 0) page.kernel = name.release;
    page.system = system_name((*reader)->root());
    page.uid = ::geteuid();
    page.rows = host_rows();
    const auto node = (*reader)->take();
    if (node) {
        for (DoctorRow& row : node_rows(*node, chain::judge(*node, nullptr))) page.rows.push_back(std::move(row));
    } else {
        page.rows.push_back({.state = State::missing,
                             .code = "NOD-02",
                             .title = "the node",
                             .says = node.error().why,
                             .lost = "ports and graph",
                             .fix = node.error().hint.empty() ? "--host-root DIR, a directory with the node's /proc"
                                                              : node.error().hint,
                             .needed = true});
    }
    page.rows.push_back(terminal_row(terminal_facts()));
    page.features = features_of(page.rows);
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    if (invocation.format() == "json") {
        exports::write_doctor_json(out, page);
    } else {
        exports::write_doctor_text(
            out, page,
            {.glyphs = glyphs_of(invocation), .colour = colour_of(invocation), .columns = terminal_columns()});
    }
    return finish(out, exports::usable(page) ? kDone : kNotPermitted);
}

}  // namespace hopscope::cli
