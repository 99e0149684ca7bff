#include "decode/stream/upgraded.h"

#include "decode/stream/ascii.h"
#include "decode/stream/spdy.h"

namespace hopscope::decode::stream {

namespace {

Purpose purpose_of_word(std::string_view word) {
    if (word == "exec" || word == "attach") return Purpose::remote_command;
    return equal_ignoring_case(word, "portforward") ? Purpose::port_forward : Purpose::unknown;
}

}  // namespace

Purpose purpose_of(std::string_view target) {
    std::string_view path = target.substr(0, target.find_first_of("?#"));
    // API server: …/api/v1/namespaces/NAMESPACE/pods/POD/exec. A namespace or pod may itself be named "exec".
    if (path.find("/api/v1/namespaces/") != std::string_view::npos)
        return purpose_of_word(path.substr(path.rfind('/') + 1));
    // Kubelet and runtime: /exec/…, or below one more folder: /cri/exec/TOKEN.
    for (int depth = 0; depth < 2 && path.starts_with('/'); ++depth) {
        path.remove_prefix(1);
        const std::size_t slash = path.find('/');
        if (slash == std::string_view::npos) break;
        const Purpose purpose = purpose_of_word(path.substr(0, slash));
        if (purpose != Purpose::unknown) return purpose;
        path.remove_prefix(slash);
    }
    return Purpose::unknown;
}

std::unique_ptr<Decoder> make_spdy(std::string_view subprotocol, Purpose purpose) {
    return std::make_unique<spdy::SpdyDecoder>(spdy::Start{.subprotocol = subprotocol, .purpose = purpose});
}

std::unique_ptr<Decoder> make_spdy_late() { return std::make_unique<spdy::SpdyDecoder>(spdy::Start{.late = true}); }

}  // namespace hopscope::decode::stream
