// Bodies of CRI messages → CriMessage events. Only what cri.proto has a field for is read.
#pragma once

#include <string_view>
#include <vector>

#include "core/event.h"
#include "decode/grpc/cri_methods.h"

namespace hopscope::decode::grpc {

// Keeps the arrays that an event borrows, so that they are not allocated for each message.
class CriMessages {
public:
    // Tells `message` after filling in what `body` says, read as `kind`. False: the body is no such message; it was
    // told without its fields.
    bool tell(CriMessage message, CriBody kind, Bytes body, EventSink& sink);

private:
    template <typename Labels, typename Metadata>
    void add_sandbox(std::string_view id, const Metadata& metadata, const Labels& labels);
    template <typename Labels, typename Metadata>
    void add_container(std::string_view id, std::string_view sandbox_id, const Metadata& metadata,
                       const Labels& labels);
    template <typename Message>
    void fill_command(CriMessage& message, const Message& body);
    template <typename Message, typename Fill>
    bool parse_and_tell(CriMessage& message, Bytes body, EventSink& sink, Fill fill);

    std::vector<std::string_view> command_;
    std::vector<std::uint16_t> ports_;
    std::vector<CriSandbox> sandboxes_;
    std::vector<CriContainer> containers_;
};

}  // namespace hopscope::decode::grpc
