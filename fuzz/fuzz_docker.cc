// Docker's hijacked streams, and the Engine API over HTTP/1.1 (targets and JSON bodies).
#include <memory>

#include "decode/grpc/grpc.h"
#include "decode_twice.h"

using namespace hopscope;

namespace {

class Watched final : public EventSink {
public:
    void on(const Event& event) override { watcher_.on(event, story_); }
    [[nodiscard]] const fuzz::Story& story() const { return story_; }

private:
    decode::grpc::DockerWatcher watcher_;
    fuzz::Story story_;
};

std::string_view cut_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
}

// Lines: method, target, request body; the rest is the answer's body.
void one_call(std::string_view text, std::uint16_t status) {
    Watched sink;
    const std::string_view method = cut_line(text), target = cut_line(text), request = cut_line(text);
    for (std::uint32_t exchange = 0; exchange < 3; ++exchange) {
        sink.on(HttpRequest{exchange, method, target, "HTTP/1.1", {}});
        sink.on(HttpBody{exchange, Direction::to_server, as_bytes(request)});
        sink.on(HttpEnd{exchange, Direction::to_server, request.size(), true});
        sink.on(HttpResponse{exchange, status, "", "HTTP/1.1", {}});
        sink.on(HttpBody{exchange, Direction::to_client, as_bytes(text)});
        sink.on(HttpEnd{exchange, Direction::to_client, text.size(), exchange != 1});
    }
    // A call of this API is told once, whatever its bodies hold.
    const std::string& told = sink.story().lane(index_of(Direction::to_client));
    std::size_t calls = 0;
    for (std::size_t at = told.find("\ndocker "); at != std::string::npos; at = told.find("\ndocker ", at + 1)) ++calls;
    fuzz::expect(calls >= (decode::grpc::is_docker_target(target) ? 3U : 0U));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest = Bytes(data, size).subspan(1);
    switch (data[0] & 3) {
        case 0: fuzz::decode_twice(rest, [] { return decode::grpc::make_docker_stream(false); }); break;
        case 1: fuzz::decode_twice(rest, [] { return decode::grpc::make_docker_stream(true); }); break;
        case 2: one_call(as_text(rest), 200); break;
        default: one_call(as_text(rest), 101); break;
    }
    return 0;
}
