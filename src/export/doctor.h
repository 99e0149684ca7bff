// `hopscope doctor`: what works here, what does not, what is lost by it and how to get it. Filled by the command, which
// really tries each capability; shown here as text and as a JSON document hopscope.doctor/v1 (`hopscope schema
// doctor`). And what a code means, as a JSON document hopscope.codes/v1.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "export/output.h"
#include "export/style.h"

namespace hopscope::exports {

struct DoctorRow {
    enum class State : std::uint8_t { ok, limited, missing } state = State::ok;
    std::string code;     // "CAP-03": hopscope doctor CODE explains it
    std::string title;    // "process of a socket"
    std::string says;     // what was found; may quote the node
    std::string lost;     // what does not work without it; empty when ok
    std::string fix;      // how to get it; empty when ok
    bool needed = false;  // missing, it makes the whole answer "something needed is missing" (exit 4)
};
std::string_view to_string(DoctorRow::State state);  // "ok" "limited" "missing"

// One thing that the user may want to do, and whether it works now.
struct DoctorFeature {
    std::string name;  // "ports"
    DoctorRow::State state = DoctorRow::State::ok;
};

struct DoctorPage {
    std::string version, kernel, system;  // "0.1.0", "6.18.5", "Debian GNU/Linux 12"
    std::uint32_t uid = 0;
    std::vector<DoctorRow> rows;
    std::vector<DoctorFeature> features;
};

// True when nothing that is needed is missing.
bool usable(const DoctorPage& page);

void write_doctor_text(Output& out, const DoctorPage& page, const Style& style);
void write_doctor_json(Output& out, const DoctorPage& page);

// What a code means (cli/codes.cc has them all).
struct CodePage {
    std::string_view code, title, text, remedy;  // remedy may be empty: nothing to do
};
void write_codes_json(Output& out, std::span<const CodePage> pages);

}  // namespace hopscope::exports
