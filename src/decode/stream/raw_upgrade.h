// What follows an upgrade to a raw byte stream: "Upgrade: tcp" of the Docker Engine API.
#pragma once

#include "decode/stream/http1.h"

namespace hopscope::decode::stream::http {

// True for the requests that Docker may answer by taking the connection over: …/exec/ID/start, …/containers/ID/attach.
bool may_be_hijacked(std::string_view method, std::string_view target);

// The decoder behind such an answer. `content_type` is the answer's: before API 1.42 it says raw-stream in any case, so
// the server's first bytes decide whether there are multiplex headers.
std::unique_ptr<Decoder> make_raw_upgrade(const Handover& handover, std::string_view content_type);

}  // namespace hopscope::decode::stream::http
