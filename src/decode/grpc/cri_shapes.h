// CRI messages whose method is not known because their headers were not seen or not readable: told from the body
// (k8s.io/cri-api). Strict on purpose: what is not surely one of these is left alone.
#pragma once

#include <string_view>

#include "core/bytes.h"
#include "decode/grpc/cri_methods.h"

namespace hopscope::decode::grpc {

// The method that this body of an answer belongs to: Exec, Attach, PortForward (a streaming URL), ListContainers,
// ListPodSandbox, ContainerStatus, PodSandboxStatus. Null: none of them for sure.
const CriMethod* method_of_answer(Bytes body);

// Could this body be a request of Exec, Attach or PortForward? (Its first field is an id of 64 hexadecimal digits.)
// Which of them it is, only the answer tells.
bool may_ask_for_stream(Bytes body);
// Is it a request of just this method?
bool fits_request(const CriMethod& method, Bytes body);

// "http://127.0.0.1:42313/exec/6cBPriL6", "//host/cri/attach/…": gives "exec", "attach" or "portforward", else empty.
std::string_view streaming_kind_of_url(std::string_view url);

}  // namespace hopscope::decode::grpc
