// HTTP/2 without TLS or inside it (RFC 9113), gRPC framing, CRI v1 and v1alpha2 (cri-api's api.proto); ttrpc of
// containerd's shims; and the Docker Engine API over HTTP/1.1 (moby's api/swagger.yaml).
#pragma once

#include <memory>
#include <string_view>

#include "decode/decoder.h"

namespace hopscope::decode::grpc {

// `late`: joined in the middle: literal header fields are kept, the rest unknown; CRI answers that hold a streaming URL
// are found by their shape. Tells HttpRequest/HttpResponse/HttpEnd (version "HTTP/2"; exchange = stream id) for every
// stream, HttpBody for streams that are not gRPC, CriMessage and CriDone for the CRI services.
std::unique_ptr<Decoder> make_http2(bool late);

// ttrpc between containerd and a shim (ttrpc.h). `late`: joined in the middle, read from the next frame on. Tells
// TaskMessage.
std::unique_ptr<Decoder> make_ttrpc(bool late);

// Docker's hijacked stream after 101/200: raw (tty) or with 8-byte multiplex headers. Streams: 0 stdin, 1 stdout, 2
// stderr.
std::unique_ptr<Decoder> make_docker_stream(bool multiplexed);

// True for request targets of the Docker Engine API ("/v1.43/exec/…", "/containers/…/attach").
bool is_docker_target(std::string_view target);

// Watches HTTP events of one connection and tells DockerCall when a request to the Engine API and its answer are known.
// Sits between a decoder and the sink: forwards every event, adds its own.
class DockerWatcher {
public:
    DockerWatcher();
    ~DockerWatcher();
    void on(const Event& event, EventSink& sink);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::decode::grpc
