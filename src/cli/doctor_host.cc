#include "cli/doctor_host.h"

#include "procmap/bpf/capabilities.h"

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
    return rows;
}

}  // namespace hopscope::cli
