// ttrpc, which containerd speaks with its shims: frames, requests and answers, the task service (ttrpc protocol
// specification; containerd.task.v2 and v3).
//
// Nothing is compressed and frames are found again after bytes that are missing, so a connection that is joined in its
// middle is read from the next frame on; an answer whose request was not seen is told without its method. Streaming
// frames (type 3) are passed over: the task service has none.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "decode/decoder.h"
#include "decode/grpc/ttrpc_frame.h"
#include "decode/grpc/ttrpc_messages.h"

namespace hopscope::decode::grpc {

class Ttrpc final : public Decoder {
public:
    explicit Ttrpc(bool late);

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    void cut_off(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
             EventSink& sink) override;
    void end(Direction direction, EventSink& sink) override;
    [[nodiscard]] std::size_t unread_bytes_max() const override;

    // For tests: requests without an answer.
    [[nodiscard]] std::size_t open_calls() const { return calls_.size(); }

private:
    enum class State : std::uint8_t { frame, skip, seek };
    struct Side {
        State state = State::frame;
        std::uint64_t left = 0;        // state skip: bytes to come
        std::uint64_t whole = 0;       // of a frame that a hole cuts off; 0: not known
        std::uint64_t skipped = 0;     // passed over while seeking
        std::uint64_t skipped_at = 0;  // where that began
        const char* why = nullptr;     // what is said about it; null: nothing (the connection is joined late)
    };
    struct Call {
        std::uint32_t stream = 0;
        const TaskMethod* known = nullptr;  // null: another service, or a method that is not known
        std::string service, method, container_id, exec_id;
    };

    // Takes what it can at the front of `unread`; 0: more bytes are needed, or only the state has changed.
    std::size_t advance(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    std::size_t take_frame(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    std::size_t seek(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink);
    void lose_place(Side& side, std::uint64_t offset, const char* why);
    void tell_skipped(Direction direction, EventSink& sink);
    void on_request(const TtrpcHeader& header, std::uint64_t offset, Bytes payload, EventSink& sink);
    void on_response(const TtrpcHeader& header, std::uint64_t offset, Bytes payload, EventSink& sink);
    void remember(Call call);

    std::array<Side, 2> sides_;
    std::deque<Call> calls_;  // the oldest first
    TaskMessages messages_;
};

}  // namespace hopscope::decode::grpc
