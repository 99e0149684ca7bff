#include "core/untrusted.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace hopscope {
namespace {

struct Case {
    const char* what;
    std::string in, unicode, ascii;
};

class Display : public testing::TestWithParam<Case> {};

TEST_P(Display, makes_hostile_bytes_visible) {
    EXPECT_EQ(display(GetParam().in, Glyphs::unicode), GetParam().unicode) << GetParam().what;
    EXPECT_EQ(display(GetParam().in, Glyphs::ascii), GetParam().ascii) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Table, Display,
                         testing::Values(Case{"plain text stays", "kubelet[5714]", "kubelet[5714]", "kubelet[5714]"},
                                         Case{"escape sequence", "\x1b[31mred", "␛[31mred", "\\e[31mred"},
                                         Case{"carriage return cannot overwrite", "a\rb", "a␍b", "a\\rb"},
                                         Case{"line feed and tab", "a\n\tb", "a␊␉b", "a\\n\\tb"},
                                         Case{"bell and delete", "\a\x7f", "␇␡", "\\a\\x7f"},
                                         Case{"C1 control", "\xc2\x9b", "\\u{9b}", "\\u{9b}"},
                                         Case{"bidi override", "a\u202eb", "a\\u{202e}b", "a\\u{202e}b"},
                                         Case{"zero width space", "a\u200bb", "a\\u{200b}b", "a\\u{200b}b"},
                                         Case{"tag characters", "\U000e0041", "\\u{e0041}", "\\u{e0041}"},
                                         Case{"private use", "\ue000", "\\u{e000}", "\\u{e000}"},
                                         Case{"byte order mark", "\ufeff", "\\u{feff}", "\\u{feff}"},
                                         Case{"invalid byte", "a\xfe", "a\\xfe", "a\\xfe"},
                                         Case{"overlong slash", "\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf"},
                                         Case{"surrogate half", "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},
                                         Case{"letters of other scripts", "Zoë 東京", "Zoë 東京",
                                              "Zo\\u{eb} \\u{6771}\\u{4eac}"},
                                         Case{"three marks become two and a count", "a\u0301\u0302\u0303",
                                              "a\u0301\u0302+1", "a\\u{301}\\u{302}+1"},
                                         Case{"a mark with nothing below it", "\u0301", "\\u{301}", "\\u{301}"}));

TEST(Display, sees_each_byte_at_every_place_of_a_run) {
    for (std::size_t size = 1; size < 20; ++size) {
        for (std::size_t position = 0; position < size; ++position) {
            for (int byte = 0; byte < 256; ++byte) {
                const std::string one(1, static_cast<char>(byte));
                const std::string before(position, 'a'), after(size - position - 1, '~');
                ASSERT_EQ(display(before + one + after), before + display(one) + after) << size << " " << byte;
                ASSERT_EQ(is_utf8(before + one + after), byte < 0x80) << size << " " << byte;
            }
        }
    }
}

TEST(Display, random_bytes_never_give_a_control_code) {
    std::mt19937 random(7);
    for (int round = 0; round < 2000; ++round) {
        std::string bytes(random() % 40, '\0');
        for (char& c : bytes) c = static_cast<char>(random());
        for (Glyphs glyphs : {Glyphs::unicode, Glyphs::ascii}) {
            const std::string shown = display(bytes, glyphs);
            EXPECT_TRUE(is_utf8(shown));
            for (unsigned char c : shown) {
                EXPECT_GE(c, 0x20);
                EXPECT_NE(c, 0x7f);
                if (glyphs == Glyphs::ascii) {
                    EXPECT_LT(c, 0x80);
                }
            }
        }
    }
}

TEST(JsonString, is_read_back_by_a_json_parser) {
    for (const std::string& text :
         {std::string("plain"), std::string("quote \" slash \\ line \n tab \t"), std::string("\x1b\x7f\x01"),
          std::string("Zoë 東京 \U0001f600 \u202e"), std::string("nul \0 in it", 11)}) {
        std::string json;
        append_json_string(json, text);
        for (unsigned char c : json) EXPECT_LT(c, 0x7f);
        EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), text);
    }
}

TEST(Base64, pads_as_rfc_4648_says) {
    const std::pair<const char*, const char*> rows[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [in, out] : rows) {
        std::string encoded;
        append_base64(encoded, in);
        EXPECT_EQ(encoded, out);
    }
}

TEST(Width, counts_columns_not_bytes) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("東京"), 4U);
    EXPECT_EQ(display_width("e\u0301"), 1U);
    EXPECT_EQ(display_width("●"), 1U);
}

TEST(Elide, keeps_head_and_tail) {
    EXPECT_EQ(elide_middle("containerd.sock.ttrpc", 11), "conta…ttrpc");
    EXPECT_EQ(elide_middle("short", 11), "short");
    EXPECT_EQ(elide_middle("containerd.sock.ttrpc", 11, Glyphs::ascii), "cont...trpc");
    EXPECT_EQ(elide_end("containerd", 5), "cont…");
    EXPECT_EQ(elide_end("東京東京", 4), "東…");
    for (std::size_t columns = 0; columns < 12; ++columns)
        EXPECT_LE(display_width(elide_middle("ab東京cd東京ef", columns)), columns);
}

}  // namespace
}  // namespace hopscope
