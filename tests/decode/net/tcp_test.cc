#include "decode/net/tcp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tcp_talk.h"

namespace hopscope::decode::net {
namespace {

using namespace hopscope::net_test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kOpened = "open 10.0.0.1:40000 > 10.0.0.2:80 handshake";

// A connection whose handshake is over and already asserted.
class Tcp : public ::testing::Test {
protected:
    void SetUp() override {
        talk.handshake();
        ASSERT_THAT(talk.news(), ElementsAre(kOpened));
    }
    void TearDown() override { EXPECT_THAT(talk.listener().violations, IsEmpty()); }

    TcpTalk talk;
};

// Nothing has happened yet.
class Fresh : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_THAT(talk.listener().violations, IsEmpty()); }
    TcpTalk talk;
};

// --- the usual way

TEST_F(Tcp, bytes_in_order_are_handed_over_at_once) {
    talk.client(0, "hello ");
    EXPECT_THAT(talk.news(), ElementsAre("> hello "));
    talk.client(6, "world");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "hello world");
    talk.server(0, "yes");
    EXPECT_EQ(talk.stream(Direction::to_client).bytes, "yes");
}

TEST_F(Tcp, a_connection_ends_when_both_sides_have_closed_and_both_know) {
    talk.client_fin(0, "bye");
    talk.acked[0] = 4;
    EXPECT_THAT(talk.news(), ElementsAre("> bye", "fin >"));
    talk.server_fin(0);
    EXPECT_THAT(talk.news(), ElementsAre("fin <"));
    talk.client_acks(1);
    EXPECT_THAT(talk.news(), ElementsAre("end"));
}

TEST_F(Tcp, a_side_may_send_long_after_the_other_has_closed) {
    talk.client_fin(0).server_acks(1).after(100).server(0, "still here");
    EXPECT_THAT(talk.news(), ElementsAre("fin >", "< still here"));
}

TEST_F(Tcp, when_the_last_acknowledgement_was_not_captured_the_connection_ends_a_second_later) {
    talk.client_fin(0);
    talk.acked[0] = 1;
    talk.server_fin(0);
    EXPECT_THAT(talk.news(), ElementsAre("fin >", "fin <"));
    talk.after(0.5).advance();
    EXPECT_THAT(talk.news(), IsEmpty());
    talk.after(0.6).advance();
    EXPECT_THAT(talk.news(), ElementsAre("end"));
}

TEST_F(Tcp, sequence_numbers_wrap) {
    TcpTalk wrapping;
    wrapping.isn[0] = 0xfffffffa;
    wrapping.isn[1] = 0xffffffff;
    wrapping.handshake().client(0, "abcdefgh").server(0, "xyz").client(12, "mnop").client(8, "ijkl");
    EXPECT_EQ(wrapping.stream(Direction::to_server).bytes, "abcdefghijklmnop");
    EXPECT_EQ(wrapping.stream(Direction::to_client).bytes, "xyz");
    EXPECT_EQ(wrapping.loss[LossPlace::reassembly], 0U);
}

TEST_F(Tcp, a_fin_with_data_closes_after_its_last_byte) {
    talk.server_fin(0, "all");
    EXPECT_THAT(talk.news(), ElementsAre("< all", "fin <"));
}

TEST_F(Tcp, a_fin_sent_again_is_told_once) {
    talk.client_fin(0, "bye").client_fin(3).client_fin(3);
    EXPECT_THAT(talk.news(), ElementsAre("> bye", "fin >"));
}

TEST_F(Tcp, bytes_behind_a_fin_are_not_of_the_stream) {
    talk.client_fin(0, "bye").client(4, "ghost");
    EXPECT_THAT(talk.news(), ElementsAre("> bye", "fin >"));
}

// --- the beginning

TEST_F(Fresh, data_on_the_syn_is_taken) {
    talk.client(-1, "early", {.syn = true, .ack = false});
    talk.acked[0] = 5;
    talk.server(-1, "", {.syn = true}).client(5, " bird");
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "> early bird"));
}

TEST_F(Fresh, a_syn_sent_again_is_harmless) {
    talk.client(-1, "", {.syn = true, .ack = false}).after(1).client(-1, "", {.syn = true, .ack = false});
    talk.server(-1, "", {.syn = true})
        .server(-1, "", {.syn = true})
        .client(0, "hello")
        .client(-1, "", {.syn = true, .ack = false});
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "> hello"));
}

TEST_F(Fresh, an_answer_to_a_syn_says_who_asked) {
    talk.server(-1, "", {.syn = true}).client(0, "hello").server(0, "yes");
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "> hello", "< yes"));
}

TEST_F(Fresh, an_answer_that_overtook_its_syn_is_the_same_connection) {
    talk.server(-1, "", {.syn = true}).client(-1, "", {.syn = true, .ack = false}).client(0, "hello");
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "> hello"));
}

TEST_F(Fresh, bytes_missing_at_the_very_beginning_are_a_gap_because_the_syn_was_seen) {
    talk.handshake().news();
    talk.client(5, "world").server_acks(10).after(1.5).client(10, "!");
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 5", "> world!"));
}

TEST_F(Fresh, bytes_missing_at_the_beginning_are_a_gap_even_when_the_answer_to_the_syn_is_missing_too) {
    talk.client(-1, "", {.syn = true, .ack = false}).client(0, "hello");
    talk.server(5, "world").client_acks(10).after(1.5).client_acks(10);
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "> hello", "gap < at 0 5", "< world"));
}

TEST_F(Fresh, a_refused_connection_is_opened_and_reset) {
    talk.client(-1, "", {.syn = true, .ack = false});
    TcpSegment refusal;
    refusal.source = talk.server_at;
    refusal.destination = talk.client_at;
    refusal.acknowledgement = talk.isn[0] + 1;
    refusal.flags = {.rst = true, .ack = true};
    talk.raw(refusal);
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "rst <", "end"));
}

TEST_F(Fresh, a_simultaneous_open_is_one_connection) {
    talk.client(-1, "", {.syn = true, .ack = false}).server(-1, "", {.syn = true, .ack = false});
    talk.client(-1, "", {.syn = true}).server(-1, "", {.syn = true}).client(0, "a").server(0, "b");
    EXPECT_THAT(talk.log(), ElementsAre(kOpened, "> a", "< b"));
}

TEST_F(Fresh, a_connection_to_itself_is_one_direction) {
    talk.server_at = talk.client_at;
    talk.isn[1] = talk.isn[0];
    talk.client(-1, "", {.syn = true, .ack = false})
        .client(-1, "", {.syn = true})
        .client(0, "echo")
        .client(4, "!")
        .finish();
    EXPECT_THAT(talk.log(),
                ElementsAre("open 10.0.0.1:40000 > 10.0.0.1:40000 handshake", "> echo!", "end capture-over"));
}

// --- a capture that begins in the middle

TEST_F(Fresh, without_a_syn_a_direction_begins_with_its_first_segment_and_nothing_is_missing) {
    talk.acked[1] = 700;
    talk.client(500, "question").server(700, "answer").client(508, "?").server_acks(509);
    EXPECT_EQ(talk.log().front(), "open 10.0.0.1:40000 > 10.0.0.2:80");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "question?");
    EXPECT_EQ(talk.stream(Direction::to_client).bytes, "answer");
    EXPECT_EQ(talk.loss[LossPlace::reassembly], 0U);
}

TEST_F(Fresh, without_a_syn_the_sender_of_the_first_packet_is_called_client) {
    talk.server(10, "x");
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.2:80 > 10.0.0.1:40000"));
}

TEST_F(Fresh, segments_that_change_places_right_at_a_late_start_come_in_order) {
    talk.client(520, "world").client(515, "hello").client(525, "!").server_acks(526);
    EXPECT_THAT(talk.log(),
                ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "note > reordering at 0 5", "> helloworld!"));
}

TEST_F(Fresh, a_late_start_does_not_wait_when_the_receiver_has_acknowledged_all_before) {
    talk.acked[0] = 500;
    talk.server(10, "").client(500, "now");
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.2:80 > 10.0.0.1:40000", "< now"));
}

TEST_F(Fresh, a_late_start_of_one_direction_alone_waits_for_a_few_segments_only) {
    for (int i = 0; i < 7; ++i) talk.client(i * 2, "ab");
    EXPECT_EQ(talk.log().size(), 1U);
    talk.client(14, "ab");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "abababababababab");
    talk.client(16, "cd");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "ababababababababcd");
}

TEST_F(Fresh, a_late_start_waits_a_second_at_most) {
    talk.client(100, "alone").after(1.1).advance();
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "> alone"));
}

TEST_F(Fresh, a_bare_acknowledgement_marks_where_a_late_direction_begins) {
    talk.client(100, "").client(100, "go");
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "> go"));
}

TEST_F(Fresh, what_is_lost_after_a_late_start_is_a_gap) {
    talk.client(100, "").client(105, "world").server_acks(110).after(1.1).server_acks(110);
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "gap > at 0 5", "> world"));
}

TEST_F(Fresh, a_keep_alive_as_first_packet_is_not_the_first_byte) {
    talk.client(99, "").client(100, "go").finish();
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "> go", "end capture-over"));
}

TEST_F(Fresh, bytes_from_before_a_late_start_are_no_part_of_the_stream) {
    talk.client(100, "").client(100, "go").server_acks(102).client(90, "0123456789go");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "go");
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 10U);
    EXPECT_THAT(talk.news().back(), "note > retransmission at 0 2");
}

TEST_F(Fresh, what_a_late_start_holds_is_handed_over_at_the_end) {
    talk.client(100, "alone").finish();
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "> alone", "end capture-over"));
}

TEST_F(Fresh, a_fin_alone_opens_and_closes_a_direction) {
    talk.client_fin(100).finish();
    EXPECT_THAT(talk.log(), ElementsAre("open 10.0.0.1:40000 > 10.0.0.2:80", "fin >", "end capture-over"));
}

TEST_F(Fresh, a_rst_of_an_unknown_connection_is_nothing) {
    talk.client(100, "", {.rst = true});
    EXPECT_THAT(talk.log(), IsEmpty());
    EXPECT_EQ(talk.flows(), 0U);
}

// --- out of order

TEST_F(Tcp, segments_that_change_places_come_in_order_with_a_note) {
    talk.client(5, "world").client(0, "hello");
    EXPECT_THAT(talk.news(), ElementsAre("note > reordering at 0 5", "> helloworld"));
}

TEST_F(Tcp, a_fin_that_overtook_the_last_bytes_waits_for_them) {
    talk.client_fin(5).client(0, "hello");
    EXPECT_THAT(talk.news(), ElementsAre("note > reordering at 0 5", "> hello", "fin >"));
}

TEST_F(Tcp, an_acknowledgement_that_overtook_its_bytes_makes_no_gap) {
    talk.server_acks(5).client(0, "hello").after(3).client(5, "!").finish();
    EXPECT_THAT(talk.news(), ElementsAre("> hello!", "end capture-over"));
}

TEST_F(Tcp, a_segment_that_covers_more_than_the_hole_gives_only_what_is_new) {
    talk.client(3, "def").client(0, "abcdefgh");
    EXPECT_THAT(talk.news(), ElementsAre("note > retransmission at 3 3", "note > reordering at 0 5", "> abcdefgh"));
}

// --- sent again

TEST_F(Tcp, bytes_sent_again_are_noted_and_not_handed_over_twice) {
    talk.client(0, "hello").client(0, "hello");
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "note > retransmission at 0 5"));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 0U);
}

TEST_F(Tcp, of_a_segment_that_is_half_old_only_the_new_half_is_handed_over) {
    talk.client(0, "hello").client(3, "lo world");
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "note > retransmission at 3 2", ">  world"));
}

TEST_F(Tcp, bytes_sent_again_with_other_content_keep_the_first_and_are_reported) {
    talk.client(0, "hello").client(5, " world").client(2, "XXo wYrld");
    EXPECT_THAT(talk.news(),
                ElementsAre("> hello world", "note > retransmission at 2 9", "note > different_data at 2 3"));
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "hello world");
}

TEST_F(Tcp, other_content_is_found_among_waiting_bytes_too) {
    talk.client(5, "world").client(5, "wOrld").client(0, "hello");
    EXPECT_THAT(talk.news(), ElementsAre("note > retransmission at 5 5", "note > different_data at 6 1",
                                         "note > reordering at 0 5", "> helloworld"));
}

TEST_F(Tcp, the_first_copy_is_what_a_third_one_is_compared_with) {
    talk.client(0, "abc").client(0, "abX").client(0, "abX");
    EXPECT_THAT(talk.news(), ElementsAre("> abc", "note > retransmission at 0 3", "note > different_data at 2 1",
                                         "note > retransmission at 0 3", "note > different_data at 2 1"));
}

TEST_F(Tcp, bytes_that_came_out_of_order_can_be_compared_after_they_were_handed_over) {
    talk.client(5, "world").client(0, "hello").news();
    talk.client(0, "hellowoRld");
    EXPECT_THAT(talk.news(), ElementsAre("note > retransmission at 0 10", "note > different_data at 7 1"));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 0U);
}

TEST_F(Tcp, the_directions_are_not_compared_with_each_other) {
    TcpTalk same;
    same.isn[0] = same.isn[1] = 77;
    same.handshake().client(0, "hello").server(0, "HELLO").client(0, "hello").server(0, "HELLO");
    EXPECT_EQ(same.listener().connections[1].notes[NetNoteKind::different_data], 0);
    EXPECT_EQ(same.loss[LossPlace::uncompared], 0U);
}

TEST_F(Tcp, what_is_no_longer_at_hand_is_counted_as_uncompared) {
    talk.client(0, "hello");
    talk.tape.kept = 3;
    talk.client(0, "HELLO");
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "note > retransmission at 0 5"));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 5U);
}

TEST_F(Tcp, bytes_further_back_than_the_limit_are_not_compared) {
    const std::string old(100, 'a'), block(limits::kCompareBytes - 10, 'b');
    talk.client(0, old).client(100, block).client(0, std::string(100, 'X'));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 90U);
    EXPECT_EQ(talk.news().back(), "note > different_data at 90 10");
}

TEST_F(Fresh, without_a_history_nothing_is_compared_and_that_is_counted) {
    TcpTalk blind(false);
    blind.handshake().client(0, "hello").client(0, "HELLO");
    EXPECT_EQ(blind.loss[LossPlace::uncompared], 5U);
    EXPECT_EQ(blind.log().back(), "note > retransmission at 0 5");
}

TEST_F(Tcp, many_small_segments_between_make_no_difference) {
    for (int i = 0; i < 300; ++i) talk.client(i, "x").server(i, "y");
    talk.client(0, std::string(300, 'x'));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 300U - limits::kRecentSegmentsLooked / 2)
        << "only so many are looked at";
    talk.client(250, std::string(50, 'z'));
    EXPECT_EQ(talk.news().back(), "note > different_data at 250 50");
}

// --- probes

TEST_F(Tcp, keep_alives_are_no_retransmissions) {
    talk.client(0, "hello").server_acks(5).news();
    talk.client(4, "").client(4, "o");
    EXPECT_THAT(talk.news(), ElementsAre("note > keep_alive at 4 0", "note > keep_alive at 4 1"));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 0U);
}

TEST_F(Tcp, one_byte_that_was_not_acknowledged_is_a_retransmission_though) {
    talk.client(0, "q").client(0, "q");
    EXPECT_THAT(talk.news(), ElementsAre("> q", "note > retransmission at 0 1"));
}

TEST_F(Tcp, a_keep_alive_before_any_data_is_one) {
    talk.client(-1, "").client(-1, "x");
    EXPECT_THAT(talk.news(), ElementsAre("note > keep_alive at 0 0", "note > keep_alive at 0 1"));
}

TEST_F(Tcp, a_closed_window_is_noted_once_until_it_opens) {
    talk.server(0, "", {.window = 0})
        .server(0, "", {.window = 0})
        .server(0, "", {.window = 9})
        .server(0, "", {.window = 0});
    EXPECT_THAT(talk.news(), ElementsAre("note < zero_window at 0 0", "note < zero_window at 0 0"));
}

TEST_F(Tcp, a_probe_of_a_closed_window_with_one_new_byte_is_taken_once) {
    talk.client(0, "a").server(0, "", {.window = 0}).client(1, "b").client(1, "bc");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "abc");
}

// --- holes

TEST_F(Tcp, an_acknowledged_hole_is_declared_after_enough_further_segments) {
    talk.client(5, "A").server_acks(6).news();
    for (unsigned i = 0; i < limits::kHoleSegments - 1; ++i) talk.client(6 + i, "a");
    EXPECT_THAT(talk.news(), IsEmpty());
    talk.client(6 + limits::kHoleSegments - 1, "z");
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 5", "> A" + std::string(limits::kHoleSegments - 1, 'a') + "z"));
    EXPECT_EQ(talk.loss[LossPlace::reassembly], 5U);
}

TEST_F(Tcp, an_acknowledged_hole_is_declared_after_a_second_even_if_nothing_more_comes) {
    talk.client(5, "world").server_acks(10);
    talk.after(0.9).advance();
    EXPECT_THAT(talk.news(), IsEmpty());
    talk.after(0.2).advance();
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 5", "> world"));
}

TEST_F(Tcp, other_connections_move_the_time_on) {
    talk.client(5, "world").server_acks(10).after(1.1);
    talk.client_at.port = 40001;
    talk.client(-1, "", {.syn = true, .ack = false});
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "?????world");
}

TEST_F(Tcp, a_hole_that_the_receiver_has_not_acknowledged_may_still_be_filled) {
    talk.client(5, "world");
    for (int i = 0; i < 200; ++i) talk.client(10 + i, "x");
    talk.after(20).client(0, "hello");
    EXPECT_EQ(talk.stream(Direction::to_server).gaps, 0);
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "helloworld" + std::string(200, 'x'));
}

TEST_F(Tcp, an_acknowledgement_inside_of_the_waiting_bytes_fills_no_hole_behind_it) {
    talk.client(5, "world").client(20, "later").server_acks(10).after(1.1).client(25, "!");
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 5", "> world"));
    talk.server_acks(25).after(1.1).server_acks(25);
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 10 10", "> later!"));
}

TEST_F(Tcp, bytes_that_were_acknowledged_and_never_seen_are_a_gap_though_nothing_follows) {
    talk.client(0, "hello").server_acks(25).after(1.1).server_acks(25);
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "gap > at 5 20"));
}

TEST_F(Tcp, one_acknowledged_byte_beyond_the_end_is_a_fin_that_was_not_captured) {
    talk.client(0, "hello").server_acks(6).after(1.1).server_acks(6).finish();
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "end capture-over"));
}

TEST_F(Tcp, holes_are_declared_when_both_sides_have_closed) {
    talk.client(0, "hello");
    talk.client_fin(15).server_acks(16).server_fin(0);
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "fin <"));
    talk.client_acks(1);
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 5 10", "fin >", "end"));
}

TEST_F(Tcp, holes_are_declared_at_the_end_of_the_capture) {
    talk.client(0, "a").client(3, "d").client(6, "g").finish();
    EXPECT_THAT(talk.news(), ElementsAre("> a", "gap > at 1 2", "> d", "gap > at 4 2", "> g", "end capture-over"));
}

TEST_F(Tcp, a_fin_behind_a_hole_is_told_at_the_end_of_the_capture) {
    talk.client(3, "d");
    talk.client_fin(6).finish();
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 3", "> d", "gap > at 4 2", "fin >", "end capture-over"));
}

TEST_F(Tcp, too_many_waiting_bytes_declare_the_hole) {
    const std::string block(64 * 1024, 'x');
    std::int64_t place = 5;
    while (talk.news().empty() && place < 4'000'000) {
        talk.client(place, block);
        place += static_cast<std::int64_t>(block.size());
    }
    EXPECT_EQ(talk.stream(Direction::to_server).missing, 5U);
    EXPECT_EQ(talk.loss[LossPlace::limit_buffer], 5U);
    EXPECT_LE(static_cast<std::size_t>(place), limits::kOutOfOrderBytesPerDirection + block.size());
    EXPECT_EQ(talk.stream(Direction::to_server).bytes.size(), static_cast<std::size_t>(place))
        << "nothing waits any more";
}

TEST_F(Tcp, tiny_waiting_segments_count_for_what_they_cost) {
    int waiting = 0;
    for (; talk.news().empty() && waiting < 100'000; ++waiting) talk.client(5 + 2 * waiting, "x");
    EXPECT_LT(waiting, 20'000);
}

TEST_F(Tcp, the_segment_that_fills_the_hole_is_always_taken) {
    const std::string block(64 * 1024, 'x');
    std::int64_t place = 5;
    while (place < static_cast<std::int64_t>(limits::kOutOfOrderBytesPerDirection - 2 * block.size())) {
        talk.client(place, block);
        place += static_cast<std::int64_t>(block.size());
    }
    talk.client(0, std::string(5, 'a') + std::string(200'000, 'x'));
    EXPECT_EQ(talk.stream(Direction::to_server).gaps, 0);
    EXPECT_EQ(talk.stream(Direction::to_server).bytes.size(), static_cast<std::size_t>(place));
}

TEST_F(Tcp, one_segment_larger_than_the_limit_is_not_kept) {
    const std::string huge(limits::kOutOfOrderBytesPerDirection + 1, 'x');
    talk.client(5, huge);
    EXPECT_EQ(talk.stream(Direction::to_server).missing, 5U);
    EXPECT_EQ(talk.stream(Direction::to_server).bytes.size(), huge.size() + 5);
}

// --- cut by the snaplen

TEST_F(Tcp, a_cut_segment_gives_what_was_captured_and_a_gap) {
    talk.client(0, "hello world", {.cut = 6}).client(11, "!");
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "gap > at 5 6", "> !"));
}

TEST_F(Tcp, a_segment_of_which_nothing_was_captured_is_a_gap) {
    talk.client(0, "hello", {.cut = 5}).client(5, "!");
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 5", "> !"));
}

TEST_F(Tcp, a_cut_segment_with_a_fin_closes_after_its_gap) {
    talk.client(0, "hello world", {.fin = true, .cut = 6});
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "gap > at 5 6", "fin >"));
}

TEST_F(Tcp, cut_segments_that_change_places_leave_their_gaps_at_once) {
    talk.client(10, "0123456789", {.cut = 5}).client(0, "abcdefghij", {.cut = 5}).client(20, "!");
    EXPECT_THAT(talk.news(),
                ElementsAre("note > reordering at 0 5", "> abcde", "gap > at 5 5", "> 01234", "gap > at 15 5", "> !"));
}

TEST_F(Tcp, what_was_cut_from_a_waiting_segment_is_filled_when_it_is_sent_again) {
    talk.client(5, "world, all of you", {.cut = 12}).client(5, "world, all of you").client(0, "hello");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "helloworld, all of you");
    EXPECT_EQ(talk.loss[LossPlace::reassembly], 0U);
}

TEST_F(Tcp, a_waiting_segment_of_which_nothing_was_captured_is_filled_when_it_is_sent_again) {
    talk.client(5, "world", {.cut = 5}).client(5, "world").client(0, "hello");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "helloworld");
}

TEST_F(Tcp, a_repeat_of_which_nothing_was_captured_changes_nothing_of_what_waits) {
    talk.client(5, "world").client(7, "rl", {.cut = 2}).client(0, "hello");
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "helloworld");
}

TEST_F(Tcp, a_cut_segment_sent_again_is_compared_as_far_as_it_was_captured) {
    talk.client(0, "hello world").client(0, "heLlo world", {.cut = 6});
    EXPECT_THAT(talk.news(),
                ElementsAre("> hello world", "note > retransmission at 0 11", "note > different_data at 2 1"));
    EXPECT_EQ(talk.loss[LossPlace::uncompared], 6U);
}

// --- RST

TEST_F(Tcp, a_rst_ends_the_connection_at_once) {
    talk.client(0, "hello").server(0, "", {.rst = true});
    EXPECT_THAT(talk.news(), ElementsAre("> hello", "rst <", "end"));
}

TEST_F(Tcp, a_rst_hands_over_what_waits_before_it) {
    talk.client(5, "world").client(10, "", {.rst = true});
    EXPECT_THAT(talk.news(), ElementsAre("gap > at 0 5", "> world", "rst >", "end"));
}

TEST_F(Tcp, a_rst_after_one_fin_is_told) {
    talk.client_fin(0).server_acks(1).server(0, "", {.rst = true});
    EXPECT_THAT(talk.news(), ElementsAre("fin >", "rst <", "end"));
}

TEST_F(Tcp, a_rst_after_both_fins_is_told_when_it_stands_for_the_last_acknowledgement) {
    talk.client_fin(0);
    talk.acked[0] = 1;
    talk.server_fin(0, "more").client(1, "", {.rst = true});
    EXPECT_THAT(talk.news(), ElementsAre("fin >", "< more", "fin <", "rst >", "end"));
}

TEST_F(Tcp, a_rst_with_a_wild_number_is_ignored_and_noted) {
    constexpr std::int64_t kGibibyte = 1 << 30;
    talk.client(0, "a")
        .client(1 + kGibibyte, "", {.rst = true})
        .client(1 - kGibibyte, "", {.rst = true})
        .client(1, "b");
    EXPECT_THAT(talk.news(), ElementsAre("> a", "note > out_of_window at 1 0", "note > out_of_window at 1 0", "> b"));
}

TEST_F(Tcp, a_rst_a_little_off_is_believed_because_packets_may_have_been_lost) {
    talk.client(0, "a").client(100'000, "", {.rst = true});
    EXPECT_THAT(talk.news(), ElementsAre("> a", "rst >", "end"));
}

// --- the same endpoints again

TEST_F(Tcp, late_packets_of_an_ended_connection_open_none) {
    talk.client_fin(0);
    talk.acked[0] = 1;
    talk.server_fin(0, "x").client_acks(2).news();
    talk.server_fin(0, "x")
        .client_acks(2)
        .after(1.5)
        .server_fin(0, "x")
        .after(1.5)
        .client(1, "", {.rst = true})
        .client_acks(2);
    EXPECT_THAT(talk.news(), IsEmpty());
    EXPECT_EQ(talk.flows(), 1U);
}

TEST_F(Tcp, bytes_that_were_on_their_way_when_the_connection_was_reset_open_none) {
    talk.client(0, "hello").client(5, "", {.rst = true}).news();
    talk.server(0, "too late").server(8, "much too late");
    EXPECT_THAT(talk.news(), IsEmpty());
}

TEST_F(Tcp, long_after_the_end_the_same_endpoints_are_a_new_connection) {
    talk.client(0, "hello").client(5, "", {.rst = true}).news();
    talk.after(limits::kClosedSeconds + 1).server(0, "hm");
    EXPECT_THAT(talk.news(), ElementsAre("open 10.0.0.2:80 > 10.0.0.1:40000"));
}

class Reuse : public Tcp {
protected:
    // A second connection on the same endpoints, with other numbers.
    void again() {
        talk.isn[0] += 500'000'000;
        talk.isn[1] += 700'000'000;
        talk.acked[0] = talk.acked[1] = 0;
        talk.sent[0] = talk.sent[1] = 0;
        talk.handshake().client(0, "again");
    }
};

TEST_F(Reuse, right_after_the_end_is_a_new_connection) {
    talk.client_fin(0);
    talk.acked[0] = 1;
    talk.server_fin(0).client_acks(1).news();
    again();
    EXPECT_THAT(talk.news(), ElementsAre(kOpened, "> again"));
    EXPECT_EQ(talk.flows(), 2U);
}

TEST_F(Reuse, right_after_a_rst_is_a_new_connection) {
    talk.client(0, "", {.rst = true}).news();
    again();
    EXPECT_THAT(talk.news(), ElementsAre(kOpened, "> again"));
}

TEST_F(Reuse, of_a_connection_with_a_fin_ends_it) {
    talk.server_fin(0, "x").news();
    again();
    EXPECT_THAT(talk.news(), ElementsAre("end", kOpened, "> again"));
}

TEST_F(Reuse, of_a_connection_whose_fin_still_waits_declares_its_hole) {
    talk.server_fin(3).news();
    again();
    EXPECT_THAT(talk.news(), ElementsAre("gap < at 0 3", "fin <", "end", kOpened, "> again"));
}

TEST_F(Reuse, of_an_idle_connection_ends_it) {
    talk.after(limits::kPortReuseIdleSeconds + 1);
    again();
    EXPECT_THAT(talk.news(), ElementsAre("end", kOpened, "> again"));
}

TEST_F(Reuse, of_a_living_connection_is_believed_only_when_the_server_answers) {
    talk.client(0, "alive").news();
    again();
    EXPECT_THAT(talk.news(), ElementsAre("note > out_of_window at 5 0", "end", kOpened, "> again"));
}

TEST_F(Reuse, a_wild_syn_alone_does_not_disturb_a_living_connection) {
    talk.client(0, "alive").news();
    TcpSegment spoofed;
    spoofed.source = talk.client_at;
    spoofed.destination = talk.server_at;
    spoofed.sequence = 123456789;
    spoofed.flags.syn = true;
    talk.raw(spoofed).client(5, "!");
    EXPECT_THAT(talk.news(), ElementsAre("note > out_of_window at 5 0", "> !"));
}

TEST_F(Reuse, a_syn_that_was_never_answered_gives_way_to_the_next) {
    TcpTalk other;
    other.client(-1, "", {.syn = true, .ack = false});
    other.isn[0] = 777777;
    other.handshake().client(0, "now");
    EXPECT_THAT(other.log(), ElementsAre(kOpened, "end", kOpened, "> now"));
}

TEST_F(Reuse, a_syn_ends_a_connection_that_began_before_the_capture) {
    TcpTalk late;
    late.client(100, "").client(100, "old").news();
    late.isn[0] = 999999;
    late.handshake();
    EXPECT_THAT(late.news(), ElementsAre("end", kOpened));
}

TEST_F(Reuse, whose_handshake_was_not_captured_is_found_by_its_numbers) {
    talk.client(0, "old").news();
    talk.isn[0] += 2'000'000'000;
    talk.isn[1] += 2'000'000'000;
    talk.acked[0] = talk.acked[1] = 10;
    for (unsigned i = 0; i < 2 * limits::kStrayedSegments; ++i) talk.client(10 + 3 * i, "new");
    talk.server_acks(10 + 6 * limits::kStrayedSegments);
    EXPECT_EQ(talk.flows(), 2U);
    EXPECT_EQ(talk.stream(Direction::to_server, 1).bytes, "old");
    EXPECT_EQ(talk.stream(Direction::to_server, 2).bytes.substr(0, 6), "newnew");
}

// --- many connections

class Many : public ::testing::Test {
protected:
    TcpTalk& of(std::uint32_t number) {
        talk.client_at.port = static_cast<std::uint16_t>(number % 60000 + 1);
        talk.server_at.port = static_cast<std::uint16_t>(number / 60000 + 1);
        return talk;
    }
    void TearDown() override { EXPECT_THAT(talk.listener().violations, IsEmpty()); }
    TcpTalk talk;
};

TEST_F(Many, ten_thousand_interleaved_connections_keep_their_bytes_apart) {
    talk.listener().quiet = true;
    constexpr std::uint32_t kCount = 10'000;
    for (std::uint32_t i = 0; i < kCount; ++i)
        of(i).client(-1, "", {.syn = true, .ack = false}).server(-1, "", {.syn = true});
    for (int round = 0; round < 3; ++round)
        for (std::uint32_t i = 0; i < kCount; ++i) {
            const std::string text = std::to_string(i % 1000 + 1000);
            of(i).client(4 * round, text).server(4 * round, text);
        }
    EXPECT_EQ(talk.flows(), kCount);
    for (std::uint32_t i = 0; i < kCount; ++i) {
        const std::string text = std::to_string(i % 1000 + 1000);
        ASSERT_EQ(talk.stream(Direction::to_server, i + 1).bytes, text + text + text);
        ASSERT_EQ(talk.stream(Direction::to_client, i + 1).bytes, text + text + text);
    }
}

TEST_F(Many, beyond_the_limit_the_longest_idle_one_is_given_up) {
    talk.listener().quiet = true;
    for (std::uint32_t i = 0; i < limits::kFlowsMax; ++i)
        of(i).client(-1, "", {.syn = true, .ack = false}).after(0.001);
    of(0).client(0, "awake");
    EXPECT_EQ(talk.loss[LossPlace::limit_flows], 0U);
    of(limits::kFlowsMax).client(-1, "", {.syn = true, .ack = false});
    EXPECT_EQ(talk.loss[LossPlace::limit_flows], 1U);
    EXPECT_FALSE(talk.listener().connections[1].ended) << "the first one has just spoken";
    EXPECT_TRUE(talk.listener().connections[2].ended);
    EXPECT_FALSE(talk.listener().connections[3].ended);
    for (std::uint32_t i = 1; i <= 3000; ++i) of(limits::kFlowsMax + i).client(-1, "", {.syn = true, .ack = false});
    EXPECT_EQ(talk.loss[LossPlace::limit_flows], 3001U);
    for (FlowId id = 2; id <= 3002; ++id) ASSERT_TRUE(talk.listener().connections[id].ended) << id;
    EXPECT_FALSE(talk.listener().connections[3003].ended);
}

TEST_F(Many, waiting_bytes_of_all_are_bounded_and_the_oldest_are_handed_over) {
    talk.listener().quiet = true;
    const std::string block(limits::kOutOfOrderBytesPerDirection / 2, 'x');
    constexpr std::uint32_t kCount = 2 * limits::kOutOfOrderBytesAll / limits::kOutOfOrderBytesPerDirection + 4;
    for (std::uint32_t i = 0; i < kCount; ++i)
        of(i).client(-1, "", {.syn = true, .ack = false}).server(-1, "", {.syn = true}).client(10, block);
    EXPECT_EQ(talk.stream(Direction::to_server, 1).missing, 10U);
    EXPECT_EQ(talk.stream(Direction::to_server, kCount).missing, 0U) << "the newest still waits";
    EXPECT_LE(talk.loss[LossPlace::limit_buffer], 60U);
}

TEST_F(Many, ipv6_connections_are_told_apart_by_address_and_port) {
    talk.listener().number_flows = true;
    talk.client_at.address = *IpAddress::parse("::1");
    talk.server_at.address = *IpAddress::parse("::1");
    talk.handshake().client(0, "one");
    talk.client_at.port = 40001;
    talk.handshake().client(0, "two");
    talk.client_at.address = *IpAddress::parse("fd00::1");
    talk.handshake().client(0, "three");
    EXPECT_THAT(talk.log(), ElementsAre("#1 open [::1]:40000 > [::1]:80 handshake", "#1 > one",
                                        "#2 open [::1]:40001 > [::1]:80 handshake", "#2 > two",
                                        "#3 open [fd00::1]:40001 > [::1]:80 handshake", "#3 > three"));
}

TEST_F(Many, at_the_end_they_end_in_order_of_their_ids) {
    talk.listener().number_flows = true;
    of(1).client(-1, "", {.syn = true, .ack = false});
    of(2).client(-1, "", {.syn = true, .ack = false}).client(0, "", {.rst = true});
    of(3).client(-1, "", {.syn = true, .ack = false});
    of(4).client(-1, "", {.syn = true, .ack = false});
    talk.news();
    talk.finish();
    EXPECT_THAT(talk.news(), ElementsAre("#1 end capture-over", "#3 end capture-over", "#4 end capture-over"));
}

TEST_F(Many, slots_are_used_again) {
    talk.listener().quiet = true;
    for (std::uint32_t i = 0; i < 5000; ++i)
        of(i).client(-1, "", {.syn = true, .ack = false}).client(0, "", {.rst = true});
    EXPECT_EQ(talk.flows(), 5000U);
    EXPECT_EQ(talk.listener().largest_slot, 0U);
}

TEST_F(Many, a_clock_that_steps_back_harms_nothing) {
    of(1)
        .handshake()
        .client(0, "hello")
        .after(-3600)
        .client(10, "world")
        .server_acks(15)
        .after(2)
        .client(15, "!")
        .finish();
    EXPECT_EQ(talk.stream(Direction::to_server).bytes, "hello?????world!");
}

}  // namespace
}  // namespace hopscope::decode::net
