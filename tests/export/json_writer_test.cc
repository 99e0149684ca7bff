#include "export/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace hopscope::exports {
namespace {

using nlohmann::json;

template <typename Write>
std::string written(Write write) {
    StringOutput out;
    JsonWriter writer(out);
    writer.begin_object();
    write(writer);
    writer.end_object();
    return out.text();
}

TEST(JsonWriter, puts_commas_where_they_belong) {
    const std::string text = written([](JsonWriter& w) {
        w.begin_array("none");
        w.end_array();
        w.begin_array("list");
        w.item("a");
        w.begin_object();
        w.end_object();
        w.number_item(7);
        w.end_array();
        w.begin_object("object");
        w.boolean("yes", true);
        w.boolean("no", false);
        w.end_object();
        w.number("last", -5);
    });
    EXPECT_EQ(text, R"({"none":[],"list":["a",{},7],"object":{"yes":true,"no":false},"last":-5})");
}

TEST(JsonWriter, leaves_out_what_is_not_known) {
    EXPECT_EQ(written([](JsonWriter& w) {
                  w.text_if("a", Untrusted());
                  w.text_if("b", std::string());
                  w.number_if("c", 0U);
                  w.time_if("d", Timestamp{});
              }),
              "{}");
}

TEST(JsonWriter, writes_times_and_spans_exactly) {
    const std::pair<std::int64_t, const char*> rows[] = {
        {0, "0"},
        {420'000'000, "0.42"},
        {41'000'000'000, "41"},
        {1, "0.000000001"},
        {-1'000, "-0.000001"},
        {-1'500'000'000, "-1.5"},
        {std::numeric_limits<std::int64_t>::min(), "-9223372036.854775808"},
        {std::numeric_limits<std::int64_t>::max(), "9223372036.854775807"}};
    for (const auto& [ns, text] : rows)
        EXPECT_EQ(written([ns = ns](JsonWriter& w) { w.seconds("s", {ns}); }), std::string("{\"s\":") + text + "}");
    EXPECT_EQ(written([](JsonWriter& w) { w.time("ts", {1'795'280'503'880'571'400}); }),
              R"({"ts":"2026-11-21T17:01:43.880571400Z"})");
}

TEST(JsonWriter, numbers_reach_their_limits) {
    EXPECT_EQ(written([](JsonWriter& w) {
                  w.number("max", std::numeric_limits<std::uint64_t>::max());
                  w.number("min", std::numeric_limits<std::int64_t>::min());
              }),
              R"({"max":18446744073709551615,"min":-9223372036854775808})");
}

TEST(JsonWriter, sends_text_that_is_no_utf8_to_a_base64_sibling) {
    EXPECT_EQ(written([](JsonWriter& w) { w.text("pod", "web-\xfe"); }), R"({"pod_b64":"d2ViLf4="})");
    EXPECT_EQ(written([](JsonWriter& w) { w.payload("\xff"); }), R"({"b64":"/w=="})");
    EXPECT_EQ(written([](JsonWriter& w) { w.payload("\x1b[m\r\n"); }), R"({"text":"\u001b[m\r\n"})");
    const Untrusted words[] = {Untrusted("sh"), Untrusted("\xff")};
    EXPECT_EQ(written([&](JsonWriter& w) { w.texts("command", words); }), R"({"command_b64":["c2g=","/w=="]})");
    EXPECT_EQ(written([&](JsonWriter& w) { w.texts("command", std::span(words).first(1)); }), R"({"command":["sh"]})");
}

TEST(JsonWriter, any_bytes_come_back_and_nothing_but_printable_ascii_leaves) {
    std::mt19937 random(11);
    for (int round = 0; round < 3000; ++round) {
        std::string bytes(random() % 40, '\0');
        const bool text_like = round % 2 == 0;
        for (char& c : bytes) c = static_cast<char>(text_like ? random() % 0x80 : random());
        const std::string line = written([&](JsonWriter& w) { w.text("t", bytes); });
        for (const unsigned char c : line) ASSERT_TRUE(c >= 0x20 && c < 0x7f);
        const json parsed = json::parse(line);
        if (is_utf8(bytes)) {
            ASSERT_EQ(parsed.at("t").get<std::string>(), bytes);
        } else {
            std::string encoded;
            append_base64(encoded, bytes);
            ASSERT_EQ(parsed.at("t_b64").get<std::string>(), encoded);
        }
    }
}

TEST(JsonWriter, knows_plain_text_at_every_position) {
    for (std::size_t size = 0; size < 20; ++size) {
        EXPECT_TRUE(is_plain_json(std::string(size, ' ')));
        EXPECT_TRUE(is_plain_json(std::string(size, '~')));
        for (std::size_t position = 0; position < size; ++position) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, 'a');
                text[position] = static_cast<char>(byte);
                const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
                ASSERT_EQ(is_plain_json(text), plain) << size << " " << position << " " << byte;
            }
        }
    }
}

}  // namespace
}  // namespace hopscope::exports
