// The streams of a session: found again by id, counted, bounded; and what they tell about a terminal.
#include <gtest/gtest.h>

#include "story.h"

namespace hopscope::chain::test {
namespace {

constexpr auto kIn = Direction::to_server;
constexpr auto kOut = Direction::to_client;
constexpr const char* kClient = "127.0.0.1:54766";
constexpr const char* kServer = "127.0.0.1:42313";

// --- bytes and streams

TEST(Streams, a_name_that_comes_later_moves_the_bytes_into_the_sum) {
    Story story;
    auto c = story.connect(kClient, kServer, false);
    story.data(c, 5, kOut, "12345");
    EXPECT_EQ(story.session(0).bytes.out, 0U) << "nobody knows yet what stream 5 is";
    StreamNamed named;
    named.stream.id = 5;
    named.stream.kind = StreamKind::out;
    named.stream.grade = Grade::inferred;
    story.tell(c, named);
    EXPECT_EQ(story.session(0).bytes.out, 5U);
    named.stream.kind = StreamKind::error;
    story.tell(c, named);
    EXPECT_EQ(story.session(0).bytes.out, 0U);
}

TEST(Streams, are_found_again_whatever_their_ids_and_order) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/portforward/6NLIabcd", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "portforward.k8s.io");
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < 500; ++i) ids.push_back(i * 2 + 1);
    for (std::uint32_t i = 0; i < 500; ++i) ids.push_back(0x7fffffff - i * 977);
    for (const std::uint32_t id : ids) story.tell(c, StreamOpened{id, StreamKind::data, Grade::decoded, 80, 0, {}});
    for (int round = 0; round < 2; ++round) {
        for (const std::uint32_t id : ids) story.data(c, id, kIn, "x");
    }
    const Session& s = story.session(0);
    ASSERT_EQ(s.streams.size(), ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(s.streams[i].id, ids[i]);
        EXPECT_EQ(s.streams[i].bytes.in, 2U);
        EXPECT_EQ(s.streams[i].frames, 2U);
    }
}

TEST(Streams, beyond_the_limit_are_counted_not_kept) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/portforward/6NLIabcd", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "portforward.k8s.io");
    constexpr std::uint32_t kMax = 16384;
    for (std::uint32_t i = 0; i < kMax + 10; ++i)
        story.tell(c, StreamOpened{i * 2 + 1, StreamKind::data, Grade::decoded, 80, i, {}});
    for (int i = 0; i < 1000; ++i) story.data(c, (kMax + 5) * 2 + 1, kOut, "abc");
    const Session& s = story.session(0);
    EXPECT_EQ(s.streams.size(), kMax);
    EXPECT_EQ(s.streams_dropped, 10U);
    EXPECT_EQ(s.bytes.out, 3000U);
    EXPECT_EQ(story.builder.model().loss[LossPlace::limit_streams], 10U);
}

TEST(Streams, of_a_websocket_count_one_frame_for_each_message_with_payload) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/exec/6NLIabcd", ws_upgrade());
    story.upgrade(c, Carrier::websocket, "v4.channel.k8s.io");
    story.tell(c, StreamOpened{1, StreamKind::out, Grade::decoded, {}, {}, {}});
    story.tell(c, WsMessage{kOut, 2, 1, 1, 1, 0});
    story.tell(c, StreamData{1, kOut, as_bytes("abc")});
    story.tell(c, StreamData{1, kOut, as_bytes("def")});
    story.tell(c, WsMessage{kOut, 2, 7, 2, 1, 0});
    const Session& s = story.session(0);
    EXPECT_EQ(s.streams[0].frames, 1U);
    EXPECT_EQ(s.bytes.out, 6U);
    EXPECT_EQ(story.builder.model().capture.ws_messages, 2U);
}

TEST(Streams, resizes_are_kept_in_order_and_bounded) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/exec/6NLIabcd", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.stream(c, 7, StreamKind::resize);
    for (std::uint16_t i = 0; i < 1500; ++i) story.tell(c, Resized{7, i, 24});
    const Session& s = story.session(0);
    ASSERT_EQ(s.resizes.size(), 1000U);
    EXPECT_EQ(s.resizes[5].width, 5);
    EXPECT_EQ(s.tty, std::optional(true));
    EXPECT_EQ(story.builder.model().loss[LossPlace::limit_memory], 500U);
}

// --- terminal

struct Tty {
    const char* what;
    const char* target;
    Carrier carrier;
    const char* subprotocol;
    std::vector<StreamKind> kinds;
    std::optional<bool> want;
};
class Terminals : public testing::TestWithParam<Tty> {};

TEST_P(Terminals, are_told_from_url_and_streams) {
    const Tty& given = GetParam();
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", given.target, given.carrier == Carrier::spdy31 ? spdy_upgrade() : ws_upgrade());
    story.upgrade(c, given.carrier, given.subprotocol);
    std::uint32_t id = 1;
    for (const StreamKind kind : given.kinds) {
        story.stream(c, id, kind);
        if (kind != StreamKind::error) story.data(c, id, kind == StreamKind::in ? kIn : kOut, "x");
        id += 2;
    }
    story.close(c);
    EXPECT_EQ(story.finish().sessions.at(0)->tty, given.want) << given.what;
}

using K = StreamKind;
INSTANTIATE_TEST_SUITE_P(
    Table, Terminals,
    testing::Values(
        Tty{"resize stream",
            "/exec/6NLIabcd",
            Carrier::spdy31,
            "v4.channel.k8s.io",
            {K::error, K::in, K::out, K::resize},
            true},
        Tty{"v4 without one",
            "/exec/6NLIabcd",
            Carrier::spdy31,
            "v4.channel.k8s.io",
            {K::error, K::out, K::err},
            false},
        Tty{"v3 without one", "/attach/6NLIabcd", Carrier::spdy31, "v3.channel.k8s.io", {K::error, K::out}, false},
        Tty{"v1 has none anyway",
            "/exec/6NLIabcd",
            Carrier::spdy31,
            "channel.k8s.io",
            {K::error, K::in, K::out},
            std::nullopt},
        Tty{"v1 with stderr", "/exec/6NLIabcd", Carrier::spdy31, "channel.k8s.io", {K::error, K::out, K::err}, false},
        Tty{"no streams, no claim", "/exec/6NLIabcd", Carrier::spdy31, "v4.channel.k8s.io", {}, std::nullopt},
        Tty{"WebSocket channels exist always",
            "/exec/6NLIabcd",
            Carrier::websocket,
            "v4.channel.k8s.io",
            {K::in, K::out},
            std::nullopt},
        Tty{"but stderr with a terminal does not speak",
            "/exec/6NLIabcd",
            Carrier::websocket,
            "v4.channel.k8s.io",
            {K::out, K::err},
            false},
        Tty{"the URL says yes",
            "/exec/d/p/c?command=sh&tty=1",
            Carrier::websocket,
            "v4.channel.k8s.io",
            {K::out},
            true},
        Tty{"the URL says no", "/exec/d/p/c?command=sh", Carrier::websocket, "v4.channel.k8s.io", {K::out}, false},
        Tty{"port-forward has no terminal to speak of",
            "/portforward/6NLIabcd",
            Carrier::spdy31,
            "portforward.k8s.io",
            {K::error, K::data},
            std::nullopt}));

}  // namespace
}  // namespace hopscope::chain::test
