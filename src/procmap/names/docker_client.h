// Asks a Docker daemon over its unix socket what it is and what it runs: GET /version and GET /containers/json, which
// only read. The answer is read by the decoder that reads captured HTTP; bounded by limits::kDockerAnswerBytesMax.
#pragma once

#include <string>

#include "procmap/names/call.h"
#include "procmap/names/runtime_answer.h"

namespace hopscope::procmap {

// As ask_cri().
RuntimeAnswer ask_docker(const std::string& path, const std::string& shown, Call::Clock::time_point deadline);

}  // namespace hopscope::procmap
