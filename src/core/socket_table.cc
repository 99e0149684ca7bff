#include "core/socket_table.h"

#include <algorithm>

namespace hopscope {

const Process* find_process(const SocketTable& table, std::uint32_t pid) {
    const auto found =
        std::lower_bound(table.processes.begin(), table.processes.end(), pid,
                         [](const Process& process, std::uint32_t wanted) { return process.id.pid < wanted; });
    return found != table.processes.end() && found->id.pid == pid ? &*found : nullptr;
}

std::string_view to_string(SocketState state) {
    switch (state) {
        case SocketState::unknown: return "";
        case SocketState::listen: return "listen";
        case SocketState::established: return "established";
        case SocketState::syn_sent: return "syn-sent";
        case SocketState::syn_recv: return "syn-recv";
        case SocketState::fin_wait: return "fin-wait";
        case SocketState::time_wait: return "time-wait";
        case SocketState::close: return "close";
        case SocketState::close_wait: return "close-wait";
        case SocketState::last_ack: return "last-ack";
        case SocketState::closing: return "closing";
    }
    return "";
}

std::string_view to_string(Transport transport) {
    switch (transport) {
        case Transport::tcp: return "tcp";
        case Transport::udp: return "udp";
        case Transport::unix_stream: return "unix";
        case Transport::unix_seqpacket: return "unix-seqpacket";
        case Transport::unix_dgram: return "unix-dgram";
    }
    return "";
}

}  // namespace hopscope
