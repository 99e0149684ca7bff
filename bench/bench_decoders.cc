// The price of one thing: an HTTP exchange, the header blocks of a connection, a DATA frame, a WebSocket message, a
// line.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "decode/road.h"
#include "decode/stream/http1.h"
#include "decode/stream/upgraded.h"
#include "export/ndjson.h"
#include "gen/spdy_blocks.h"

namespace {

using namespace hopscope;
using decode::Road;

struct Nowhere final : EventSink {
    void on(const Event& event) override { benchmark::DoNotOptimize(event.index()); }
};

void put_be32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::string data_frame(std::uint32_t stream, std::size_t size) {
    std::string out;
    put_be32(out, stream);
    put_be32(out, static_cast<std::uint32_t>(size));
    return out.append(size, 'x');
}

// SYN_STREAM (type 1) or SYN_REPLY (type 2) with a header block.
std::string syn_frame(int type, std::uint32_t stream, gen::Span block) {
    std::string out;
    const std::size_t fixed = type == 1 ? 10 : 4;
    put_be32(out, 0x80030000U | static_cast<std::uint32_t>(type));
    put_be32(out, static_cast<std::uint32_t>(fixed + block.size()));
    put_be32(out, stream);
    out.append(fixed - 4, '\0');
    return out.append(reinterpret_cast<const char*>(block.data()), block.size());
}

void http_exchange(benchmark::State& state) {
    const std::string request =
        "GET /metrics/cadvisor HTTP/1.1\r\nHost: 127.0.0.1:10255\r\nUser-Agent: Prometheus/2.42.0\r\n"
        "Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1\r\nAccept-Encoding: "
        "gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n";
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 64\r\n\r\n" +
        std::string(64, 'x');
    Road road(decode::stream::make_http1());
    Nowhere sink;
    for (auto _ : state) {
        road.feed(Direction::to_server, as_bytes(request), sink);
        road.feed(Direction::to_client, as_bytes(answer), sink);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(http_exchange);

void spdy_connection_of_four_streams(benchmark::State& state) {
    static const char* const names[] = {"error", "stdin", "stdout", "stderr"};
    gen::BlockSequence blocks([](std::uint32_t n) { return gen::Pairs{{"streamtype", names[n]}}; });
    gen::BlockSequence replies([](std::uint32_t) { return gen::Pairs{}; });
    std::vector<std::string> in, out;
    for (std::uint32_t n = 0; n < 4; ++n) {
        in.push_back(syn_frame(1, 2 * n + 1, blocks.block(n)));
        out.push_back(syn_frame(2, 2 * n + 1, replies.block(n)));
    }
    Nowhere sink;
    for (auto _ : state) {
        Road road(decode::stream::make_spdy("v4.channel.k8s.io", decode::stream::Purpose::remote_command));
        for (std::size_t n = 0; n < in.size(); ++n) {
            road.feed(Direction::to_server, as_bytes(in[n]), sink);
            road.feed(Direction::to_client, as_bytes(out[n]), sink);
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(spdy_connection_of_four_streams);

// Frames of range(0) payload bytes, in pieces as spdystream writes them (range(1) = 1) or whole.
void spdy_data(benchmark::State& state) {
    const std::string frame = data_frame(3, static_cast<std::size_t>(state.range(0)));
    const bool split = state.range(1) == 1;
    Road road(decode::stream::make_spdy("v4.channel.k8s.io", decode::stream::Purpose::remote_command));
    Nowhere sink;
    const Bytes all = as_bytes(frame);
    for (auto _ : state) {
        if (split) {
            road.feed(Direction::to_client, all.first(4), sink);
            road.feed(Direction::to_client, all.subspan(4, 4), sink);
            road.feed(Direction::to_client, all.subspan(8), sink);
        } else {
            road.feed(Direction::to_client, all, sink);
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(spdy_data)->ArgNames({"bytes", "split"})->ArgsProduct({{132, 32768}, {0, 1}});

void websocket_message(benchmark::State& state) {
    const bool masked = state.range(0) == 1;
    std::string frame = {'\x82', static_cast<char>(masked ? 0x80 | 101 : 101)};
    if (masked) frame.append(4, 'm');
    frame += masked ? static_cast<char>(0 ^ 'm') : '\x01';
    frame.append(100, 'x');
    Road road(decode::stream::make_websocket("v4.channel.k8s.io", "/exec/abcdefgh"));
    Nowhere sink;
    for (auto _ : state) road.feed(masked ? Direction::to_server : Direction::to_client, as_bytes(frame), sink);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(websocket_message)->ArgName("masked")->Arg(0)->Arg(1);

void ndjson_frame_line(benchmark::State& state) {
    const int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    {
        exports::FdOutput out(fd, "/dev/null");
        exports::Ndjson lines(out, {});
        const Event frame = SpdyFrame{.direction = Direction::to_client, .stream = 5, .length = 132};
        chain::Place place{.flow = 17, .slot = 3, .at = {1'795'280'400'000'000'000}, .frame = 1};
        for (auto _ : state) {
            place.at.ns += 12'345;
            ++place.frame;
            lines.event(frame, place);
        }
    }
    ::close(fd);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ndjson_frame_line);

}  // namespace

BENCHMARK_MAIN();
