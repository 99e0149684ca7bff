// What must hold for every order, repetition and loss of segments, tried with many seeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tcp_talk.h"

namespace hopscope::decode::net {
namespace {

using namespace hopscope::net_test;
using ::testing::IsEmpty;

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

std::string random_text(Random& random, std::size_t size) {
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>('a' + below(random, 26));
    return text;
}

struct Part {
    std::size_t begin = 0, end = 0;
};

// Segments that cover [0, size) without overlap.
std::vector<Part> split(Random& random, std::size_t size, std::size_t largest) {
    std::vector<Part> parts;
    for (std::size_t at = 0; at < size;) {
        const std::size_t end = std::min(size, at + 1 + below(random, largest));
        parts.push_back({at, end});
        at = end;
    }
    return parts;
}

// Starts anywhere on the circle, most often shortly before its end.
std::uint32_t random_isn(Random& random) {
    return below(random, 2) == 0 ? static_cast<std::uint32_t>(random())
                                 : static_cast<std::uint32_t>(0xffffffff - below(random, 3000));
}

class Seeds : public ::testing::TestWithParam<int> {
protected:
    Random random{static_cast<std::uint64_t>(GetParam())};
};

TEST_P(Seeds, any_order_repetition_and_overlap_gives_the_same_bytes_and_no_gap) {
    for (int round = 0; round < 20; ++round) {
        TcpTalk talk;
        talk.isn[0] = random_isn(random);
        talk.isn[1] = random_isn(random);
        talk.handshake();
        const std::string text[2] = {random_text(random, 1 + below(random, 4000)),
                                     random_text(random, 1 + below(random, 4000))};
        struct Planned {
            int side = 0;
            Part part;
        };
        std::vector<Planned> plan;
        for (const int side : {0, 1}) {
            const std::size_t size = text[side].size();
            for (const Part& part : split(random, size, 200)) plan.push_back({side, part});
            for (std::size_t i = below(random, 30); i-- > 0;) {
                const std::size_t begin = below(random, size);
                plan.push_back({side, {begin, begin + 1 + below(random, size - begin)}});
            }
        }
        std::shuffle(plan.begin(), plan.end(), random);
        for (const Planned& p : plan) {
            // What the receiver acknowledges is what came in order; more would say that there is a hole.
            for (const int side : {0, 1})
                talk.acked[side] = static_cast<std::int64_t>(talk.stream(static_cast<Direction>(side)).bytes.size());
            const std::string_view bytes =
                std::string_view(text[p.side]).substr(p.part.begin, p.part.end - p.part.begin);
            // Retransmissions may be cut shorter by the snaplen when all their bytes come in another segment, too.
            talk.send(p.side, static_cast<std::int64_t>(p.part.begin), bytes,
                      {.fin = p.part.end == text[p.side].size()});
        }
        for (const Direction direction : {Direction::to_server, Direction::to_client}) {
            ASSERT_EQ(talk.stream(direction).bytes, text[index_of(direction)]) << "round " << round;
            ASSERT_EQ(talk.stream(direction).gaps, 0);
        }
        ASSERT_EQ(talk.listener().connections[1].notes[NetNoteKind::different_data], 0);
        ASSERT_EQ(talk.listener().connections[1].notes[NetNoteKind::out_of_window], 0);
        ASSERT_EQ(talk.loss[LossPlace::uncompared], 0U);
        talk.client_acks(static_cast<std::int64_t>(text[1].size()) + 1)
            .server_acks(static_cast<std::int64_t>(text[0].size()) + 1);
        ASSERT_TRUE(talk.listener().connections[1].ended);
        ASSERT_THAT(talk.listener().violations, IsEmpty());
    }
}

TEST_P(Seeds, bytes_and_gaps_add_up_to_what_was_sent_with_every_hole_at_its_place) {
    for (int round = 0; round < 20; ++round) {
        TcpTalk talk;
        talk.listener().quiet = true;
        talk.isn[0] = random_isn(random);
        talk.isn[1] = random_isn(random);
        talk.handshake();
        const std::string text = random_text(random, 1 + below(random, 20'000));
        std::string expected = text;
        std::vector<Part> kept;
        std::vector<std::size_t> cuts;
        for (const Part& part : split(random, text.size(), 300)) {
            if (below(random, 10) == 0) {
                std::fill(expected.begin() + static_cast<std::ptrdiff_t>(part.begin),
                          expected.begin() + static_cast<std::ptrdiff_t>(part.end), '?');
                continue;
            }
            const std::size_t cut = below(random, 10) == 0 ? below(random, part.end - part.begin + 1) : 0;
            std::fill(expected.begin() + static_cast<std::ptrdiff_t>(part.end - cut),
                      expected.begin() + static_cast<std::ptrdiff_t>(part.end), '?');
            kept.push_back(part);
            cuts.push_back(cut);
        }
        // Neighbours change places now and then.
        for (std::size_t i = 1; i < kept.size(); ++i)
            if (below(random, 8) == 0) {
                std::swap(kept[i - 1], kept[i]);
                std::swap(cuts[i - 1], cuts[i]);
            }
        for (std::size_t i = 0; i < kept.size(); ++i) {
            const std::size_t size = kept[i].end - kept[i].begin;
            talk.client(static_cast<std::int64_t>(kept[i].begin), std::string_view(text).substr(kept[i].begin, size),
                        {.cut = static_cast<std::uint32_t>(cuts[i])});
            if (below(random, 3) == 0) {
                // The receiver got everything; its acknowledgement lags behind by a few segments.
                const std::size_t lag = std::min<std::size_t>(i, 3 + below(random, 3));
                talk.server_acks(static_cast<std::int64_t>(kept[i - lag].begin));
            }
            if (below(random, 20) == 0) talk.after(0.4);
        }
        talk.client_fin(static_cast<std::int64_t>(text.size()));
        const auto end = static_cast<std::int64_t>(text.size()) + 1;
        talk.server_acks(end).server_fin(0).client_acks(1);
        ASSERT_TRUE(talk.listener().connections[1].ended);
        ASSERT_EQ(talk.stream(Direction::to_server).bytes, expected) << "round " << round;
        ASSERT_EQ(talk.stream(Direction::to_server).missing,
                  static_cast<std::uint64_t>(std::count(expected.begin(), expected.end(), '?')));
        ASSERT_EQ(talk.loss[LossPlace::reassembly], talk.stream(Direction::to_server).missing);
        ASSERT_THAT(talk.listener().violations, IsEmpty());
    }
}

TEST_P(Seeds, a_capture_that_begins_in_the_middle_of_reordered_segments_loses_none_of_them) {
    for (int round = 0; round < 20; ++round) {
        TcpTalk talk;
        talk.isn[0] = random_isn(random);
        const std::string text = random_text(random, 500 + below(random, 500));
        std::vector<Part> parts = split(random, text.size(), 80);
        const std::size_t early = std::min<std::size_t>(parts.size(), limits::kLateStartSegments);
        std::shuffle(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(early), random);
        for (const Part& part : parts)
            talk.client(static_cast<std::int64_t>(part.begin) + 100'000,
                        std::string_view(text).substr(part.begin, part.end - part.begin));
        talk.finish();
        ASSERT_EQ(talk.stream(Direction::to_server).bytes, text) << "round " << round;
        ASSERT_EQ(talk.stream(Direction::to_server).gaps, 0);
        ASSERT_THAT(talk.listener().violations, IsEmpty());
    }
}

TEST_P(Seeds, segments_that_make_no_sense_never_break_the_contract) {
    constexpr std::size_t kSegments = 3000;
    TcpTalk talk;
    talk.listener().quiet = true;
    const std::string text = random_text(random, 3000);
    for (std::size_t i = 0; i < kSegments; ++i) {
        talk.client_at.port = static_cast<std::uint16_t>(40000 + below(random, 3));
        const int side = static_cast<int>(below(random, 2));
        for (std::int64_t& acked : talk.acked) acked = static_cast<std::int64_t>(below(random, 4000)) - 5;
        std::int64_t place = static_cast<std::int64_t>(below(random, 4000)) - 10;
        if (below(random, 50) == 0) place = static_cast<std::int64_t>(random() & 0xffffffff);
        const std::size_t size = below(random, 3) == 0 ? 0 : 1 + below(random, 200);
        Extra extra{.fin = below(random, 40) == 0,
                    .syn = below(random, 40) == 0,
                    .rst = below(random, 60) == 0,
                    .ack = below(random, 20) != 0};
        if (below(random, 10) == 0) extra.cut = static_cast<std::uint32_t>(below(random, size + 1));
        talk.send(side, place, std::string_view(text).substr(0, size), extra);
        if (below(random, 30) == 0) talk.after(static_cast<double>(below(random, 3000)) / 1000.0);
        if (below(random, 500) == 0) talk.after(-3);
    }
    talk.finish();
    EXPECT_THAT(talk.listener().violations, IsEmpty());
    for (const auto& [id, connection] : talk.listener().connections) EXPECT_TRUE(connection.ended) << id;
}

INSTANTIATE_TEST_SUITE_P(Property, Seeds, ::testing::Range(1, 31));

}  // namespace
}  // namespace hopscope::decode::net
