// What the generator is asked for. The same options give the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace hopscope::gen {

enum class Link : std::uint8_t { ethernet, vlan, qinq, sll, sll2, raw, null };
enum class Format : std::uint8_t { pcap_us, pcap_ns, pcapng };
enum class Kind : std::uint8_t { exec, portforward, http, tls, websocket };
inline constexpr std::size_t kKinds = 5;

struct Options {
    // Traffic.
    std::uint64_t seed = 1;
    std::uint64_t payload_bytes = 1'000'000;  // of all connections together
    std::uint32_t connections = 1;
    std::uint32_t at_once = 1;
    std::uint32_t mss = 65483;        // 65483: GSO on lo
    std::uint32_t frame_max = 32768;  // payload of a frame, message, record or HTTP body
    std::uint32_t frame_min = 0;      // 0: all of frame_max
    bool split = true;                // spdystream's writes of 4, 4, N bytes instead of one per frame
    double busy = 0;                  // probability that a frame finds the send queue busy and is merged
    std::uint32_t ack_every = 2;      // data segments
    std::array<std::uint32_t, kKinds> mix{100, 0, 0, 0, 0};  // percent, in the order of Kind
    bool random_payload = false;
    bool no_fin = false;

    // What goes wrong on the way or in the capture; all are probabilities.
    double reorder = 0, retransmit = 0, lost = 0;  // per data segment; lost: by the capture, not by the wire
    double overlap = 0;      // per data segment: a retransmission of its second half with other bytes
    double zero_window = 0;  // per flush: window closed, probed, opened
    double keep_alive = 0;   // per flush
    double late = 0;         // per connection: it began before the capture (no handshake, no upgrade in the file)
    double fin_lost = 0;     // per connection: its FINs were not captured
    double reset = 0;        // per connection: it ends with RST
    std::uint32_t client_ports = 0;  // so many client ports are used again and again; 0: the whole ephemeral range

    // The file.
    Link link = Link::ethernet;
    Format format = Format::pcap_us;
    bool ipv6 = false;
    bool big_endian = false;
    bool copies = false;  // each packet twice, as "-i any" sees loopback (only with sll and sll2)
    std::uint32_t snaplen = 262144;
    std::uint32_t cut_last = 0;  // so many bytes are missing at the end of the file
    std::string output = "-";
    std::string truth;     // empty: standard error
    std::string sessions;  // empty: none
};

// False: nothing is to be made (help was asked for, or an argument is wrong, which was said on standard error).
bool parse_options(int argc, char** argv, Options& options, int& exit_code);

}  // namespace hopscope::gen
