// The rows of `hopscope doctor` about privileges and the kernel (procmap/bpf/capabilities): each is really tried, not
// only read from a mask, and says what is lost without it.
#pragma once

#include <vector>

#include "export/doctor.h"

namespace hopscope::cli {

std::vector<exports::DoctorRow> host_rows();

}  // namespace hopscope::cli
