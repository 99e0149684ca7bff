// A recording of packets that come one after the other: what is masked in it, what is told in it, and its files.
#include "record/recorder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "capture/reader.h"
#include "core/limits.h"
#include "record/masker.h"
#include "record/recorder_comment.h"
#include "support/temporary_directory.h"

namespace hopscope::record {
namespace {

namespace fs = std::filesystem;

const std::string kCaptures = HOPSCOPE_SOURCE_DIR "/testdata/captures/runtime/";

class RecorderTest : public testing::Test {
protected:
    std::string path(const std::string& name) const { return folder_.file(name); }

    // Plays a capture file as if it were live: the clock is that of the packets.
    RecorderCounts record(const std::string& capture, RecorderOptions options, bool end = true,
                          const std::function<void(Recorder&)>& before = {}) {
        auto recorder = Recorder::open(std::move(options));
        EXPECT_TRUE(recorder);
        auto reader = capture::Reader::open({capture}, {});
        EXPECT_TRUE(reader);
        pipeline::Pipeline pipeline({.tap = &(*recorder)->tap()});
        if (before) before(**recorder);
        Packet packet;
        Timestamp ticked;
        while ((*reader)->next(packet)) {
            pipeline.on(packet);
            (*recorder)->on(packet);
            if (packet.at.ns - ticked.ns < limits::kLiveTickMs * 1'000'000) continue;
            ticked = packet.at;
            (*recorder)->tick(ticked);
        }
        if (end) {
            pipeline.finish();
            (*recorder)->finish();
        }
        EXPECT_TRUE((*recorder)->status());
        const RecorderCounts counts = (*recorder)->counts();
        EXPECT_TRUE((*recorder)->close());
        return counts;
    }

    struct Seen {
        std::vector<std::vector<std::uint8_t>> packets;
        std::vector<std::uint32_t> wire_lengths;
        std::vector<std::string> comments;
        bool trouble = false;
    };
    static Seen read(const std::string& name) {
        Seen seen;
        auto reader = capture::Reader::open({name}, [&](const capture::FileNote& note) {
            if (note.kind == capture::FileNote::Kind::comment) seen.comments.push_back(note.text);
            if (note.kind == capture::FileNote::Kind::trouble) seen.trouble = true;
        });
        EXPECT_TRUE(reader);
        Packet packet;
        while ((*reader)->next(packet)) {
            seen.packets.emplace_back(packet.bytes.begin(), packet.bytes.end());
            seen.wire_lengths.push_back(packet.wire_length);
        }
        return seen;
    }

    test::TemporaryDirectory folder_;
};

TEST_F(RecorderTest, MaskedWhileItComesIsMaskedAsAFileIs) {
    for (const std::string name : {"exec_tty_resize.pcap", "ws_exec_v4.pcap", "portforward_two_ports.pcap",
                                   "exec_parallel10.pcap", "var_ipv6_exec.pcap"}) {
        const std::string live = path(name + ".live.pcapng"), offline = path(name + ".offline.pcapng");
        record(kCaptures + name, {.files = {.name = live}});
        ASSERT_TRUE(mask_capture(kCaptures + name, offline, {}));
        const Seen a = read(live), b = read(offline);
        ASSERT_FALSE(a.packets.empty());
        EXPECT_EQ(a.packets, b.packets) << name;
        EXPECT_EQ(a.comments, std::vector<std::string>{"masked: payload auth token command"});
    }
}

TEST_F(RecorderTest, FullIsAsCaptured) {
    const std::string capture = kCaptures + "exec_tty_resize.pcap";
    const RecorderCounts counts =
        record(capture, {.files = {.name = path("f.pcapng")}, .payload = RecordPayload::full});
    const Seen original = read(capture), recorded = read(path("f.pcapng"));
    EXPECT_EQ(recorded.packets, original.packets);
    EXPECT_EQ(recorded.wire_lengths, original.wire_lengths);
    EXPECT_EQ(counts.packets, original.packets.size());
    EXPECT_EQ(counts.bytes_overwritten, 0U);
}

TEST_F(RecorderTest, WithoutPayloadPacketsEndAfterTheirTcpHeader) {
    const std::string capture = kCaptures + "exec_tty_resize.pcap";
    record(capture, {.files = {.name = path("n.pcapng")}, .payload = RecordPayload::none});
    const Seen original = read(capture), recorded = read(path("n.pcapng"));
    ASSERT_EQ(recorded.packets.size(), original.packets.size());
    EXPECT_EQ(recorded.wire_lengths, original.wire_lengths);
    std::size_t longest = 0;
    for (const auto& packet : recorded.packets) longest = std::max(longest, packet.size());
    EXPECT_LE(longest, 14U + 20U + 60U);
    EXPECT_EQ(test::read_whole_file(path("n.pcapng")).find("HTTP/1.1"), std::string::npos);
}

TEST_F(RecorderTest, JoinedInTheMiddleNothingIsUnderstoodSoNothingStays) {
    record(kCaptures + "var_midstream.pcap", {.files = {.name = path("m.pcapng")}});
    const Seen original = read(kCaptures + "var_midstream.pcap"), recorded = read(path("m.pcapng"));
    ASSERT_EQ(recorded.packets.size(), original.packets.size());
    for (const auto& packet : recorded.packets) {
        const std::size_t payload = 14U + 20U + (packet[14 + 20 + 12] >> 4) * 4U;
        for (std::size_t i = payload; i < packet.size(); ++i) ASSERT_EQ(packet[i], 'x');
    }
}

TEST_F(RecorderTest, ThePrivateFileHoldsOnlyWholeMaskedPacketsBeforeTheEnd) {
    // As after SIGKILL: what waits is missing, the rest can be read.
    const std::string capture = kCaptures + "exec_tty_resize.pcap";
    const RecorderCounts counts = record(capture, {.files = {.name = path("k.pcapng")}}, false);
    const Seen recorded = read(path("k.pcapng"));
    EXPECT_FALSE(recorded.trouble);
    EXPECT_EQ(recorded.packets.size(), counts.packets);
    EXPECT_LT(recorded.packets.size(), read(capture).packets.size());
    struct stat info {};
    ASSERT_EQ(::stat(path("k.pcapng").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RecorderTest, ARingKeepsItsNewestFilesAndEachHasTheOwners) {
    const std::string capture = kCaptures + "portforward_conc6.pcap";
    auto reader = capture::Reader::open({capture}, {});
    ASSERT_TRUE(reader);
    Packet first;
    ASSERT_TRUE((*reader)->next(first));
    LossCounters loss;
    decode::net::PacketParser parser(loss);
    decode::net::TcpSegment segment;
    ASSERT_TRUE(parser.parse(first, segment));
    const Endpoint client = segment.source, server = segment.destination;
    chain::Ends ends;
    ends.from = chain::Process{.pid = 5714, .comm = Untrusted("kubelet"), .exe = {}};
    RecorderOptions options{.files = {.name = path("r.pcapng"), .file_bytes_max = 64 * 1024, .files_max = 3}};
    std::unique_ptr<Recorder> recorder;
    {
        auto opened = Recorder::open(options);
        ASSERT_TRUE(opened);
        recorder = std::move(*opened);
    }
    pipeline::Pipeline pipeline({.tap = &recorder->tap()});
    for (Packet packet = first;;) {
        pipeline.on(packet);
        recorder->on(packet);
        if (packet.frame == 4) recorder->name(client, server, ends);
        if (!(*reader)->next(packet)) break;
    }
    recorder->finish();
    const RecorderCounts counts = recorder->counts();
    ASSERT_TRUE(recorder->close());
    EXPECT_GT(counts.files, 4U);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    EXPECT_EQ(names.size(), 3U);
    const Seen newest = read(recorder->file());
    EXPECT_FALSE(newest.trouble);
    ASSERT_EQ(newest.comments.size(), 2U);
    const auto told = parse_comment(newest.comments[1]);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->client, client);
    EXPECT_EQ(told->server, server);
    EXPECT_EQ(told->ends.from->pid, 5714U);
    EXPECT_FALSE(told->ends.to);
    for (const std::string& name : names) EXPECT_LE(fs::file_size(path(name)), 66U * 1024U);
}

TEST_F(RecorderTest, NeverOverAFileThatIsThere) {
    std::ofstream(path("there.pcapng")) << "mine";
    const auto opened = Recorder::open({.files = {.name = path("there.pcapng")}});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "CAP-21");
    ASSERT_EQ(::symlink(path("elsewhere").c_str(), path("link.pcapng").c_str()), 0);
    EXPECT_FALSE(Recorder::open({.files = {.name = path("link.pcapng")}}));
    EXPECT_FALSE(fs::exists(path("elsewhere")));
}

TEST_F(RecorderTest, WhatIsForwardedIntoAPodIsContentWhateverItsAddressesAre) {
    const auto count = [](const std::string& text, std::string_view word) {
        std::size_t found = 0;
        for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
        return found;
    };
    const std::string capture = kCaptures + "exec_tty_resize.pcap";
    record(capture, {.files = {.name = path("alone.pcapng")}});
    auto recorder = Recorder::open({.files = {.name = path("both.pcapng")}});
    ASSERT_TRUE(recorder);
    constexpr std::uint32_t kPod = 0x1000;
    (*recorder)->add_interface_later({kPod, LinkType::ethernet, "lo", 0, capture::pod_network_description(7)});
    auto reader = capture::Reader::open({capture}, {});
    ASSERT_TRUE(reader);
    pipeline::Pipeline pipeline({.tap = &(*recorder)->tap()});
    // The very same packets once more, as if another connection in a pod had the same addresses and numbers.
    for (Packet packet; (*reader)->next(packet);) {
        pipeline.on(packet);
        (*recorder)->on(packet);
        packet.interface = kPod;
        (*recorder)->on_forwarded(packet);
    }
    pipeline.finish();
    (*recorder)->finish();
    ASSERT_TRUE((*recorder)->close());
    const std::string alone = test::read_whole_file(path("alone.pcapng")),
                      both = test::read_whole_file(path("both.pcapng"));
    EXPECT_GT(count(alone, "HTTP/1.1"), 0U);
    EXPECT_EQ(count(both, "HTTP/1.1"), count(alone, "HTTP/1.1"));
    const Seen packets = read(path("both.pcapng")), original = read(capture);
    EXPECT_EQ(packets.packets.size(), 2 * original.packets.size());
    EXPECT_FALSE(packets.trouble);
    // Masked once more from a full recording it is the same.
    ASSERT_TRUE(mask_capture(path("both.pcapng"), path("again.pcapng"), {}));
    EXPECT_EQ(count(test::read_whole_file(path("again.pcapng")), "HTTP/1.1"), count(alone, "HTTP/1.1"));
    EXPECT_NE(test::read_whole_file(path("again.pcapng")).find(capture::pod_network_description(7)), std::string::npos);
}

TEST(RecorderComment, IsReadBackAndHostileNamesCannotForgeOne) {
    ConnectionComment comment{.client = {IpAddress::parse("127.0.0.1").value(), 54766},
                              .server = {IpAddress::parse("::1").value(), 33821},
                              .ends = {}};
    comment.ends.from = chain::Process{.pid = 5714, .comm = Untrusted("kubelet"), .exe = {}};
    comment.ends.to = chain::Process{.pid = 1, .comm = Untrusted("a[9] \xe2\x86\x92 %41\n"), .exe = {}};
    const std::string text = to_comment(comment);
    EXPECT_EQ(text.substr(0, text.find("a%")), "hopscope: 127.0.0.1:54766 kubelet[5714] \xe2\x86\x92 [::1]:33821 ");
    EXPECT_EQ(text.find('\n'), std::string::npos);
    const auto back = parse_comment(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->client, comment.client);
    EXPECT_EQ(back->server, comment.server);
    EXPECT_EQ(back->ends.from->comm, comment.ends.from->comm);
    EXPECT_EQ(back->ends.to->comm, comment.ends.to->comm);
    EXPECT_EQ(back->ends.to->pid, 1U);
    for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_comment(text.substr(0, size))) << size;
}

}  // namespace
}  // namespace hopscope::record
