// One connection on its way through the pipeline: finds out what it speaks and who is the client, then runs its Road.
//
// `first` is the side that opened it, or, where the handshake was not seen, the sender of the first packet; directions
// given here are meant with `first` as client. Once the content has told who the client really is they are turned.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "core/event.h"
#include "decode/detecting.h"
#include "decode/road.h"

namespace hopscope::pipeline {

class Connection {
public:
    // Tells what was recognised, once, before the first event.
    class Owner : public EventSink {
    public:
        virtual void recognised(Connection& connection, decode::stream::Protocol protocol, bool flipped, bool late) = 0;
    };

    // `first_is_client`: where something else than its bytes has told.
    Connection(bool handshake_seen, const decode::Protocols& protocols, std::optional<bool> first_is_client = {})
        : protocols_(protocols), first_is_client_(first_is_client), handshake_seen_(handshake_seen) {}

    void bytes(Direction direction, Bytes bytes, Owner& owner);
    void gap(Direction direction, std::uint64_t offset, std::uint64_t missing, Owner& owner);
    void closing(Direction direction, FinKind kind, Owner& owner);
    void ended(bool capture_over, Owner& owner);

    [[nodiscard]] bool flipped() const { return flipped_; }
    [[nodiscard]] Direction turned(Direction direction) const { return flipped_ ? opposite(direction) : direction; }
    // Events of this connection are worth telling: it speaks something that hopscope decodes.
    [[nodiscard]] bool handshake_seen() const { return handshake_seen_; }
    [[nodiscard]] bool known() const { return phase_ == Phase::known; }

private:
    enum class Phase : std::uint8_t { undecided, known, unknown };
    // What came before the protocol was known; freed as soon as it is.
    struct Waiting {
        std::array<std::vector<std::uint8_t>, 2> bytes;  // by direction, `first` as client
        std::vector<Gap> gaps;
        bool over = false;
    };

    void decide(Direction direction, Bytes fresh, Owner& owner);
    Waiting& waiting();

    decode::Protocols protocols_;
    std::optional<bool> first_is_client_;
    std::unique_ptr<Waiting> waiting_;
    std::unique_ptr<decode::Road> road_;
    Phase phase_ = Phase::undecided;
    bool handshake_seen_;
    bool flipped_ = false;
};

}  // namespace hopscope::pipeline
