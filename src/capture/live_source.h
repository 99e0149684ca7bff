// Live capture of one interface through libpcap: packets out of the kernel's ring, without a thread and without
// waiting.
//
// Never immediate mode: the kernel hands over a block of the ring when it is full or after 100 ms, so a quiet interface
// costs nothing and a busy one no wake-up per packet. On the loopback interface every packet passes a packet socket
// twice (going out and coming in): only the incoming copy is asked for, in the kernel, so that the ring and the drop
// counter see each packet once. Times have nanoseconds. It neither decodes nor names anything, and keeps no copy of
// packets.
//
// Another network namespace is entered by a thread of its own while the interface is opened (setns(2), CAP_SYS_ADMIN);
// the rest of the program stays where it is.
//
// Errors: CAP-01 CAP_NET_RAW is missing; CAP-02 no such interface (with those there are); CAP-24 the interface is down
// or has gone; CAP-25 the filter is not one (pcap-filter(7)); CAP-26 anything else, namespaces too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capture/interface_info.h"
#include "core/endpoint.h"
#include "core/packet.h"
#include "core/result.h"

namespace hopscope::capture {

struct LiveOptions {
    std::string interface = "lo";
    std::uint32_t number = 0;                // Packet::interface of its packets
    std::string filter;                      // pcap-filter(7); empty: everything
    std::uint32_t snaplen = 262144;          // bytes kept of a packet; less than the largest frame breaks framing
    std::uint64_t ring_bytes = 32ULL << 20;  // kernel memory for packets that were not read yet
    std::string net_namespace;               // path of a namespace file ("/proc/1234/ns/net"); empty: our own
};

// Since the source was opened.
struct LiveCounters {
    std::uint64_t received = 0;   // packets that passed the filter, dropped ones included
    std::uint64_t dropped = 0;    // of them, for lack of room in the ring
    std::uint64_t delivered = 0;  // handed to drain()'s callback
};

class LiveSource {
public:
    static Result<std::unique_ptr<LiveSource>> open(const LiveOptions& options);
    ~LiveSource();
    LiveSource(const LiveSource&) = delete;
    LiveSource& operator=(const LiveSource&) = delete;

    // Readable when drain() would find packets; level-triggered.
    [[nodiscard]] int fd() const;
    [[nodiscard]] InterfaceInfo info() const;
    // Replaces the filter between two packets: none is lost by the change, and packets that lie in the ring stay.
    Status set_filter(std::string_view text);
    // Hands over what is in the ring, at most about `packets_max`; true: there may be more. Packet::bytes are borrowed
    // until the callback returns; Packet::frame and position are 0.
    Result<bool> drain(std::size_t packets_max, const std::function<void(const Packet&)>& take);
    [[nodiscard]] LiveCounters counters();

private:
    LiveSource();
    struct State;
    std::unique_ptr<State> state_;
};

// --- which interfaces

struct InterfaceFacts {
    std::string name;
    bool up = false, loopback = false;
    std::vector<IpAddress> addresses;
};

// Of our own network namespace or another one (as LiveOptions::net_namespace), in the kernel's order.
Result<std::vector<InterfaceFacts>> list_interfaces(const std::string& net_namespace = {});

// Loopback, and the interfaces that carry the kubelet's port: those with an address that a listener is bound to; with
// an unspecified address every interface that is up and has an address of more than link scope. `bound`: addresses of
// listeners; empty: nobody listens, loopback alone.
std::vector<std::string> interfaces_for(const std::vector<InterfaceFacts>& all, std::span<const IpAddress> bound);

// A network namespace as users write it: digits are a pid ("/proc/PID/ns/net"), a word without a slash is
// a name of ip-netns(8) ("/run/netns/NAME"), anything else a path.
std::string net_namespace_path(std::string_view text);

}  // namespace hopscope::capture
