// Decoders of hostile bytes can tell anything in any order: the builder must stay consistent, whatever comes.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "chain/filter.h"
#include "chain/mask.h"
#include "chain/reveal.h"
#include "chain/routes.h"
#include "story.h"

namespace hopscope::chain::test {
namespace {

// Counts what is told of each session.
class Counter final : public Observer {
public:
    void session_opened(const Session& s, const Place&) override { ++opened[s.number]; }
    void session_ended(const Session& s, const Place&) override {
        ++ended[s.number];
        EXPECT_TRUE(s.over);
        EXPECT_GE(s.status == 101 || s.status == 0 || s.state == SessionState::refused, true);
    }
    void stream_data(const Session& s, const Stream& stream, Direction, Bytes, const Place&) override {
        EXPECT_EQ(ended[s.number], 0) << "nothing is told of a session that is over";
        EXPECT_GE(stream.bytes.in + stream.bytes.out, 1U);
    }
    std::map<std::uint32_t, int> opened, ended;
};

class AnyOrder : public testing::TestWithParam<unsigned> {};

TEST_P(AnyOrder, leaves_a_consistent_model) {
    std::mt19937 random(GetParam());
    const auto pick = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
    const char* targets[] = {"/exec/6NLIabcd",
                             "/attach/6NLIabcd",
                             "/portforward/BBBBBBBB",
                             "/exec/d/p/c?command=x&tty=1",
                             "/healthz",
                             "/api/v1/namespaces/d/pods/p/exec?command=x",
                             "/exec/short",
                             "*"};
    Counter counter;
    Story story({.sessions_max = 50, .memory_bytes_max = 1 << 20}, &counter);
    std::vector<Story::Connection> connections;
    for (int i = 0; i < 8; ++i)
        connections.push_back(story.connect("127.0.0.1:" + std::to_string(1000 + i), "127.0.0.1:42313", pick(3) > 0));
    const std::string_view words[] = {"sh", "-c"};
    for (int step = 0; step < 20000; ++step) {
        if (pick(4) == 0) story.later_ms(pick(3000));
        Story::Connection& c = connections[pick(8)];
        const Direction d = pick(2) == 0 ? Direction::to_server : Direction::to_client;
        const std::uint32_t id = pick(12), exchange = pick(3) == 0 ? pick(5) : (c.exchanges == 0 ? 0 : c.exchanges - 1);
        const auto kind = static_cast<StreamKind>(pick(7));
        switch (pick(27)) {
            case 0:
            case 1:
                story.request(
                    c, "POST", targets[pick(8)],
                    pick(2) == 0 ? spdy_upgrade() : ws_upgrade({{"Kubectl-Session", std::to_string(pick(4))}}));
                break;
            case 2:
                story.tell(c, HttpResponse{exchange,
                                           static_cast<std::uint16_t>(pick(2) == 0 ? 101 : 100 + pick(500)),
                                           "",
                                           "HTTP/1.1",
                                           {}});
                break;
            case 3: story.tell(c, HttpBody{exchange, d, as_bytes("refused\nbecause")}); break;
            case 4: story.tell(c, HttpEnd{exchange, d, 5, pick(2) == 0}); break;
            case 5: story.tell(c, Upgraded{exchange, static_cast<Carrier>(pick(3)), "v4.channel.k8s.io"}); break;
            case 6: story.tell(c, SpdyFrame{d, static_cast<std::uint16_t>(pick(12)), 0, id, 5, 0, true}); break;
            case 7:
                story.tell(c, WsMessage{d, static_cast<std::uint8_t>(pick(11)), 5, 1,
                                        static_cast<std::int16_t>(static_cast<int>(pick(6)) - 1), 1000});
                break;
            case 8:
                story.tell(c, StreamOpened{id, kind, Grade::decoded, static_cast<std::uint16_t>(pick(3)), id, "why"});
                break;
            case 9: story.tell(c, StreamNamed{{id, kind, Grade::inferred, {}, {}, "why"}}); break;
            case 10:
            case 11:
            case 12:
            case 13: story.tell(c, StreamData{id, d, as_bytes("some bytes")}); break;
            case 14: story.tell(c, StreamClosed{id, d, static_cast<CloseKind>(pick(4)), 5}); break;
            case 15: story.tell(c, Resized{id, 80, 24}); break;
            case 16: story.exit_status(c, id, static_cast<int>(pick(3))); break;
            case 17: story.tell(c, ForwardError{id, "connection refused"}); break;
            case 18: story.tell(c, FlowClosing{d, pick(2) == 0 ? FinKind::fin : FinKind::rst}); break;
            case 19:
                story.over(c, false);
                c = story.connect("127.0.0.1:2000", "127.0.0.1:42313", pick(3) > 0);
                break;
            case 20: story.tell(c, Gap{d, 0, 1 + pick(100)}); break;
            case 21: story.tell(c, NetNote{d, static_cast<NetNoteKind>(pick(5)), 0, 1}); break;
            case 22: story.tell(c, TlsClientHello{}); break;
            case 23: story.tell(c, TlsRecord{d, 23, 100, false}); break;
            case 24: {
                CriMessage message;
                message.stream = id;
                message.response = pick(2) == 0;
                message.method = "Exec";
                message.command = words;
                message.container_id = "34ad";
                message.url = message.response ? "http://127.0.0.1:42313/exec/6NLIabcd" : "";
                story.tell(c, message);
                break;
            }
            case 25: story.tell(c, CriDone{id, "Exec", 0, ""}); break;
            case 26: story.tell(c, Problem{"x", "y", d, 0, pick(3)}); break;
        }
    }
    Model& model = story.finish();
    EXPECT_EQ(counter.opened.size(), model.sessions_seen);
    for (const auto& [number, times] : counter.opened) {
        EXPECT_EQ(times, 1);
        EXPECT_EQ(counter.ended[number], 1) << "s" << number;
    }
    EXPECT_LE(model.sessions.size(), 50U);
    EXPECT_EQ(model.sessions_seen - model.sessions_evicted, model.sessions.size());
    std::uint64_t by_op = 0;
    for (const std::uint64_t n : model.sessions_by_op) by_op += n;
    EXPECT_EQ(by_op, model.sessions_seen);
    for (std::size_t i = 1; i < model.sessions.size(); ++i)
        EXPECT_LT(model.sessions[i - 1]->number, model.sessions[i]->number);
    for (const auto& session : model.sessions) {
        ByteCounts sum;
        for (const Stream& stream : session->streams) {
            if (stream.kind == StreamKind::unknown || stream.kind == StreamKind::error ||
                stream.kind == StreamKind::resize)
                continue;
            sum.in += stream.bytes.in;
            sum.out += stream.bytes.out;
        }
        EXPECT_EQ(session->bytes.in, sum.in);
        EXPECT_EQ(session->bytes.out, sum.out);
        EXPECT_FALSE(session->complete && session->gaps > 0);
        EXPECT_TRUE(session->start <= session->end);
    }
    for (const Chain& chain : model.chains) {
        EXPECT_FALSE(chain.sessions.empty());
        for (const Hop& hop : chain.hops) EXPECT_FALSE(hop.evidence.empty());
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyOrder, testing::Range(1U, 9U));

// The same events give the same model.
TEST(AnyOrder, is_deterministic) {
    const auto run = [] {
        Recorder recorder;
        Story story({}, &recorder);
        for (int i = 0; i < 20; ++i) {
            auto c = story.connect("127.0.0.1:" + std::to_string(1000 + i), "127.0.0.1:42313");
            story.request(c, "POST", "/exec/6NLIabc" + std::to_string(i % 10),
                          spdy_upgrade({{"Kubectl-Session", std::to_string(i % 3)}}));
            if (i % 4 == 0) {
                story.answer(c, 404, "404 page not found\n");
            } else {
                story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
                if (i % 3 == 0) story.run_exec(c);
            }
        }
        story.finish();
        for (const Chain& chain : story.builder.model().chains)
            recorder.told.push_back(chain.id() + " " + std::to_string(chain.sessions.size()));
        return recorder.told;
    };
    EXPECT_EQ(run(), run());
}

// --- texts from anywhere

TEST(AnyText, filters_routes_and_masks_take_it) {
    std::mt19937 random(7);
    const std::string_view parts[] = {"op",         "==",   "exec",     "and",    "or", "not", "(",  ")",   "{",
                                      "}",          "in",   "has",      "~",      "'",  "\"",  "\\", "5",   "ms",
                                      "10.0.0.0/8", "\xff", "\x1b[",    "pod",    " ",  ",",   "!",  "<",   "/exec/",
                                      "6NLIabcd",   "?",    "command=", "&",      ";",  "%",   "%2", "%41", "exec: \"",
                                      "command [",  "]",    "Bearer ",  "token=", "#",  "//",  ":"};
    for (int i = 0; i < 20000; ++i) {
        std::string text;
        for (auto words = random() % 12; words > 0; --words) text += parts[random() % std::size(parts)];
        const auto filter = Filter::parse(text);
        EXPECT_TRUE(filter || !filter.error().code.empty());
        parse_route(text);
        for (const Glyphs glyphs : {Glyphs::unicode, Glyphs::ascii}) {
            EXPECT_TRUE(is_utf8(shown_target(Untrusted(text), Reveal{}, glyphs)));
            EXPECT_TRUE(is_utf8(shown_status_text(text, Reveal{}, glyphs)));
            EXPECT_TRUE(is_utf8(shown_header("Sec-WebSocket-Protocol", text, Reveal{}, glyphs)));
        }
        // Masking twice hides nothing more: what is shown is stable.
        const std::string once = masked_text(text, false, false, false, Glyphs::ascii);
        EXPECT_EQ(masked_text(once, false, false, false, Glyphs::ascii), once) << text;
    }
}

}  // namespace
}  // namespace hopscope::chain::test
