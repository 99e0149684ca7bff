// A very small client of the Container Runtime Interface: Version, ListPodSandbox and ListContainers, which only read.
//
// All three are sent at once on one connection (one round trip), by runtime.v1, and again by runtime.v1alpha2 if the
// runtime knows no v1. The answer is read by the decoder that reads captured CRI traffic. Plain HTTP/2 over a unix
// socket. Not done: retries, streaming calls, the image service. An answer is bounded by
// limits::kRuntimeAnswerBytesMax.
#pragma once

#include <string>

#include "procmap/names/call.h"
#include "procmap/names/runtime_answer.h"

namespace hopscope::procmap {

// `path` is opened, `shown` is the same on the host (for sentences and facts).
RuntimeAnswer ask_cri(const std::string& path, const std::string& shown, Call::Clock::time_point deadline);

}  // namespace hopscope::procmap
