// Overwrites what is secret in the body of a CRI message, or of a call to containerd or to a shim, in place and without
// changing a length.
//
// What stays: ids, names of pods and containers with the kubelet's labels that name them, numbers and flags, runtime
// names. Tokens and the words of commands become stand-ins. Everything else is overwritten with 'x': environment,
// annotations, credentials, mounts, paths, output, image names, and every field that is not known here.
#pragma once

#include <string>

#include "decode/grpc/cri_methods.h"
#include "decode/grpc/ttrpc_messages.h"
#include "record/mask_plan.h"

namespace hopscope::record {

// False: it is no such message; nothing of it may stay, and `body` is not to be used.
bool mask_cri_body(decode::grpc::CriBody kind, std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts);

// The same for a message of containerd's own API about processes.
bool mask_task_body(decode::grpc::TaskBody kind, std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts);

// The same for a request or an answer of ttrpc, envelope included (containerd.task.v2, v3). `is_task`: of the service
// that starts processes; of other services only the envelope's names stay.
bool mask_task_request(std::string& message, bool& is_task, Pseudonyms& pseudonyms, MaskCounts& counts);
bool mask_task_answer(std::string& message, bool is_task, Pseudonyms& pseudonyms, MaskCounts& counts);

}  // namespace hopscope::record
