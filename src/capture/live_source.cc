#include "capture/live_source.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <optional>
#include <system_error>

#include "capture/live_namespace.h"
#include "core/untrusted.h"

namespace hopscope::capture {
namespace {

// How long the kernel keeps a block that is not full: the price of few wake-ups, and most of an event's delay.
constexpr int kBlockTimeoutMs = 100;

struct CloseHandle {
    void operator()(pcap_t* handle) const { ::pcap_close(handle); }
};
using Handle = std::unique_ptr<pcap_t, CloseHandle>;

struct Program {
    bpf_program code{};
    bool compiled = false;
    Program() = default;
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (compiled) ::pcap_freecode(&code);
    }
};

Unexpected<Error> failed(std::string interface, std::string why, std::string hint, std::string code) {
    return unexpected(Error{.doing = "cannot capture on",
                            .subject = std::move(interface),
                            .why = std::move(why),
                            .hint = std::move(hint),
                            .code = std::move(code)});
}

Unexpected<Error> no_permission(const std::string& interface) {
    return failed(interface, "CAP_NET_RAW is missing (uid " + std::to_string(::getuid()) + ")",
                  "run it with sudo\n"
                  "or once: sudo setcap cap_net_raw,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep "
                  "\"$(command -v hopscope)\"\n"
                  "works without: hopscope analyze FILE, hopscope ports (own processes only)",
                  "CAP-01");
}

Unexpected<Error> no_such_interface(const std::string& interface, const std::string& net_namespace) {
    std::string names;
    if (const auto all = list_interfaces(net_namespace)) {
        for (const InterfaceFacts& each : *all)
            names += (names.empty() ? "" : " ") + display(each.name) + (each.up ? "" : " (down)");
    }
    return failed(interface, "there is no such interface",
                  names.empty() ? "ip link shows the interfaces" : "one of: " + names, "CAP-02");
}

Unexpected<Error> is_down(const std::string& interface) {
    return failed(interface, "the interface is down", "sudo ip link set " + display(interface) + " up", "CAP-24");
}

}  // namespace

struct LiveSource::State {
    LiveOptions options;
    Handle handle;
    bool loopback = false;
    LinkType link_type = LinkType::ethernet;
    Timestamp began;  // when the filter was in force
    LiveCounters counters;
    std::uint32_t last_received = 0, last_dropped = 0;  // libpcap's own counters have 32 bits
    const std::function<void(const Packet&)>* take = nullptr;

    [[nodiscard]] std::string whole_filter(std::string_view text) const {
        if (!loopback) return std::string(text);
        return text.empty() ? "inbound" : "inbound and (" + std::string(text) + ")";
    }

    Status compile(std::string_view text, Program& program) const {
        const std::string whole = whole_filter(text);
        if (::pcap_compile(handle.get(), &program.code, whole.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
            return unexpected(Error{.doing = "not a capture filter:",
                                    .subject = std::string(text),
                                    .why = display(::pcap_geterr(handle.get())),
                                    .hint = "as tcpdump takes it, man pcap-filter; for example: --bpf 'host 10.0.0.2'",
                                    .code = "CAP-25"});
        program.compiled = true;
        return Done{};
    }

    Unexpected<Error> fault(int code) const {
        const std::string text = ::pcap_geterr(handle.get());
        if (code == PCAP_ERROR_PERM_DENIED || code == PCAP_ERROR_PROMISC_PERM_DENIED)
            return no_permission(options.interface);
        if (code == PCAP_ERROR_NO_SUCH_DEVICE) return no_such_interface(options.interface, options.net_namespace);
        if (code == PCAP_ERROR_IFACE_NOT_UP) return is_down(options.interface);
        return failed(options.interface, display(text.empty() ? ::pcap_statustostr(code) : text), "", "CAP-26");
    }

    // In the thread that is in the right namespace.
    Status open() {
        char text[PCAP_ERRBUF_SIZE] = "";
        const std::string& name = options.interface;
        if (name.empty() || (name != "any" && ::if_nametoindex(name.c_str()) == 0))
            return no_such_interface(name, options.net_namespace);
        handle.reset(::pcap_create(name.c_str(), text));
        if (!handle) return failed(name, display(text), "", "CAP-26");
        pcap_t* pcap = handle.get();
        ::pcap_set_snaplen(pcap, static_cast<int>(std::min<std::uint32_t>(options.snaplen, INT_MAX)));
        ::pcap_set_timeout(pcap, kBlockTimeoutMs);
        ::pcap_set_buffer_size(pcap, static_cast<int>(std::min<std::uint64_t>(options.ring_bytes, INT_MAX)));
        ::pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
        if (const int code = ::pcap_activate(pcap); code < 0) return fault(code);
        if (::pcap_setnonblock(pcap, 1, text) != 0) return failed(name, display(text), "", "CAP-26");
        link_type = static_cast<LinkType>(::pcap_datalink(pcap));
        loopback = is_loopback(name);
        if (loopback) {
            // The kernel then does not even copy the outgoing packet for us (Linux 4.20); the filter says the same to
            // older ones, and for what came before this call.
            const int on = 1;
            ::setsockopt(::pcap_fileno(pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
        }
        return set_filter(options.filter);
    }

    Status set_filter(std::string_view text) {
        Program program;
        if (const Status compiled = compile(text, program); !compiled) return unexpected(compiled.error());
        if (link_type != LinkType::ethernet) {
            // libpcap rewrites programs for cooked sockets; this way it drops packets for some microseconds.
            if (const int code = ::pcap_setfilter(handle.get(), &program.code); code != 0) return fault(code);
        } else if (const Status attached = attach(program); !attached) {
            return unexpected(attached.error());
        }
        if (began.ns == 0) began = now();
        return Done{};
    }

    // pcap_setfilter() would first attach a filter that drops everything, uncounted, and later hold blocks of the ring
    // against the first filter though it was replaced. The kernel replaces a filter in one step, and a classic BPF
    // instruction has the same eight bytes in libpcap and in the kernel.
    Status attach(const Program& program) const {
        static_assert(sizeof(bpf_insn) == sizeof(sock_filter));
        sock_fprog attached{};
        attached.len = static_cast<unsigned short>(program.code.bf_len);
        attached.filter = reinterpret_cast<sock_filter*>(program.code.bf_insns);
        if (::setsockopt(::pcap_fileno(handle.get()), SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached) == 0)
            return Done{};
        return failed(options.interface, "the filter was not accepted: " + std::generic_category().message(errno),
                      "a shorter filter", "CAP-25");
    }

    static Timestamp now() {
        timespec t{};
        ::clock_gettime(CLOCK_REALTIME, &t);
        return {static_cast<std::int64_t>(t.tv_sec) * kNanosecondsPerSecond + t.tv_nsec};
    }

    static bool is_loopback(const std::string& name) {
        ifreq request{};
        name.copy(request.ifr_name, IFNAMSIZ - 1);
        const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return name == "lo";
        const bool known = ::ioctl(fd, SIOCGIFFLAGS, &request) == 0;
        ::close(fd);
        return known ? (request.ifr_flags & IFF_LOOPBACK) != 0 : name == "lo";
    }

    void on(const pcap_pkthdr& header, const u_char* bytes) {
        Packet packet;
        // With nanosecond precision libpcap puts nanoseconds into tv_usec.
        packet.at = {static_cast<std::int64_t>(header.ts.tv_sec) * kNanosecondsPerSecond + header.ts.tv_usec};
        if (packet.at < began) return;  // the socket was open before its filter was
        packet.link_type = link_type;
        packet.interface = options.number;
        packet.wire_length = header.len;
        packet.bytes = Bytes(bytes, header.caplen);
        ++counters.delivered;
        (*take)(packet);
    }
};

LiveSource::LiveSource() : state_(std::make_unique<State>()) {}
LiveSource::~LiveSource() = default;

Result<std::unique_ptr<LiveSource>> LiveSource::open(const LiveOptions& options) {
    std::unique_ptr<LiveSource> source(new LiveSource);
    State& s = *source->state_;
    s.options = options;
    std::optional<Status> opened;
    const Status entered = in_net_namespace(options.net_namespace, [&] { opened = s.open(); });
    if (!entered) return unexpected(entered.error());
    if (!*opened) return unexpected(opened->error());
    return source;
}

int LiveSource::fd() const { return ::pcap_get_selectable_fd(state_->handle.get()); }

InterfaceInfo LiveSource::info() const {
    const State& s = *state_;
    return {.number = s.options.number,
            .link_type = s.link_type,
            .name = s.options.interface,
            .snaplen = s.options.snaplen};
}

Status LiveSource::set_filter(std::string_view text) {
    State& s = *state_;
    if (Status changed = s.set_filter(text); !changed) return changed;
    s.options.filter = text;
    return Done{};
}

Result<bool> LiveSource::drain(std::size_t packets_max, const std::function<void(const Packet&)>& take) {
    State& s = *state_;
    s.take = &take;
    const int wanted = static_cast<int>(std::min<std::size_t>(std::max<std::size_t>(packets_max, 1), INT_MAX));
    const int got = ::pcap_dispatch(
        s.handle.get(), wanted,
        [](u_char* self, const pcap_pkthdr* header, const u_char* bytes) {
            reinterpret_cast<State*>(self)->on(*header, bytes);
        },
        reinterpret_cast<u_char*>(&s));
    s.take = nullptr;
    if (got < 0) {
        const std::string why = ::pcap_geterr(s.handle.get());
        return failed(s.options.interface, display(why), "start again when it is back", "CAP-24");
    }
    return got >= wanted;
}

LiveCounters LiveSource::counters() {
    State& s = *state_;
    pcap_stat now{};
    if (::pcap_stats(s.handle.get(), &now) == 0) {
        s.counters.received += std::uint32_t{now.ps_recv - s.last_received};
        s.counters.dropped += std::uint32_t{now.ps_drop - s.last_dropped};
        s.last_received = now.ps_recv;
        s.last_dropped = now.ps_drop;
    }
    return s.counters;
}

}  // namespace hopscope::capture
