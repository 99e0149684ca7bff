#include "cli/report_error.h"

#include <cstdio>

#include "core/untrusted.h"
#include "export/output.h"

namespace hopscope::cli {
namespace {
bool quiet_notes = false;

void line(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }
}  // namespace

void set_quiet(bool quiet) { quiet_notes = quiet; }

void report_error(const Error& error) {
    std::string head = "hopscope: ";
    if (!error.doing.empty()) head += error.doing;
    if (!error.subject.empty()) head += (error.doing.empty() ? "'" : " '") + display(error.subject) + "'";
    if (!error.why.empty()) {
        if (!error.doing.empty() || !error.subject.empty()) head += ": ";
        // Several lines are ours (a caret under a filter); everything else has been through display().
        head += error.why;
    }
    if (!error.code.empty() && error.code != "USE-01") head += "  [" + error.code + "]";
    line(head);
    std::string_view hint = error.hint;
    bool first = true;
    while (!hint.empty()) {
        const std::size_t end = hint.find('\n');
        line((first ? "  fix:  " : "        ") + std::string(hint.substr(0, end)));
        hint = end == std::string_view::npos ? std::string_view{} : hint.substr(end + 1);
        first = false;
    }
    if (!error.code.empty() && error.code != "USE-01") line("  more: hopscope doctor " + error.code);
}

void report_note(std::string_view text, std::string_view code) {
    if (quiet_notes) return;
    line("hopscope: " + std::string(text) + (code.empty() ? "" : "  [" + std::string(code) + "]"));
}

int exit_code(const Error& error) {
    if (error.code.starts_with("USE-") || error.code.starts_with("FLT-") || error.code.starts_with("SEC-") ||
        error.code.starts_with("CFG-") || error.code == "CAP-25" || error.code == "NOD-03")
        return kUsage;
    if (error.code == "CAP-01" || error.code.starts_with("BPF-")) return kNotPermitted;
    if (error.code == "CAP-10" || error.code == "CAP-12" || error.code == "NOD-02") return kUnreadable;
    return kFailed;
}

int finish(exports::Output& out, int code) {
    out.flush();
    if (const Status written = out.status(); !written && written.error().code != "OUT-01") {
        report_error(written.error());
        return kFailed;
    }
    return code;
}

}  // namespace hopscope::cli
