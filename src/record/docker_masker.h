// Overwrites what is secret in bodies of the Docker Engine API (JSON), in place and without changing a length.
//
// What stays: ids, flags and numbers, names of keys, and the kubelet's labels that name pods and containers. The words
// of commands become stand-ins, as those of CRI calls do, so that an exec is found again in the call to the shim and in
// the process that it started. Every other text is overwritten with 'x': environment, mounts, labels, paths.
#pragma once

#include <string>
#include <string_view>

#include "record/mask_plan.h"

namespace hopscope::record {

// Is this a request whose bodies say what execs and containers there are? The bodies of all others are overwritten
// whole.
bool has_docker_bodies(std::string_view method, std::string_view target);

void mask_docker_body(std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts);

}  // namespace hopscope::record
