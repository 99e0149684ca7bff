// HPACK: Huffman code, the reader for connections joined late, and both against nghttp2's encoder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "decode/grpc/header_decoder.h"
#include "decode/grpc/hpack_reader.h"
#include "decode/grpc/huffman.h"
#include "support/cut_anywhere.h"
#include "wire.h"

namespace hopscope::decode::grpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using tests::Deflater;
using tests::Fields;
using tests::from_hex;

std::string huffman(std::string_view hex) {
    std::string out;
    return huffman_decode(as_bytes(from_hex(hex)), out) ? out : "(no code)";
}

Fields fields_of(const HeaderList& list) {
    Fields out;
    for (std::size_t i = 0; i < list.size(); ++i) out.emplace_back(list[i].name, list[i].value);
    return out;
}

// What a reader that joined late makes of a block.
Fields read_late(HpackReader& reader, std::string_view block, std::size_t* unknown = nullptr) {
    HeaderList list;
    EXPECT_TRUE(reader.read(as_bytes(block), list));
    if (unknown) *unknown = list.unknown();
    return fields_of(list);
}

// --- the Huffman code (examples of RFC 7541 appendix C)

TEST(Huffman, DecodesTheExamplesOfTheRfc) {
    EXPECT_EQ(huffman("f1e3 c2e5 f23a 6ba0 ab90 f4ff"), "www.example.com");
    EXPECT_EQ(huffman("a8eb 1064 9cbf"), "no-cache");
    EXPECT_EQ(huffman("25a8 49e9 5ba9 7d7f"), "custom-key");
    EXPECT_EQ(huffman("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"), "Mon, 21 Oct 2013 20:13:21 GMT");
    EXPECT_EQ(huffman(""), "");
}

TEST(Huffman, RefusesBrokenPadding) {
    EXPECT_EQ(huffman("1f"), "a");                // five bits of 'a', three ones
    EXPECT_EQ(huffman("1e"), "(no code)");        // padding is not all ones
    EXPECT_EQ(huffman("1fff"), "(no code)");      // more than seven bits of padding
    EXPECT_EQ(huffman("ffffffff"), "(no code)");  // EOS inside
    EXPECT_EQ(huffman("fffffffc"), "(no code)");
}

TEST(Huffman, KnowsEverySymbolAsNghttp2EncodesIt) {
    for (int byte = 0; byte < 256; ++byte) {
        // Enough short codes around it for nghttp2 to choose Huffman.
        const std::string value = std::string(40, 'a') + static_cast<char>(byte) + std::string(40, 'e');
        Deflater deflater(0);
        HpackReader reader;
        EXPECT_THAT(read_late(reader, deflater.block({{"x", value}})), ElementsAre(Pair("x", value))) << byte;
    }
}

// --- joined late

TEST(HpackReader, ReadsStaticEntriesAndLiterals) {
    HpackReader reader;
    // :method GET, :path /sample/path (not indexed), :scheme http
    EXPECT_THAT(read_late(reader, from_hex("82 040c2f73616d706c652f70617468 86")),
                ElementsAre(Pair(":method", "GET"), Pair(":path", "/sample/path"), Pair(":scheme", "http")));
}

TEST(HpackReader, SaysUnknownForEntriesFromBeforeItJoined) {
    HpackReader reader;
    std::size_t unknown = 0;
    // Index 62, then a literal whose name is entry 70.
    EXPECT_THAT(read_late(reader, from_hex("be 7f07 0161"), &unknown), IsEmpty());
    EXPECT_EQ(unknown, 2U);
}

TEST(HpackReader, FindsWhatWasInsertedSinceItJoined) {
    HpackReader reader;
    std::size_t unknown = 0;
    read_late(reader, from_hex("400161 0131"));  // a: 1, inserted
    read_late(reader, from_hex("400162 0132"));  // b: 2, inserted
    EXPECT_THAT(read_late(reader, from_hex("be bf c0"), &unknown), ElementsAre(Pair("b", "2"), Pair("a", "1")));
    EXPECT_EQ(unknown, 1U);  // 64 is older than the beginning
}

TEST(HpackReader, KeepsTheOrderOfEntriesWhoseNameItCannotTell) {
    HpackReader reader;
    read_late(reader, from_hex("400161 0131"));  // a: 1
    read_late(reader, from_hex("7f20 0178"));    // inserted, name unknown (index 95)
    std::size_t unknown = 0;
    EXPECT_THAT(read_late(reader, from_hex("be bf"), &unknown), ElementsAre(Pair("a", "1")));
    EXPECT_EQ(unknown, 1U);
}

TEST(HpackReader, ForgetsAllWhenAnEntryMayHaveEmptiedTheTable) {
    HpackReader reader;
    read_late(reader, from_hex("400161 0131"));
    // Larger than the default table: whether the encoder kept it is not known.
    HeaderList list;
    std::string block = from_hex("400162 7f") + "\x89\x27" + std::string(127 + 9 + 39 * 128, 'v');
    ASSERT_TRUE(reader.read(as_bytes(block), list));
    std::size_t unknown = 0;
    EXPECT_THAT(read_late(reader, from_hex("be bf"), &unknown), IsEmpty());
    EXPECT_EQ(unknown, 2U);
}

TEST(HpackReader, ForgetsWhatASizeUpdateEvicts) {
    HpackReader reader;
    read_late(reader, from_hex("400161 0131"));
    std::size_t unknown = 0;
    EXPECT_THAT(read_late(reader, from_hex("20 be"), &unknown), IsEmpty());
    EXPECT_EQ(unknown, 1U);
}

TEST(HpackReader, RefusesMalformedBlocks) {
    for (const char* hex : {"80", "ff", "ffffffffffffff01", "4005 6162", "40", "0085", "0081 00 0161"}) {
        HpackReader reader;
        HeaderList list;
        EXPECT_FALSE(reader.read(as_bytes(from_hex(hex)), list)) << hex;
    }
}

TEST(HpackReader, KeepsAtMostTheTableLimitInMemory) {
    HpackReader reader;
    for (int i = 0; i < 3000; ++i) {
        HeaderList list;
        reader.read(as_bytes(from_hex("400161 7f21") + std::string(160, 'v')), list);
    }
    // 64 KiB hold 339 entries of 193 bytes; the one before them is unknown.
    std::size_t unknown = 0;
    EXPECT_EQ(read_late(reader, from_hex("ff 9102"), &unknown).size(), 1U);  // 127 + 273 = 61 + 339
    EXPECT_THAT(read_late(reader, from_hex("ff 9202"), &unknown), IsEmpty());
}

// --- against nghttp2's encoder

Fields random_fields(std::mt19937& random) {
    static const std::vector<std::string> names = {":path",        ":status",      "content-type", "grpc-status",
                                                   "grpc-timeout", "user-agent",   "x-long",       "te",
                                                   ":authority",   "grpc-message", "x-odd"};
    Fields out;
    for (std::size_t i = 0, n = 1 + random() % 8; i < n; ++i) {
        std::string value;
        switch (random() % 4) {
            case 0: value = "/runtime.v1.RuntimeService/Method" + std::to_string(random() % 30); break;
            case 1: value = std::to_string(random() % 100); break;
            case 2: value = std::string(random() % 300, static_cast<char>('a' + random() % 26)); break;
            default:
                for (std::size_t k = random() % 40; k > 0; --k) value += static_cast<char>(random());
        }
        out.emplace_back(names[random() % names.size()], value);
    }
    return out;
}

TEST(HeaderDecoder, GivesBackWhatNghttp2Encoded) {
    std::mt19937 random(7541);
    for (int run = 0; run < 60; ++run) {
        Deflater deflater;
        HeaderDecoder decoder(/*late=*/false);
        HeaderList list;
        for (int block = 0; block < 40; ++block) {
            const Fields fields = random_fields(random);
            ASSERT_TRUE(decoder.read(as_bytes(deflater.block(fields)), list));
            ASSERT_EQ(fields_of(list), fields);
        }
    }
}

TEST(HeaderDecoder, FollowsChangesOfTheTableSize) {
    std::mt19937 random(6);
    Deflater deflater(1U << 20);
    HeaderDecoder decoder(false);
    HeaderList list;
    for (const std::uint32_t bytes : {4096U, 0U, 100U, 60000U, 4096U}) {
        decoder.table_limit(bytes);
        deflater.table_size(bytes);
        for (int block = 0; block < 30; ++block) {
            const Fields fields = random_fields(random);
            ASSERT_TRUE(decoder.read(as_bytes(deflater.block(fields)), list)) << bytes;
            ASSERT_EQ(fields_of(list), fields);
        }
    }
}

// Every field that the late reader gives is one that was sent, in order; the others are counted as unknown. In the end
// the old entries are evicted, and only fields whose name came from them are still unknown (a name is handed down from
// entry to entry).
TEST(HpackReader, NeverGivesAWrongFieldHoweverLateItJoins) {
    std::mt19937 random(1975);
    std::size_t unknown = 0;
    for (int run = 0; run < 200; ++run) {
        Deflater deflater;
        HpackReader reader;
        for (std::size_t missed = random() % 30; missed > 0; --missed) deflater.block(random_fields(random));
        for (int block = 0; block < 90; ++block) {
            const Fields sent = random_fields(random);
            HeaderList list;
            ASSERT_TRUE(reader.read(as_bytes(deflater.block(sent)), list));
            ASSERT_EQ(list.size() + list.unknown(), sent.size());
            std::size_t at = 0;
            for (const auto& field : fields_of(list)) {
                for (; at < sent.size() && sent[at] != field; ++at) {
                    const bool static_name = !sent[at].first.starts_with("grpc-") &&
                                             !sent[at].first.starts_with("x-") && sent[at].first != "te";
                    ASSERT_TRUE(block < 80 || !static_name) << sent[at].first << " is still unknown";
                }
                ASSERT_LT(at, sent.size()) << "never sent: " << field.first << " = " << field.second;
                ++at;
            }
            unknown += list.unknown();
        }
    }
    EXPECT_GT(unknown, 0U);
}

TEST(HeaderDecoder, GoesOnAsIfLateAfterADamagedBlock) {
    Deflater deflater;
    HeaderDecoder decoder(false);
    HeaderList list;
    ASSERT_TRUE(decoder.read(as_bytes(deflater.block({{"x-kept", "1"}})), list));
    EXPECT_FALSE(decoder.read(as_bytes(from_hex("ff ff ff ff ff ff")), list));
    EXPECT_TRUE(decoder.late());
    // The entry of the first block is lost, later ones are not.
    ASSERT_TRUE(decoder.read(as_bytes(deflater.block({{"x-kept", "1"}, {"x-new", "2"}})), list));
    EXPECT_THAT(fields_of(list), ElementsAre(Pair("x-new", "2")));
    EXPECT_EQ(list.unknown(), 1U);
    ASSERT_TRUE(decoder.read(as_bytes(deflater.block({{"x-new", "2"}})), list));
    EXPECT_THAT(fields_of(list), ElementsAre(Pair("x-new", "2")));
}

TEST(HeaderList, DropsWhatIsBeyondItsLimits) {
    HeaderList list;
    for (std::size_t i = 0; i < limits::kHttpHeadersMax + 10; ++i) list.add("a", "b");
    EXPECT_EQ(list.size(), limits::kHttpHeadersMax);
    EXPECT_EQ(list.dropped(), 10U);
    list.clear();
    list.add("big", std::string(limits::kHttpHeadBytesMax, 'x'));
    list.add("small", "y");
    EXPECT_EQ(list.size(), 1U);
    EXPECT_EQ(list.find("small"), "y");
    EXPECT_EQ(list.find("big"), std::nullopt);
}

}  // namespace
}  // namespace hopscope::decode::grpc
