// The streams of one HTTP/2 connection: requests and answers, gRPC calls, CRI messages, calls of containerd's own API
// about processes. Tells the events; knows
// nothing of frames' wire form and HPACK.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/event.h"
#include "decode/grpc/cri_messages.h"
#include "decode/grpc/cri_methods.h"
#include "decode/grpc/header_list.h"
#include "decode/grpc/message_reader.h"
#include "decode/grpc/task_service.h"

namespace hopscope::decode::grpc {

// Where in the bytes the present frame stands, for Problem.
struct FramePlace {
    Direction direction{};
    std::uint64_t offset = 0;
};

class Exchanges {
public:
    // A header block of `stream`, sent in `place.direction`.
    void headers(FramePlace place, std::uint32_t stream, const HeaderList& fields, bool end_stream, EventSink& sink);
    // PUSH_PROMISE: the server says what request it answers on `promised`.
    void promise(FramePlace place, std::uint32_t promised, const HeaderList& fields, EventSink& sink);

    // A DATA frame with `bytes` of payload (padding removed) begins, its pieces follow, then its end.
    void data_begin(FramePlace place, std::uint32_t stream, std::uint32_t bytes, EventSink& sink);
    void data(FramePlace place, Bytes piece, EventSink& sink);
    void data_end(FramePlace place, bool end_stream, EventSink& sink);
    // Bytes inside the payload of the DATA frame in hand were never captured.
    void data_hole(Direction direction, std::uint64_t missing);

    void reset(std::uint32_t stream, std::uint32_t code, EventSink& sink);
    // Streams above `last_stream` will never be answered.
    void goaway(Direction direction, std::uint32_t last_stream, EventSink& sink);
    // Frames of this direction were never captured: any stream may have been closed by them.
    void lost(Direction direction);
    // No more bytes in this direction.
    void ended(Direction direction, EventSink& sink);

    [[nodiscard]] std::size_t open() const { return open_.size(); }
    // Of messages and requests that are not complete yet.
    [[nodiscard]] std::size_t held_bytes() const { return memory_.used; }

private:
    enum class Kind : std::uint8_t { unknown, http, grpc, cri, tasks };
    enum class Encoding : std::uint8_t { unknown, identity, deflated, other };

    struct Side {
        MessageReader messages;
        std::uint64_t body_bytes = 0;
        Encoding encoding = Encoding::unknown;
        bool begun = false;     // HttpRequest or HttpResponse was told
        bool ended = false;     // END_STREAM seen, or reset
        bool doubtful = false;  // frames were lost since: END_STREAM may have been among them
        bool hole = false;      // bytes of the body are missing
    };
    // A call about a process: its answer does not name it.
    struct TaskCall {
        const TaskMethod* known = nullptr;
        std::string runtime_namespace, container_id, exec_id;
        std::int32_t status = 0;
        bool answered = false;
    };
    struct Exchange {
        std::uint32_t id = 0;
        Kind kind = Kind::unknown;
        bool done_told = false;
        bool inferred = false;     // `known` follows from a body
        std::string_view version;  // text of the program
        const CriMethod* known = nullptr;
        std::string method;                   // a CRI method that is not known
        std::vector<std::uint8_t> undecided;  // a request that only its answer can explain
        std::unique_ptr<TaskCall> task;       // kind tasks
        std::array<Side, 2> sides;

        Side& side(Direction direction) { return sides[index_of(direction)]; }
        [[nodiscard]] std::string_view method_text() const { return known ? known->name : std::string_view(method); }
    };
    // A stream that is over, and which method its answer showed: the request may still come where one direction is
    // found again later than the other.
    struct Over {
        std::uint32_t id = 0;
        const CriMethod* inferred = nullptr;
    };
    class OneMessage;

    Exchange* find(std::uint32_t id);
    // Null: the stream is over, what comes is left over.
    Exchange* find_or_open(std::uint32_t id, Direction direction, EventSink& sink);
    Exchange& least_likely_open();
    void close(std::uint32_t id);
    void close_if_over(Exchange& exchange, EventSink& sink);
    void abandon(Exchange& exchange, EventSink& sink);
    void recycle(std::unique_ptr<Exchange> exchange);

    void begin_request(Exchange& exchange, const HeaderList& fields, EventSink& sink);
    void begin_response(Exchange& exchange, const HeaderList& fields, std::uint16_t status, EventSink& sink);
    void trailers(Exchange& exchange, const HeaderList& fields, EventSink& sink);
    void end_side(Exchange& exchange, Direction direction, bool complete, EventSink& sink);
    void tell_done(Exchange& exchange, std::uint32_t grpc_status, std::string_view message, EventSink& sink);
    void collect(const HeaderList& fields, bool request);

    void on_message(Exchange& exchange, FramePlace place, const GrpcMessage& message, EventSink& sink);
    void on_unnamed_message(Exchange& exchange, FramePlace place, std::uint32_t length, Bytes body, EventSink& sink);
    void keep_undecided(Exchange& exchange, Bytes body);
    void drop_undecided(Exchange& exchange);
    void tell_cri(const Exchange& exchange, FramePlace place, CriBody kind, std::uint32_t length, Bytes body,
                  EventSink& sink);
    void tell_task(Exchange& exchange, FramePlace place, TaskBody kind, std::uint32_t length, Bytes body,
                   EventSink& sink);
    void end_task(Exchange& exchange, std::uint32_t grpc_status, std::string_view message, EventSink& sink);
    static void note_encoding(Side& side, const HeaderList& fields);
    bool wants_bodies(const Exchange& exchange, Direction direction) const;

    std::vector<std::unique_ptr<Exchange>> open_;   // by id, ascending
    std::vector<std::unique_ptr<Exchange>> spare_;  // for the next streams
    std::array<Over, 64> over_{};
    std::size_t next_over_ = 0;
    std::array<Exchange*, 2> in_hand_{};  // whose DATA frame is being read, by direction

    MessageMemory memory_;
    CriMessages cri_;
    TaskMessages tasks_;
    std::vector<Header> fields_;          // scratch
    std::vector<std::uint8_t> inflated_;  // scratch
    std::string text_;                    // scratch
};

}  // namespace hopscope::decode::grpc
