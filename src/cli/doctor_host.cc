#include "cli/doctor_host.h"

#include <cstdio>

#include "procmap/bpf/capabilities.h"
#include "procmap/bpf/tap_cost.h"

namespace hopscope::cli {

using exports::DoctorRow;
using procmap::Capability;

namespace {

DoctorRow::State state_of(Capability::State state) {
    switch (state) {
        case Capability::State::ok: return DoctorRow::State::ok;
        case Capability::State::limited: return DoctorRow::State::limited;
        case Capability::State::missing: return DoctorRow::State::missing;
    }
    return DoctorRow::State::missing;
}

DoctorRow tap_cost_row() {
    DoctorRow row{.code = "BPF-07", .title = "cost of the unix tap", .says = {}, .lost = {}, .fix = {}};
    const auto cost = procmap::measure_tap_cost();
    if (!cost) {
        row.state = DoctorRow::State::limited;
        row.says = "no tap, no cost: " + cost.error().why;
        row.lost = "CRI calls and calls to shims";
        row.fix = cost.error().hint.empty() ? "see BPF-01" : cost.error().hint;
        return row;
    }
    const auto words = [](const char* call, const procmap::CallCost& each) {
        char text[96];
        if (each.more_ns() < 1)  // what else runs here costs more
            std::snprintf(text, sizeof text, "%s %.0f ns, while sockets are tapped no more that can be measured", call,
                          each.plain_ns);
        else
            std::snprintf(text, sizeof text, "%s %.0f ns, while sockets are tapped %.0f ns (%+.0f)", call,
                          each.plain_ns, each.tapped_ns, each.more_ns());
        return std::string(text);
    };
    row.says = words("write", cost->write) + "; " + words("read", cost->read);
    return row;
}

}  // namespace

std::vector<DoctorRow> host_rows() {
    std::vector<DoctorRow> rows;
    for (Capability& each : procmap::check_capabilities()) {
        // Without packets and owners the live half of the program has nothing to show; everything else has a second
        // way.
        const bool needed = each.code == "CAP-01" || each.code == "CAP-03";
        rows.push_back({.state = state_of(each.state),
                        .code = std::move(each.code),
                        .title = std::move(each.name),
                        .says = std::move(each.detail),
                        .lost = std::move(each.lost),
                        .fix = std::move(each.remedy),
                        .needed = needed});
    }
    rows.push_back(tap_cost_row());
    return rows;
}

}  // namespace hopscope::cli
