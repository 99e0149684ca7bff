// Decoders of what an HTTP upgrade leads to: SPDY/3.1 and WebSocket, with the meaning of their streams
// (remote-command v1-v5, port-forward) told as StreamOpened, StreamData, ExitStatus, Resized, ForwardError …
#pragma once

#include <memory>
#include <string_view>

#include "decode/decoder.h"

namespace hopscope::decode::stream {

enum class Purpose : std::uint8_t { unknown, remote_command, port_forward };

// From the request path: …/exec, /attach → remote_command; …/portforward (any case) → port_forward.
Purpose purpose_of(std::string_view target);

// SPDY/3.1 right after the 101. `subprotocol`: "v4.channel.k8s.io", "portforward.k8s.io" …; empty: unknown.
std::unique_ptr<Decoder> make_spdy(std::string_view subprotocol, Purpose purpose);
// SPDY joined in the middle: finds the frame boundary again, infers stream names with their grade.
std::unique_ptr<Decoder> make_spdy_late();

// WebSocket right after the 101. Channels by `subprotocol`; "SPDY/3.1+portforward.k8s.io" carries SPDY.
// `target` gives the requested ports of a legacy port-forward (?port=, ?ports=) and the purpose.
std::unique_ptr<Decoder> make_websocket(std::string_view subprotocol, std::string_view target);
std::unique_ptr<Decoder> make_websocket_late();

}  // namespace hopscope::decode::stream
