// A run without an end: what stays in memory after very many sessions is what stayed after some of them.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "capture/reader.h"
#include "chain/process_book.h"
#include "cli/live_options.h"
#include "cli/live_watch.h"
#include "core/event.h"
#include "export/output.h"
#include "pipeline/pipeline.h"
#include "support/sanitized.h"

namespace hopscope::cli {
namespace {

std::size_t heap_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

class Nowhere final : public exports::Output {
public:
    ~Nowhere() override { flush(); }

protected:
    void write(std::string_view bytes) override { bytes_ += bytes.size(); }

private:
    std::size_t bytes_ = 0;
};

// One exec of a real capture, told again and again: with another client, another token and another time each.
class Exec {
public:
    Exec() {
        const std::string name = std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures/runtime/exec_exit3.pcap";
        auto reader = capture::Reader::open({name}, [](const capture::FileNote&) {});
        if (!reader) return;
        Packet packet;
        while ((*reader)->next(packet)) {
            packets_.push_back({packet, {packet.bytes.begin(), packet.bytes.end()}});
            packets_.back().packet.bytes = {};
        }
    }
    [[nodiscard]] std::size_t packets() const { return packets_.size(); }

    void tell(pipeline::Pipeline& pipeline, std::uint32_t number, Timestamp at, const std::string& token) {
        constexpr std::size_t kIp = 14, kSource = kIp + 12, kDestination = kIp + 16, kTcp = kIp + 20;
        for (Kept& kept : packets_) {
            std::vector<std::uint8_t>& bytes = kept.bytes;
            const bool by_client = bytes[kTcp + 2] == (kServerPort >> 8) && bytes[kTcp + 3] == (kServerPort & 0xff);
            std::uint8_t* const address = &bytes[by_client ? kSource : kDestination];
            address[1] = 1;
            address[2] = static_cast<std::uint8_t>(number >> 24);
            address[3] = static_cast<std::uint8_t>(number >> 16);
            std::uint8_t* const port = &bytes[by_client ? kTcp : kTcp + 2];
            port[0] = static_cast<std::uint8_t>(number >> 8 | 0x40);
            port[1] = static_cast<std::uint8_t>(number);
            constexpr std::string_view kPath = "/exec/";
            const auto path = std::search(bytes.begin(), bytes.end(), kPath.begin(), kPath.end());
            if (by_client && path != bytes.end())
                std::copy(token.begin(), token.end(), path + static_cast<std::ptrdiff_t>(kPath.size()));
            Packet packet = kept.packet;
            packet.at = at + (kept.packet.at - packets_.front().packet.at);
            packet.bytes = bytes;
            packet.frame = ++frame_;
            pipeline.on(packet);
        }
    }

private:
    static constexpr unsigned kServerPort = 42313;
    struct Kept {
        Packet packet;
        std::vector<std::uint8_t> bytes;
    };
    std::vector<Kept> packets_;
    std::uint64_t frame_ = 0;
};

std::string digits(std::uint32_t number, std::size_t width) {
    std::string text(width, '0');
    for (; number > 0 && width > 0; number /= 10) text[--width] = static_cast<char>('0' + number % 10);
    return text;
}

// What the CRI socket says before: which container the token is for; now and then a new container.
void tell_cri(chain::Builder& builder, std::uint32_t number, Timestamp at, const std::string& token) {
    chain::Place place;
    place.at = at;
    place.flow = 0x80000000;
    place.slot = 1;
    const std::string container = digits(number / 1000, 64), url = "http://127.0.0.1:42313/exec/" + token;
    CriMessage request;
    request.stream = number;
    request.method = "Exec";
    request.container_id = container;
    builder.on(request, place);
    CriMessage answer = request;
    answer.response = true;
    answer.container_id = {};
    answer.url = url;
    builder.on(answer, place);
    if (number % 1000 != 0) return;
    const CriContainer listed{.id = container, .sandbox_id = container, .name = "main", .pod = container};
    CriMessage list;
    list.response = true;
    list.method = "ListContainers";
    list.containers = {&listed, 1};
    builder.on(list, place);
}

void tell_process(chain::ProcessBook& book, std::uint32_t number, Timestamp at) {
    ProcessEvent event;
    event.at = at;
    event.process = {.pid = 1000 + number % 4'000'000, .start_ticks = number};
    event.parent_pid = 900;
    event.cgroup_names = {Untrusted("cri-containerd-" + std::string(64, 'a') + ".scope")};
    event.cmdline = {Untrusted("sh"), Untrusted("-c"), Untrusted("exit " + std::to_string(number))};
    event.kind = ProcessEvent::Kind::exec;
    book.on(event);
    event.kind = ProcessEvent::Kind::exit;
    book.on(event);
}

TEST(LiveMemory, is_flat_however_many_sessions_there_were) {
    if (!tests::kHeapIsCounted) GTEST_SKIP() << "the heap is not counted under a sanitizer: test_release does";
    // What is forgotten by age is full after 18,000 of them; HOPSCOPE_SESSIONS=1000000 takes some minutes of CPU time.
    const char* wanted = std::getenv("HOPSCOPE_SESSIONS");
    const auto sessions = static_cast<std::uint32_t>(wanted ? std::strtoul(wanted, nullptr, 10) : 60'000);
    constexpr std::uint32_t kPerSecond = 20, kSamples = 20;
    const std::uint32_t sample = std::max(sessions / kSamples, 1U);
    constexpr std::int64_t kBegin = 1'700'000'000 * kNanosecondsPerSecond;
    Exec exec;
    ASSERT_GT(exec.packets(), 10U);
    ASSERT_GE(sessions, kSamples);

    Nowhere out;
    LiveWatch watch(out, {.format = LiveFormat::json});
    pipeline::Pipeline pipeline({.retention = live_retention(64 << 20), .tap = &watch, .observer = &watch});
    watch.attach(pipeline);
    chain::ProcessBook book;
    book.know({.id = {.pid = 900}, .comm = Untrusted("containerd-shim")});

    std::vector<std::size_t> heap;
    for (std::uint32_t i = 0; i < sessions; ++i) {
        const Timestamp at{kBegin + std::int64_t{i} * (kNanosecondsPerSecond / kPerSecond)};
        const std::string token = digits(i, 8);
        tell_cri(pipeline.builder(), i, at, token);
        tell_process(book, i, at);
        exec.tell(pipeline, i, at, token);
        if (i % kPerSecond == 0) {
            pipeline.tick(at);
            watch.tick(at);
        }
        if (i % sample == sample - 1) heap.push_back(heap_bytes());
    }
    const chain::Model& model = pipeline.model();
    EXPECT_EQ(model.sessions_seen, sessions);
    EXPECT_EQ(model.loss[LossPlace::limit_memory], 0U) << "nothing that could still be joined was forgotten";
    ASSERT_FALSE(model.sessions.empty());
    const chain::Session& last = *model.sessions.back();
    ASSERT_TRUE(last.token.has_value());
    EXPECT_NE(last.token->number, 0U) << "the last token is numbered as the first was";
    EXPECT_EQ(last.container.id, Untrusted(digits((sessions - 1) / 1000, 64))) << "and joined with its call";
    // Tables double now and then: what they grew to in the first half must do for the second.
    constexpr std::size_t kSlackBytes = 512 * 1024;
    std::string all;
    for (const std::size_t bytes : heap) all += std::to_string(bytes / 1024) + " ";
    const std::size_t middle = *std::max_element(heap.begin(), heap.begin() + kSamples / 2);
    EXPECT_LE(*std::max_element(heap.begin() + kSamples / 2, heap.end()), middle + kSlackBytes) << "KiB: " << all;
    RecordProperty("heap_kib", all);
}

}  // namespace
}  // namespace hopscope::cli
