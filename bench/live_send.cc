// Sends the traffic of execs over real loopback sockets, for measuring live capture: the head and the end come from a
// capture, the output in between is made here.
//
//     live_send CAPTURE bulk MB_PER_S SECONDS       32 KiB SPDY DATA frames of one exec; 0: as fast as it goes
//     live_send CAPTURE small PACKETS_PER_S SECONDS 64-byte DATA frames, a packet each
//     live_send CAPTURE sessions PER_S SECONDS      whole execs, one after the other, each with a token of its own
//
// CAPTURE: one exec whose output frame is the last payload before its status
// ("testdata/captures/runtime/exec_exit3.pcap"). Prints one JSON line: what was sent, how long it took, and the
// sender's own CPU time.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "capture/reader.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"

namespace {

using namespace hopscope;
using Clock = std::chrono::steady_clock;

class Script final : public decode::net::TcpListener {
public:
    struct Piece {
        Direction direction{};
        std::string bytes;
    };
    std::vector<Piece> pieces;
    std::uint16_t port = 0;

    bool read(const char* name) {
        auto reader = capture::Reader::open({name}, [](const capture::FileNote&) {});
        if (!reader) return false;
        LossCounters loss;
        decode::net::PacketParser parser(loss);
        decode::net::TcpReassembler tcp(*this, loss, nullptr);
        Packet packet;
        decode::net::TcpSegment segment;
        while ((*reader)->next(packet))
            if (parser.parse(packet, segment)) tcp.on(segment, packet.at);
        tcp.finish();
        return !pieces.empty();
    }
    void opened(decode::net::FlowRef, const Endpoint&, const Endpoint& server, bool) override { port = server.port; }
    void bytes(decode::net::FlowRef, Direction direction, Bytes bytes) override {
        pieces.push_back({direction, std::string(as_text(bytes))});
    }
    void gap(decode::net::FlowRef, Direction, std::uint64_t, std::uint64_t) override {}
    void note(decode::net::FlowRef, const NetNote&) override {}
    void closing(decode::net::FlowRef, Direction, FinKind) override {}
    void ended(decode::net::FlowRef, bool) override {}
};

// The client end reads in a thread of its own, so that the sender is held up by TCP only.
class Connection {
public:
    explicit Connection(int listener, std::uint16_t port) {
        client_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(client_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::perror("connect");
        server_ = ::accept(listener, nullptr, nullptr);
        const int on = 1;
        ::setsockopt(client_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(server_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~Connection() {
        ::close(client_);
        ::close(server_);
    }
    void send(Direction direction, std::string_view bytes, int flags = 0) const {
        const int fd = direction == Direction::to_server ? client_ : server_;
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | flags);
            if (n <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void receive(Direction direction, std::size_t bytes) const {
        const int fd = direction == Direction::to_server ? server_ : client_;
        static thread_local std::vector<char> buffer(1 << 18);
        while (bytes > 0) {
            const ssize_t n = ::recv(fd, buffer.data(), std::min(bytes, buffer.size()), 0);
            if (n <= 0) return;
            bytes -= static_cast<std::size_t>(n);
        }
    }
    // Takes frames of this size until the one whose last byte is 'y'.
    void receive_frames(std::size_t frame_bytes) const {
        std::vector<char> buffer(1 << 18);
        std::size_t at = 0;  // in the present frame
        for (;;) {
            const ssize_t n = ::recv(client_, buffer.data(), buffer.size(), 0);
            if (n <= 0) return;
            const auto got = static_cast<std::size_t>(n);
            for (std::size_t end = frame_bytes - 1 - at; end < got; end += frame_bytes)
                if (buffer[end] == 'y') return;
            at = (at + got) % frame_bytes;
        }
    }
    void pass(const Script::Piece& piece) const {
        send(piece.direction, piece.bytes);
        receive(piece.direction, piece.bytes.size());
    }

private:
    int client_ = -1, server_ = -1;
};

std::string data_frame(std::size_t bytes) {
    std::string frame = {
        0, 0, 0, 3, 0, static_cast<char>(bytes >> 16), static_cast<char>(bytes >> 8), static_cast<char>(bytes)};
    return frame + std::string(bytes, 'x');
}

// The eight characters after "/exec/", different in each session and in each run.
void renew_token(std::vector<Script::Piece>& pieces, std::uint64_t number) {
    constexpr std::string_view kPath = "/exec/", kDigits = "abcdefghijklmnopqrstuvwxyzABCDEF";
    constexpr std::size_t kTokenBytes = 8;
    static const auto run = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
    number += run >> 10;
    for (Script::Piece& piece : pieces) {
        const std::size_t at = piece.bytes.find(kPath);
        if (at == std::string::npos || piece.bytes.size() < at + kPath.size() + kTokenBytes) continue;
        for (std::size_t i = 0; i < kTokenBytes; ++i)
            piece.bytes[at + kPath.size() + i] = kDigits[number >> (5 * i) & 31];
        return;
    }
}

void wait_until(Clock::time_point at) {
    if (at > Clock::now()) std::this_thread::sleep_until(at);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return std::fputs("live_send CAPTURE bulk|small|sessions RATE SECONDS\n", stderr), 2;
    Script script;
    if (!script.read(argv[1])) return std::fprintf(stderr, "cannot read %s\n", argv[1]), 1;
    const std::string mode = argv[2];
    const double rate = std::atof(argv[3]), seconds = std::atof(argv[4]);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(script.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 128) != 0)
        return std::perror("listen"), 1;

    std::uint64_t units = 0, bytes = 0;
    const auto began = Clock::now(),
               end = began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    const auto at_unit = [&](double per_s) {
        return began + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double>(static_cast<double>(units) / per_s));
    };
    if (mode == "sessions") {
        for (; Clock::now() < end; ++units) {
            wait_until(at_unit(rate));
            renew_token(script.pieces, units);
            const Connection connection(listener, script.port);
            for (const Script::Piece& piece : script.pieces) connection.pass(piece), bytes += piece.bytes.size();
        }
    } else {
        const std::string frame = data_frame(mode == "bulk" ? 32768 : 64);
        const double per_s = mode == "bulk" ? rate * 1e6 / 32768 : rate;
        const std::uint64_t burst = mode == "bulk" ? 1 : 50;
        // Without a record's end the kernel puts frames together that wait for an acknowledgement.
        const int flags = mode == "bulk" ? 0 : MSG_EOR;
        const Connection connection(listener, script.port);
        std::size_t next = 0;
        while (next < script.pieces.size() && script.pieces[next].bytes.find("bye\n") == std::string::npos)
            connection.pass(script.pieces[next++]);
        if (next < script.pieces.size()) connection.pass(script.pieces[next++]);
        // How much will be read is known only at the end: the last frame is marked.
        std::string last = frame;
        last.back() = 'y';
        std::thread reader([&] { connection.receive_frames(frame.size()); });
        for (; Clock::now() < end; ++units) {
            if (per_s > 0 && units % burst == 0) wait_until(at_unit(per_s));
            connection.send(Direction::to_client, frame, flags);
            bytes += frame.size();
        }
        connection.send(Direction::to_client, last);
        reader.join();
        bytes += last.size();
        while (next < script.pieces.size()) connection.pass(script.pieces[next++]);
    }
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    std::printf(
        "{\"mode\":\"%s\",\"units\":%llu,\"bytes\":%llu,\"seconds\":%.3f,\"mb_per_s\":%.1f,\"units_per_s\":%.0f,\"cpu_"
        "s\":%.2f}\n",
        mode.c_str(), static_cast<unsigned long long>(units), static_cast<unsigned long long>(bytes), took,
        static_cast<double>(bytes) / 1e6 / took, static_cast<double>(units) / took, cpu);
    ::close(listener);
    return 0;
}
