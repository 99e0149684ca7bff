// Bodies of CRI messages: read as every kind there is, and told by their shape.
#include <memory>

#include "../tests/support/event_text.h"
#include "decode/grpc/cri_messages.h"
#include "decode/grpc/cri_shapes.h"
#include "decode/grpc/inflate.h"
#include "decode_twice.h"

using namespace hopscope;
using namespace hopscope::decode::grpc;

namespace {

class Reader final : public EventSink {
public:
    void on(const Event& event) override {
        ++events;
        text = tests::event_text(event);  // touches every borrowed byte
    }
    int events = 0;
    std::string text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes body(data, size);
    CriMessages messages;
    Reader reader;
    int kinds = 0;
    for (int kind = 0; kind <= static_cast<int>(CriBody::sandbox_stats); ++kind, ++kinds)
        messages.tell({.stream = 1, .method = "M", .message_bytes = 7}, static_cast<CriBody>(kind), body, reader);
    fuzz::expect(reader.events == kinds);
    // What has a shape can be read as what the shape says.
    if (const CriMethod* method = method_of_answer(body)) {
        fuzz::expect(messages.tell({.response = true, .method = method->name}, method->response, body, reader));
        fuzz::expect(method->request != CriBody::none || !reader.text.empty());
        if (method->response == CriBody::streaming_url) fuzz::expect(reader.text.find("url=\"\"") == std::string::npos);
    }
    for (const char* name : {"Exec", "Attach", "PortForward"}) {
        const CriMethod* method = find_cri_method(name);
        if (fits_request(*method, body)) fuzz::expect(messages.tell({.method = name}, method->request, body, reader));
    }
    std::vector<std::uint8_t> inflated;
    inflate_message(body, 1 << 16, inflated);
    fuzz::expect(inflated.size() <= 1 << 16);
    parse_cri_path(as_text(body));
    streaming_kind_of_url(as_text(body));
    return 0;
}
