// IP fragments put together (RFC 791 section 3.2, RFC 8200 section 4.5), in whatever order they come.
//
// Bounded in datagrams, bytes and time (capture time). Where fragments overlap, the bytes that came first stay and the
// overlap is counted. A fragment that was cut by the snaplen leaves a datagram whose bytes end there; its length is
// still known.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/bytes.h"
#include "core/loss.h"
#include "core/time.h"
#include "decode/net/ip.h"

namespace hopscope::decode::net {

class FragmentStore {
public:
    explicit FragmentStore(LossCounters& loss) : loss_(loss) {}

    // Takes ip.payload, a part of a datagram. found: that was the last missing part, and `ip` is now the whole
    // datagram, borrowed from here until the next call. waits: others are missing. broken: it cannot be a fragment.
    Layer add(IpPacket& ip, Timestamp at);
    // The capture is over: what still waits is counted in LossPlace::fragments.
    void finish();

    [[nodiscard]] std::uint64_t overlaps() const { return overlaps_; }

private:
    struct Range {
        std::uint32_t begin = 0, end = 0;
    };
    struct Datagram {
        IpAddress source, destination;
        std::uint32_t id = 0;
        std::uint8_t protocol = 0;      // of the fragment at offset 0, once it is here
        std::uint8_t key_protocol = 0;  // IPv4: a part of the key (RFC 791)
        Timestamp first_at;
        std::uint32_t fragments = 0;
        std::uint32_t total = 0;           // 0: the last fragment is not here yet
        std::uint32_t captured_until = 0;  // bytes from here on were cut in some fragment
        std::vector<Range> ranges;         // sorted, apart from each other
        std::vector<std::uint8_t> bytes;
    };

    Datagram& datagram_of(const IpPacket& ip, Timestamp at);
    void forget_old(Timestamp at);
    void give_up(std::size_t index);
    // Marks [begin, end) as here and copies what was not here before. False: too many separate parts.
    bool place(Datagram& datagram, std::uint32_t begin, std::uint32_t end, Bytes captured);

    LossCounters& loss_;
    std::uint64_t overlaps_ = 0;
    std::vector<Datagram> waiting_;
    std::vector<std::uint8_t> whole_;  // the datagram that was handed out last
};

}  // namespace hopscope::decode::net
