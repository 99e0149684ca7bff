// Where the time goes: the same capture read with one more stage each time. Usage: bench_stages [OPTION]... FILE
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "capture/reader.h"
#include "decode/net/packet_parser.h"
#include "decode/net/tcp.h"
#include "export/ndjson.h"
#include "pipeline/connection.h"
#include "pipeline/pipeline.h"

namespace {

using namespace hopscope;

std::unique_ptr<capture::Reader> open(const std::string& name) {
    auto reader = capture::Reader::open({name}, [](const capture::FileNote&) {});
    if (!reader) {
        std::fprintf(stderr, "bench_stages: cannot read '%s': %s\n", name.c_str(), reader.error().why.c_str());
        std::exit(1);
    }
    return std::move(*reader);
}

void count(benchmark::State& state, std::uint64_t packets, std::uint64_t bytes) {
    state.SetItemsProcessed(static_cast<std::int64_t>(packets));
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

// Runs `each` on every packet of the file, once per iteration; `make` gives a fresh `each` for its reader.
template <typename Make>
void over_file(benchmark::State& state, const std::string& name, Make make) {
    std::uint64_t packets = 0, bytes = 0;
    for (auto _ : state) {
        auto reader = open(name);
        auto each = make(*reader);
        Packet packet;
        while (reader->next(packet)) {
            each(packet);
            ++packets;
            bytes += packet.bytes.size();
        }
        each.finish();
    }
    count(state, packets, bytes);
}

struct Read {
    void operator()(const Packet& packet) { benchmark::DoNotOptimize(packet.bytes.data()); }
    void finish() {}
};

struct Parse {
    void operator()(const Packet& packet) {
        decode::net::TcpSegment segment;
        benchmark::DoNotOptimize(parser->parse(packet, segment));
    }
    void finish() {}
    std::unique_ptr<LossCounters> loss = std::make_unique<LossCounters>();
    std::unique_ptr<decode::net::PacketParser> parser = std::make_unique<decode::net::PacketParser>(*loss);
};

struct Nobody final : decode::net::TcpListener {
    void opened(decode::net::FlowRef, const Endpoint&, const Endpoint&, bool) override {}
    void bytes(decode::net::FlowRef, Direction, Bytes bytes) override { benchmark::DoNotOptimize(bytes.data()); }
    void gap(decode::net::FlowRef, Direction, std::uint64_t, std::uint64_t) override {}
    void note(decode::net::FlowRef, const NetNote&) override {}
    void closing(decode::net::FlowRef, Direction, FinKind) override {}
    void ended(decode::net::FlowRef, bool) override {}
};

// Connections run their decoders; the events go nowhere.
struct Decoding final : decode::net::TcpListener, pipeline::Connection::Owner {
    pipeline::Connection& at(decode::net::FlowRef flow) { return *connections[flow.slot]; }
    void opened(decode::net::FlowRef flow, const Endpoint&, const Endpoint&, bool handshake_seen) override {
        if (flow.slot >= connections.size()) connections.resize(flow.slot + 1);
        connections[flow.slot] = std::make_unique<pipeline::Connection>(handshake_seen, protocols);
    }
    void bytes(decode::net::FlowRef flow, Direction direction, Bytes bytes) override {
        at(flow).bytes(direction, bytes, *this);
    }
    void gap(decode::net::FlowRef flow, Direction direction, std::uint64_t offset, std::uint64_t missing) override {
        at(flow).gap(direction, offset, missing, *this);
    }
    void note(decode::net::FlowRef, const NetNote&) override {}
    void closing(decode::net::FlowRef flow, Direction direction, FinKind kind) override {
        at(flow).closing(direction, kind, *this);
    }
    void ended(decode::net::FlowRef flow, bool capture_over) override {
        at(flow).ended(capture_over, *this);
        connections[flow.slot].reset();
    }
    void on(const Event& event) override { benchmark::DoNotOptimize(event.index()); }
    void recognised(pipeline::Connection&, decode::stream::Protocol, bool, bool) override {}

    decode::Protocols protocols;
    std::vector<std::unique_ptr<pipeline::Connection>> connections;
};

template <typename Listener>
struct Reassemble {
    explicit Reassemble(const History& history)
        : tcp(std::make_unique<decode::net::TcpReassembler>(*listener, *parse.loss, &history)) {}
    void operator()(const Packet& packet) {
        decode::net::TcpSegment segment;
        if (parse.parser->parse(packet, segment)) tcp->on(segment, packet.at);
    }
    void finish() { tcp->finish(); }
    Parse parse;
    std::unique_ptr<Listener> listener = std::make_unique<Listener>();
    std::unique_ptr<decode::net::TcpReassembler> tcp;
};

struct Model {
    explicit Model(const History& history, pipeline::EventTap* tap = nullptr, chain::Observer* observer = nullptr) {
        pipeline::Options options;
        options.retention.sessions_max = 512;
        options.history = &history;
        options.tap = tap;
        options.observer = observer;
        pipe = std::make_unique<pipeline::Pipeline>(options);
    }
    void operator()(const Packet& packet) { pipe->on(packet); }
    void finish() { pipe->finish(); }
    std::unique_ptr<pipeline::Pipeline> pipe;
};

struct Lines {
    struct Tap final : pipeline::EventTap {
        explicit Tap(exports::Ndjson& target) : lines(target) {}
        void on(const Event& event, const chain::Place& place) override { lines.event(event, place); }
        exports::Ndjson& lines;
    };
    explicit Lines(const History& history) {
        lines->start({});
        model = std::make_unique<Model>(history, tap.get(), lines.get());
    }
    void operator()(const Packet& packet) { (*model)(packet); }
    void finish() {
        model->finish();
        lines->end(model->pipe->model());
        out->flush();
        ::close(fd);
    }
    int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    std::unique_ptr<exports::FdOutput> out = std::make_unique<exports::FdOutput>(fd, "/dev/null");
    std::unique_ptr<exports::Ndjson> lines = std::make_unique<exports::Ndjson>(*out, exports::NdjsonOptions{});
    std::unique_ptr<Tap> tap = std::make_unique<Tap>(*lines);
    std::unique_ptr<Model> model;
};

template <typename Make>
void stage(const char* name, const std::string& file, Make make) {
    benchmark::RegisterBenchmark(name, [file, make](benchmark::State& state) { over_file(state, file, make); })
        ->Unit(benchmark::kMillisecond)
        ->MinTime(0.5);
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (argc != 2) {
        std::fputs("Usage: bench_stages [--benchmark_OPTION]... FILE\n", stderr);
        return 2;
    }
    const std::string file = argv[1];
    stage("reader", file, [](const capture::Reader&) { return Read{}; });
    stage("packet parser", file, [](const capture::Reader&) { return Parse{}; });
    stage("tcp", file, [](const capture::Reader& reader) { return Reassemble<Nobody>(reader); });
    stage("decoders", file, [](const capture::Reader& reader) { return Reassemble<Decoding>(reader); });
    stage("model", file, [](const capture::Reader& reader) { return Model(reader); });
    stage("ndjson", file, [](const capture::Reader& reader) { return Lines(reader); });
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
