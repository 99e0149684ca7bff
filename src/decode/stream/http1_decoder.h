// The decoder behind make_http1(). Heads are http_head.h, bodies http_body.h, holes after_hole.h; here is what holds
// them together: which answer belongs to which request, and when a direction must wait.
//
// Problem codes: http.start_line, http.head, http.headers, http.length, http.chunk, http.pending, http.tunnel,
// http.upgrade, http.resync.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "decode/stream/after_hole.h"
#include "decode/stream/http1.h"
#include "decode/stream/http_body.h"
#include "decode/stream/http_head.h"

namespace hopscope::decode::stream::http {

class Http1Decoder final : public Decoder {
public:
    Http1Decoder(Handover handover, bool late);

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    void cut_off(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
             EventSink& sink) override;
    void end(Direction direction, EventSink& sink) override;
    [[nodiscard]] std::size_t unread_bytes_max() const override;

private:
    enum class State : std::uint8_t {
        head,  // between messages, or inside a head
        body,
        waiting,  // client only: for the answer to its request for an upgrade
        search,   // behind a hole
    };
    struct Side {
        State state = State::head;
        bool holed = false;        // waiting, and bytes are missing before what is held
        std::size_t searched = 0;  // bytes of the head in hand that hold no empty line
        Body body;
        std::unique_ptr<AfterHole> after;
        // Stream offsets up to which the search has seen bytes and has passed over them.
        std::uint64_t search_end = 0, search_next = 0;
        bool search_told = false;  // what was passed over has been told
    };
    // A request that is not answered yet.
    struct Pending {
        std::uint32_t exchange = 0;
        bool head_method = false;  // HEAD: the answer has no body
        bool connect = false;
    };
    // The request for an upgrade that the client waits with.
    struct Ask {
        std::uint32_t exchange = 0;
        std::string target;
        std::optional<Carrier> carrier;  // none: the head was cut before its Upgrade field
        bool get = false;                // GET: all that WebSocket allows; SPDY clients use POST, too
        bool hijack = false;             // Docker may take over with 200
        bool accepted = false;           // 101 was seen, but not what it leads to
        std::string subprotocol;         // chosen by that 101
    };
    // One place in the bytes of one direction.
    struct Here {
        Direction direction{};
        std::uint64_t offset = 0;
        EventSink& sink;
    };

    Side& side(Direction direction) { return sides_[index_of(direction)]; }
    Step message_head(Side& side, Bytes unread, const Here& here);
    bool request(const Head& head, const Here& here);
    Step response(const Head& head, std::size_t head_bytes, const Here& here);
    Pending answered(bool final);
    std::optional<Body> body_of(const Head& head, const Pending* answered, std::uint32_t exchange, const Here& here);
    void note_ask(const Head& head, std::uint32_t exchange, bool cut);
    void not_upgraded();
    Step upgrade(const Head& head, std::uint32_t exchange, std::size_t head_bytes, const Here& here);
    Step hand_over(std::size_t taken, Carrier carrier, std::string_view subprotocol, std::string_view content_type,
                   EventSink& sink);
    std::unique_ptr<Decoder> carried(Carrier carrier, std::string_view subprotocol, std::string_view content_type,
                                     std::array<bool, 2> cut);
    bool body_over(Side& side, Direction direction);
    Step search(Side& side, Bytes unread, const Here& here);
    void lose(Direction direction, EventSink& sink);
    void start_search(Direction direction, AfterHole::Possible possible);
    void give_up_until(Side& side, Direction direction, std::uint64_t until, EventSink& sink);
    Step broken(std::string_view code, std::string_view text, const Here& here);

    std::array<Side, 2> sides_;
    std::deque<Pending> pending_;
    std::unique_ptr<Ask> ask_;
    Handover handover_;
    std::uint32_t next_exchange_ = 0;
    bool pair_with_newest_ = false;  // answers were missed
    bool client_freed_ = false;      // the step in hand has freed what the client waited with
};

}  // namespace hopscope::decode::stream::http
