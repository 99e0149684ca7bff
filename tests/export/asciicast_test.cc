#include "export/asciicast.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "export/fixture.h"
#include "export/golden.h"

namespace hopscope::exports {
namespace {

using chain::Reveal;
using nlohmann::json;
using test::at;

std::vector<json> lines_of(const std::string& text) {
    std::vector<json> lines;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines.push_back(json::parse(text.substr(begin, end - begin)));
    EXPECT_EQ(begin, text.size()) << "the last line is not ended";
    return lines;
}

CastHeader known(double start) { return {.size_known = true, .start = at(start)}; }

Bytes bytes(std::string_view text) { return as_bytes(text); }

TEST(IncompleteTail, finds_the_cut_character) {
    const std::pair<const char*, std::size_t> rows[] = {{"", 0},
                                                        {"abc", 0},
                                                        {"a\xe2\x94", 2},
                                                        {"a\xe2", 1},
                                                        {"\xe2\x94\x80", 0},
                                                        {"\xf0\x9f\x98", 3},
                                                        {"\xf0\x9f\x98\x80", 0},
                                                        {"\xc3", 1},
                                                        {"\x80\x80\x80\x80", 0},
                                                        {"\xff", 0},
                                                        {"\xe2"
                                                         "A",
                                                         0}};
    for (const auto& [text, tail] : rows) EXPECT_EQ(incomplete_tail(text), tail) << text;
}

TEST(Asciicast, any_cut_gives_the_same_characters) {
    const std::string text = "box ─┐ 東京 \U0001f600 end\r\n";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        StringOutput out;
        CastWriter cast(out, known(0), Reveal{});
        cast.data(StreamKind::out, bytes(text.substr(0, cut)), at(1));
        cast.data(StreamKind::out, bytes(text.substr(cut)), at(2));
        std::string all;
        for (const json& line : lines_of(out.text()))
            if (line.is_array()) all += line[2].get<std::string>();
        EXPECT_EQ(all, text) << "cut after " << cut;
    }
}

TEST(Asciicast, streams_do_not_mix_their_cut_characters) {
    StringOutput out;
    CastWriter cast(out, known(0), Reveal{});
    cast.data(StreamKind::out, bytes("\xe2\x94"), at(1));
    cast.data(StreamKind::err, bytes("e"), at(1.5));
    cast.data(StreamKind::out, bytes("\x80"), at(2));
    const auto lines = lines_of(out.text());
    ASSERT_EQ(lines.size(), 4U);  // header, marker, two events
    EXPECT_EQ(lines[2], json::parse(R"([1.5,"o","e"])"));
    EXPECT_EQ(lines[3][2], "─");
    EXPECT_EQ(cast.output_events(), 2U);
}

TEST(Asciicast, bytes_that_are_no_utf8_become_replacement_characters) {
    StringOutput out;
    CastWriter cast(out, known(0), Reveal{});
    cast.data(StreamKind::out,
              bytes("a\xfe"
                    "b"),
              at(1));
    EXPECT_EQ(lines_of(out.text())[1][2],
              "a\ufffd"
              "b");
}

TEST(Asciicast, times_never_go_back_and_idle_time_stays) {
    StringOutput out;
    CastWriter cast(out, known(10), Reveal{});
    cast.data(StreamKind::out, bytes("early"), at(9));
    cast.data(StreamKind::out, bytes("late"), at(3610));
    cast.data(StreamKind::out, bytes("clock stepped back"), at(20));
    const auto lines = lines_of(out.text());
    EXPECT_EQ(lines[1][0], 0);
    EXPECT_EQ(lines[2][0], 3600);
    EXPECT_EQ(lines[3][0], 3600);
}

TEST(Asciicast, stdin_needs_its_own_name) {
    for (const char* list : {"", "payload", "stdin"}) {
        StringOutput out;
        CastWriter cast(out, known(0), *list ? *Reveal::parse(list) : Reveal{});
        cast.data(StreamKind::in, bytes("hunter2\r"), at(1));
        const bool shown = std::string(list) == "stdin";
        EXPECT_EQ(lines_of(out.text()).size(), shown ? 2U : 1U) << list;
        EXPECT_EQ(cast.left_out_stdin(), !shown);
    }
}

TEST(Asciicast, a_session_as_a_recording) {
    const chain::Model model = test::node_model();
    const chain::Session& session = *model.sessions[3];
    for (const bool revealed : {false, true}) {
        StringOutput out;
        const Reveal reveal = revealed ? *Reveal::parse("command") : Reveal{};
        const CastHeader header = cast_header(session, reveal);
        EXPECT_TRUE(header.size_known);
        CastWriter cast(out, header, reveal);
        cast.data(StreamKind::out, bytes("\x1b[1mout\x1b[m\r\n"), at(0.95));
        cast.data(StreamKind::err, bytes("err\r\n"), at(0.96));
        cast.resize(100, 30, at(1.1));
        cast.data(StreamKind::out, bytes("\xe2\x94"), at(1.2));
        cast.data(StreamKind::error, bytes("{}"), at(1.3));
        cast.finish(session);
        const auto lines = lines_of(out.text());
        EXPECT_EQ(lines[0].at("version"), 2);
        EXPECT_EQ(lines[0].at("width"), 120);
        EXPECT_EQ(lines[0].contains("command"), revealed);
        EXPECT_EQ(out.text().find('\x1b'), std::string::npos);
        EXPECT_EQ(out.text().find(test::kPassword) != std::string::npos, revealed);
        if (!revealed) test::expect_golden("session.cast", out.text());
    }
}

TEST(Asciicast, the_header_waits_for_the_size_but_not_for_long) {
    const auto width_after = [](double resize_at, std::size_t bytes_before) {
        StringOutput out;
        CastWriter cast(out, CastHeader{.start = at(0)}, Reveal{});
        cast.data(StreamKind::out, bytes(std::string(bytes_before, 'x')), at(0.1));
        if (resize_at > 1) cast.data(StreamKind::out, bytes("y"), at(resize_at - 0.5));
        cast.resize(132, 43, at(resize_at));
        const auto lines = lines_of(out.text());
        EXPECT_EQ(cast.header().width, lines[0].at("width"));
        EXPECT_EQ(lines[1][1], "o") << "events keep their order";
        EXPECT_EQ(lines.back()[1], "r");
        return lines[0].at("width").get<int>();
    };
    EXPECT_EQ(width_after(0.2, 10), 132);
    EXPECT_EQ(width_after(0.2, kCastHeldBytes), 80);
    EXPECT_EQ(width_after(10, 10), 80);
}

TEST(Asciicast, a_session_without_any_event_is_still_a_recording) {
    const chain::Model model = test::node_model();
    StringOutput out;
    CastWriter cast(out, cast_header(*model.sessions[6], Reveal{}), Reveal{});
    cast.finish(*model.sessions[6]);
    const auto lines = lines_of(out.text());
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].at("version"), 2);
    EXPECT_FALSE(cast.header().size_known);
}

TEST(Asciicast, without_a_resize_the_size_is_assumed) {
    const chain::Model model = test::node_model();
    const CastHeader header = cast_header(*model.sessions[6], Reveal{});
    EXPECT_FALSE(header.size_known);
    EXPECT_EQ(header.width, 80);
    EXPECT_EQ(header.height, 24);
    EXPECT_EQ(header.title, "portforward [::1]:10010");
}

}  // namespace
}  // namespace hopscope::exports
