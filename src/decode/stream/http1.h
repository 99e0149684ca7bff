// HTTP/1.1 (RFC 9112): requests, responses, Content-Length, chunked, pipelining, read-until-close, 1xx, upgrades.
//
// After a request with Upgrade its direction's later bytes stay untouched until the answer is seen; 101 hands over to
// SPDY/3.1 or WebSocket (with the subprotocol that was chosen), "Upgrade: tcp" to the raw stream of the Docker API
// (also when a Docker exec-start/attach is answered 200 with a raw or multiplexed content type).
// A refused upgrade goes on as HTTP. Does not interpret bodies.
#pragma once

#include <functional>
#include <memory>

#include "decode/decoder.h"

namespace hopscope::decode::stream {

// Makes the decoder for what is not in this folder (Docker's raw stream); may be empty: then raw bytes are told as
// StreamData of stream 0.
struct Handover {
    std::function<std::unique_ptr<Decoder>(bool multiplexed)> docker_stream;
};

std::unique_ptr<Decoder> make_http1(Handover handover = {});
// Joined late: begins with the next message boundary that it can find.
std::unique_ptr<Decoder> make_http1_late(Handover handover = {});

}  // namespace hopscope::decode::stream
