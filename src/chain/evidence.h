// Why a session is shown as it is: each claim with its grade and the frame that shows it.
#pragma once

#include <vector>

#include "chain/model.h"

namespace hopscope::chain {

// In order of the capture. Holds no secret: tokens are named by their number only.
std::vector<Evidence> evidence_of(const Session& session);

}  // namespace hopscope::chain
