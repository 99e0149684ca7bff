#include "capture/packet_ring.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "core/descriptor.h"
#include "core/untrusted.h"

namespace hopscope::capture {
namespace {

// TCP on loopback is cut into packets by nobody: they have up to 64 KiB, with "BIG TCP" (Linux 6.3) more.
constexpr std::uint32_t kBlockBytes = 256 * 1024;
constexpr std::uint32_t kFrameBytes = 2048;  // of no meaning in version 3, but checked
constexpr std::uint32_t kBlockTimeoutMs = 100;
constexpr int kSnaplen = 262144;

Unexpected<Error> refused(const char* doing) {
    return unexpected(Error{.doing = doing,
                            .subject = {},
                            .why = std::generic_category().message(errno),
                            .errno_value = errno,
                            .hint = {},
                            .code = "CAP-26"});
}

template <typename Value>
bool set(int fd, int option, const Value& value) {
    return ::setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

}  // namespace

struct PacketRing::State {
    PacketRingOptions options;
    Descriptor socket;
    std::uint8_t* ring = nullptr;
    std::size_t ring_bytes = 0, blocks = 0, next = 0;
    LiveCounters counters;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (ring) ::munmap(ring, ring_bytes);
    }

    Status open(int given) {
        socket.reset(given);
        const int version = TPACKET_V3, on = 1;
        if (!set(given, PACKET_VERSION, version)) return refused("cannot capture with TPACKET_V3");
        // Kernels before 4.20 do not know it: then outgoing copies are passed over one by one.
        [[maybe_unused]] const bool ignored = set(given, PACKET_IGNORE_OUTGOING, on);
        blocks = std::max<std::size_t>(options.ring_bytes / kBlockBytes, 2);
        ring_bytes = blocks * kBlockBytes;
        tpacket_req3 request{};
        request.tp_block_size = kBlockBytes;
        request.tp_block_nr = static_cast<unsigned>(blocks);
        request.tp_frame_size = kFrameBytes;
        request.tp_frame_nr = static_cast<unsigned>(ring_bytes / kFrameBytes);
        request.tp_retire_blk_tov = kBlockTimeoutMs;
        if (!set(given, PACKET_RX_RING, request)) return refused("cannot make a ring for packets");
        void* mapped = ::mmap(nullptr, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, given, 0);
        if (mapped == MAP_FAILED) return refused("cannot map a ring for packets");
        ring = static_cast<std::uint8_t*>(mapped);
        if (Status filtered = set_filter(options.filter); !filtered) return filtered;
        // Only now packets come.
        sockaddr_ll where{};
        where.sll_family = AF_PACKET;
        where.sll_protocol = htons(ETH_P_ALL);
        where.sll_ifindex = static_cast<int>(options.interface_index);
        if (::bind(given, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
            return refused("cannot capture on loopback of another network namespace");
        return Done{};
    }

    Status set_filter(std::string_view text) const {
        const std::unique_ptr<pcap_t, void (*)(pcap_t*)> dead(::pcap_open_dead(DLT_EN10MB, kSnaplen), ::pcap_close);
        const std::string whole(text);
        bpf_program code{};
        if (!dead || ::pcap_compile(dead.get(), &code, whole.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
            return unexpected(Error{.doing = "not a capture filter:",
                                    .subject = whole,
                                    .why = dead ? display(::pcap_geterr(dead.get())) : "no memory",
                                    .hint = {},
                                    .code = "CAP-25"});
        // A classic BPF instruction has the same eight bytes in libpcap and in the kernel.
        static_assert(sizeof(bpf_insn) == sizeof(sock_filter));
        sock_fprog attached{};
        attached.len = static_cast<unsigned short>(code.bf_len);
        attached.filter = reinterpret_cast<sock_filter*>(code.bf_insns);
        const bool done = ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached) == 0;
        const int error = errno;
        ::pcap_freecode(&code);
        errno = error;
        return done ? Status(Done{}) : refused("the filter was not accepted");
    }

    [[nodiscard]] tpacket_block_desc* block(std::size_t number) const {
        return reinterpret_cast<tpacket_block_desc*>(ring + number * kBlockBytes);
    }

    void take(const std::uint8_t* at, const std::function<void(const Packet&)>& tell) {
        const auto* header = reinterpret_cast<const tpacket3_hdr*>(at);
        const auto* from = reinterpret_cast<const sockaddr_ll*>(at + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
        if (from->sll_pkttype == PACKET_OUTGOING) return;
        Packet packet;
        packet.at = {static_cast<std::int64_t>(header->tp_sec) * kNanosecondsPerSecond + header->tp_nsec};
        packet.link_type = LinkType::ethernet;
        packet.interface = options.number;
        packet.wire_length = header->tp_len;
        packet.bytes = Bytes(at + header->tp_mac, header->tp_snaplen);
        ++counters.delivered;
        tell(packet);
    }
};

PacketRing::PacketRing() : state_(std::make_unique<State>()) {}
PacketRing::~PacketRing() = default;

Result<std::unique_ptr<PacketRing>> PacketRing::open(int socket, const PacketRingOptions& options) {
    std::unique_ptr<PacketRing> ring(new PacketRing);
    ring->state_->options = options;
    if (const Status opened = ring->state_->open(socket); !opened) return unexpected(opened.error());
    return ring;
}

int PacketRing::fd() const { return state_->socket.get(); }

Status PacketRing::set_filter(std::string_view text) {
    if (Status changed = state_->set_filter(text); !changed) return changed;
    state_->options.filter = text;
    return Done{};
}

bool PacketRing::drain(std::size_t packets_max, const std::function<void(const Packet&)>& take) {
    State& s = *state_;
    std::size_t taken = 0;
    while (taken < packets_max) {
        tpacket_block_desc* block = s.block(s.next);
        // What the kernel wrote before it gave the block away is seen after this.
        if ((std::atomic_ref(block->hdr.bh1.block_status).load(std::memory_order_acquire) & TP_STATUS_USER) == 0)
            return false;
        const std::uint8_t* at = reinterpret_cast<const std::uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
        for (std::uint32_t left = block->hdr.bh1.num_pkts; left > 0; --left, ++taken) {
            s.take(at, take);
            at += reinterpret_cast<const tpacket3_hdr*>(at)->tp_next_offset;
        }
        std::atomic_ref(block->hdr.bh1.block_status).store(TP_STATUS_KERNEL, std::memory_order_release);
        s.next = (s.next + 1) % s.blocks;
    }
    return true;
}

LiveCounters PacketRing::counters() {
    State& s = *state_;
    tpacket_stats_v3 since{};  // asking sets them to zero
    socklen_t size = sizeof since;
    if (::getsockopt(s.socket.get(), SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0) {
        s.counters.received += since.tp_packets;
        s.counters.dropped += since.tp_drops;
    }
    return s.counters;
}

}  // namespace hopscope::capture
