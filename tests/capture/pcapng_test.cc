// pcapng: sections, interfaces, times, blocks that are read, passed over or damaged.
#include <gmock/gmock.h>

#include <array>

#include "capture/capture_builder.h"

namespace hopscope::capture::test {
namespace {

using namespace pcapng;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 1'795'000'000;          // in 2026
constexpr std::uint64_t kNowMicro = kNow * 1'000'000;  // the default resolution

TEST(Pcapng, both_byte_orders_and_three_kinds_of_packet_block_give_the_same) {
    for (const bool big : {false, true}) {
        SCOPED_TRACE(big ? "big-endian" : "little-endian");
        PcapngFile file(big);
        file.section()
            .interface(1, 0)
            .packet(0, kNowMicro + 1, "enhanced", {}, 900)
            .obsolete_packet(0, kNowMicro + 2, "obsolete")
            .simple_packet("simple!")
            .packet(0, kNowMicro + 3, "");
        const WholeRead read = read_bytes(file.bytes);
        ASSERT_EQ(read.error_code, "") << read.error_why;
        EXPECT_THAT(read.notes, IsEmpty());
        ASSERT_THAT(read.payloads(), ElementsAre("enhanced", "obsolete", "simple!", ""));
        EXPECT_EQ(read.packets[0].ns, static_cast<std::int64_t>(kNow) * kSecond + 1000);
        EXPECT_EQ(read.packets[0].wire_length, 900U);
        EXPECT_EQ(read.packets[1].ns, static_cast<std::int64_t>(kNow) * kSecond + 2000);
        EXPECT_EQ(read.packets[2].ns, read.packets[1].ns) << "a simple packet takes the time of the one before";
        EXPECT_EQ(read.packets[3].frame, 4U);
        EXPECT_EQ(file.bytes.substr(read.packets[0].position - 1, 8), "enhanced");
        EXPECT_EQ(read.files.at(0).format, "pcapng");
        EXPECT_EQ(read.files.at(0).packets, 4U);
        EXPECT_FALSE(read.may_hold_copies);
    }
}

TEST(Pcapng, sections_have_their_own_byte_order_and_interfaces_are_numbered_on) {
    PcapngFile file(false);
    file.section()
        .interface(1, 96, file.option(kOptionName, "lo") + file.end_of_options())
        .interface(113)
        .packet(1, kNowMicro, "one");
    file.section(true).interface(276, 64, file.option(kOptionName, "any")).packet(0, kNowMicro, "two");
    file.section(false).interface(101).packet(0, kNowMicro, "three");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.notes, IsEmpty());
    ASSERT_THAT(read.payloads(), ElementsAre("one", "two", "three"));
    EXPECT_EQ(read.packets[0].interface, 1U);
    EXPECT_EQ(read.packets[0].link_type, 113U);
    EXPECT_EQ(read.packets[1].interface, 2U);
    EXPECT_EQ(read.packets[1].link_type, 276U);
    EXPECT_EQ(read.packets[2].interface, 3U);
    const auto& interfaces = read.files.at(0).interfaces;
    ASSERT_THAT(interfaces, SizeIs(4));
    EXPECT_EQ(interfaces[0].name, "lo");
    EXPECT_EQ(interfaces[0].snaplen, 96U);
    EXPECT_EQ(interfaces[2].name, "any");
    EXPECT_TRUE(read.may_hold_copies_at_once);
}

TEST(Pcapng, whether_packets_may_be_there_twice_is_known_before_the_first) {
    PcapngFile one(true), two, cooked, late;
    EXPECT_FALSE(read_bytes(one.section().interface().packet(0, 1, "x").bytes).may_hold_copies_at_once);
    EXPECT_TRUE(read_bytes(two.section().interface().interface().packet(0, 1, "x").bytes).may_hold_copies_at_once);
    EXPECT_TRUE(read_bytes(cooked.section(true).interface(276).packet(0, 1, "x").bytes).may_hold_copies_at_once);
    const WholeRead read = read_bytes(late.section().interface().packet(0, 1, "x").interface().packet(1, 2, "y").bytes);
    EXPECT_FALSE(read.may_hold_copies_at_once);
    EXPECT_TRUE(read.may_hold_copies);
}

TEST(Pcapng, a_section_header_alone_is_an_empty_capture) {
    PcapngFile file;
    const WholeRead read = read_bytes(file.section().bytes);
    EXPECT_EQ(read.error_code, "");
    EXPECT_THAT(read.packets, IsEmpty());
    EXPECT_THAT(read.notes, IsEmpty());
}

TEST(Pcapng, simple_packets_end_at_the_snaplen) {
    PcapngFile file;
    file.section().interface(1, 5);
    file.block(kSimplePacket, file.u32(1500) + "12345678");
    file.block(kSimplePacket, file.u32(3) + "123\xff");
    const WholeRead read = read_bytes(file.bytes);
    ASSERT_THAT(read.payloads(), ElementsAre("12345", "123"));
    EXPECT_EQ(read.packets[0].wire_length, 1500U);
    EXPECT_EQ(read.packets[0].ns, 0) << "no packet with a time came before";
}

// ---- time

struct Resolution {
    const char* says;
    int tsresol;
    std::uint64_t ticks;
    std::int64_t ns;
};

TEST(Pcapng, time_resolutions) {
    const Resolution table[] = {
        {"seconds", 0, kNow, static_cast<std::int64_t>(kNow) * kSecond},
        {"milliseconds", 3, kNow * 1000 + 7, static_cast<std::int64_t>(kNow) * kSecond + 7'000'000},
        {"microseconds", 6, kNowMicro + 7, static_cast<std::int64_t>(kNow) * kSecond + 7000},
        {"nanoseconds", 9, kNow * 1'000'000'000 + 7, static_cast<std::int64_t>(kNow) * kSecond + 7},
        {"tenths of nanoseconds", 10, kNow * 10'000'000'000ULL + 79, static_cast<std::int64_t>(kNow) * kSecond + 7},
        {"10^-19 s: barely two seconds since 1970", 19, 15'000'000'000'000'000'000ULL, 1'500'000'000},
        {"2^0 s", 0x80, kNow, static_cast<std::int64_t>(kNow) * kSecond},
        {"2^-10 s", 0x80 | 10, (kNow << 10) + 512, static_cast<std::int64_t>(kNow) * kSecond + 500'000'000},
        {"2^-32 s", 0x80 | 32, (kNow << 32) + (1ULL << 31), static_cast<std::int64_t>(kNow) * kSecond + 500'000'000},
        {"2^-63 s", 0x80 | 63, ~0ULL, 1'999'999'999},
    };
    for (const Resolution& r : table) {
        for (const bool big : {false, true}) {
            SCOPED_TRACE(r.says);
            PcapngFile file(big);
            file.section()
                .interface(1, 0, file.option(kOptionTimeResolution, std::string(1, static_cast<char>(r.tsresol))))
                .packet(0, r.ticks, "x");
            const WholeRead read = read_bytes(file.bytes);
            EXPECT_THAT(read.notes, IsEmpty());
            ASSERT_THAT(read.packets, SizeIs(1));
            EXPECT_EQ(read.packets[0].ns, r.ns);
        }
    }
}

TEST(Pcapng, senseless_time_resolutions_are_told_and_taken_as_microseconds) {
    for (const std::string& value : {std::string(1, '\x14'), std::string(1, '\x7f'), std::string(1, '\xff'),
                                     std::string(1, '\xc0'), std::string("\x06\x00", 2), std::string()}) {
        PcapngFile file;
        file.section().interface(1, 0, file.option(kOptionTimeResolution, value)).packet(0, kNowMicro, "x");
        const WholeRead read = read_bytes(file.bytes);
        EXPECT_THAT(read.codes(), ElementsAre("CAP-13"));
        ASSERT_THAT(read.packets, SizeIs(1));
        EXPECT_EQ(read.packets[0].ns, static_cast<std::int64_t>(kNow) * kSecond);
    }
}

TEST(Pcapng, time_offsets_are_added_to_every_packet) {
    for (const bool big : {false, true}) {
        PcapngFile file(big);
        file.section().interface(
            1, 0, file.option(kOptionTimeOffset, file.u64(kNow)) + file.option(kOptionTimeResolution, "\x09"));
        file.interface(1, 0, file.option(kOptionTimeOffset, file.u64(static_cast<std::uint64_t>(-100))));
        file.packet(0, 5, "x").packet(1, kNowMicro, "y").packet(1, 1, "before 1970");
        const WholeRead read = read_bytes(file.bytes);
        EXPECT_THAT(read.notes, IsEmpty());
        ASSERT_THAT(read.packets, SizeIs(3));
        EXPECT_EQ(read.packets[0].ns, static_cast<std::int64_t>(kNow) * kSecond + 5);
        EXPECT_EQ(read.packets[1].ns, static_cast<std::int64_t>(kNow - 100) * kSecond);
        EXPECT_EQ(read.packets[2].ns, -100 * kSecond + 1000);
    }
}

TEST(Pcapng, impossible_times_are_told_once_per_interface_and_take_the_time_before) {
    PcapngFile file;
    file.section().interface().interface(1, 0, file.option(kOptionTimeOffset, file.u64(1ULL << 62)));
    file.packet(0, kNowMicro, "a")
        .packet(0, ~0ULL, "b")
        .packet(0, ~0ULL, "c")
        .packet(0, kNowMicro + 1, "d")
        .packet(1, kNowMicro, "e");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.payloads(), ElementsAre("a", "b", "c", "d", "e"));
    EXPECT_EQ(read.packets[2].ns, read.packets[0].ns);
    EXPECT_EQ(read.packets[3].ns, read.packets[0].ns + 1000);
    EXPECT_EQ(read.packets[4].ns, read.packets[0].ns) << "the impossible offset is ignored";
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13", "CAP-13"));
    EXPECT_THAT(read.notes.at(0).text, HasSubstr("time offset"));
    EXPECT_THAT(read.notes.at(1).text, HasSubstr("year 2262"));
}

// ---- notes

TEST(Pcapng, comments_secrets_and_drops_are_told_before_the_packet_they_precede) {
    for (const bool big : {false, true}) {
        PcapngFile file(big);
        file.section(file.option(kOptionComment, "of the section") + file.end_of_options());
        file.interface(1, 0, file.option(kOptionComment, "of the interface"));
        file.secrets(kTlsKeyLog, "CLIENT_RANDOM 00 11\n");
        file.secrets(0x57474b4c, "not for us").block(kNameResolution, file.u32(0));
        file.packet(0, kNowMicro, "x",
                    file.option(kOptionComment, "first of one") + file.option(2, "\0\0\0\1") +
                        file.option(kOptionComment, "second of one"));
        file.packet(0, kNowMicro, "abcd",
                    file.option(kOptionComment, "of two") + file.option(kOptionDropCount, file.u64(5)));
        file.statistics(0, file.option(kOptionReceived, file.u64(99)) +
                               file.option(kOptionInterfaceDrops, file.u64(5)) +
                               file.option(kOptionSystemDrops, file.u64(2)));
        file.statistics(0,
                        file.option(kOptionInterfaceDrops, file.u64(6)) + file.option(kOptionSystemDrops, file.u64(2)));
        file.statistics(0, file.option(kOptionInterfaceDrops, file.u64(6)));
        const WholeRead read = read_bytes(file.bytes);
        using Kind = FileNote::Kind;
        EXPECT_THAT(read.notes,
                    ElementsAre(KeptNote{Kind::comment, 1, "", "of the section", 0},
                                KeptNote{Kind::comment, 1, "", "of the interface", 0},
                                KeptNote{Kind::secrets, 1, "", "CLIENT_RANDOM 00 11\n", 0},
                                KeptNote{Kind::comment, 1, "", "first of one", 0},
                                KeptNote{Kind::comment, 1, "", "second of one", 0},
                                KeptNote{Kind::comment, 2, "", "of two", 0}, KeptNote{Kind::drops, 2, "", "", 5},
                                KeptNote{Kind::drops, 3, "", "", 2}, KeptNote{Kind::drops, 3, "", "", 1}));
        EXPECT_EQ(read.lost_bytes, 0U);
    }
}

TEST(Pcapng, hostile_names_and_comments_come_as_they_are) {
    const std::string hostile("\x1b]0;owned\x07\0\xff\n", 13);
    PcapngFile file;
    file.section(file.option(kOptionComment, hostile))
        .interface(147, 0, file.option(kOptionName, hostile))
        .packet(0, 1, "x");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_EQ(read.files.at(0).interfaces.at(0).name, hostile);
    EXPECT_THAT(read.texts(FileNote::Kind::comment), ElementsAre(hostile));
    EXPECT_THAT(read.texts(FileNote::Kind::trouble), ElementsAre(HasSubstr(hostile)));
}

TEST(Pcapng, frames_are_numbered_as_wireshark_does) {
    // tshark 4.0.17: journal and custom blocks are frames of their own, all others are not.
    PcapngFile file;
    file.section().interface().packet(0, kNowMicro, "1");
    file.block(kSystemdJournal, "MESSAGE=hi\n\n")
        .block(kCustom, file.u32(12345))
        .block(kCustomCopyable, file.u32(12345))
        .packet(0, kNowMicro, "5");
    file.block(kNameResolution, "")
        .block(kIrigTimestamp, "1234")
        .block(kArincAfdx, "1234")
        .block(kDarwinProcess, "1234")
        .statistics(0, "")
        .packet(0, kNowMicro, "6");
    const WholeRead read = read_bytes(file.bytes);
    ASSERT_THAT(read.payloads(), ElementsAre("1", "5", "6"));
    EXPECT_EQ(read.packets[1].frame, 5U);
    EXPECT_EQ(read.packets[2].frame, 6U);
    EXPECT_EQ(read.files.at(0).packets, 3U);
    EXPECT_THAT(read.notes, IsEmpty());
    EXPECT_EQ(read.lost_bytes, 0U);
}

// ---- trouble

TEST(Pcapng, unknown_blocks_are_told_once_per_type_and_counted) {
    PcapngFile file;
    file.section()
        .interface()
        .block(0x7777, "1234")
        .packet(0, kNowMicro, "a")
        .block(0x7777, "1234")
        .block(0x80007777, "")
        .packet(0, kNowMicro, "b");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.payloads(), ElementsAre("a", "b"));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-15", "CAP-15"));
    EXPECT_THAT(read.notes.at(0).text, HasSubstr("0x00007777 after frame 0"));
    EXPECT_EQ(read.lost_bytes, 16U + 16 + 12);
}

TEST(Pcapng, unknown_link_types_are_told_once_per_interface_that_has_packets) {
    PcapngFile file;
    file.section().interface(147, 0, file.option(kOptionName, "usb0")).interface(148).interface(149);
    file.packet(0, 1, "a").packet(0, 1, "b").packet(2, 1, "c");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.packets, SizeIs(3));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-14", "CAP-14"));
    EXPECT_THAT(read.notes.at(0).text, AllOf(HasSubstr("'usb0'"), HasSubstr("147")));
    EXPECT_THAT(read.notes.at(1).text, HasSubstr("149"));
}

TEST(Pcapng, packets_of_an_interface_that_was_never_described_are_lost_and_told_once_per_section) {
    PcapngFile file;
    file.section()
        .packet(0, 1, "no interface")
        .simple_packet("neither")
        .interface()
        .packet(1, 1, "there is only 0")
        .packet(0, 1, "good");
    file.section().packet(0, 1, "that was in the other section").interface().packet(0, 2, "good, too");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.payloads(), ElementsAre("good", "good, too"));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13", "CAP-13"));
    EXPECT_EQ(read.lost_bytes, (32U + 12) + (16 + 8) + (32 + 16) + (32 + 32));
}

struct Damage {
    const char* says;
    std::function<void(PcapngFile&)> middle;
    std::uint64_t lost;
};

TEST(Pcapng, goes_on_behind_damage) {
    const auto block_with = [](PcapngFile& f, std::uint32_t first, std::uint32_t last) {
        f.bytes += f.u32(kEnhancedPacket) + f.u32(first) + f.u32(0) + f.u64(0) + f.u32(8) + f.u32(8) + "8 bytes." +
                   f.u32(last);
    };
    const Damage damages[] = {
        {"a length of zero", [&](PcapngFile& f) { block_with(f, 0, 40); }, 40},
        {"a length below the least", [&](PcapngFile& f) { block_with(f, 28, 40); }, 40},
        {"a length that is not a multiple of four", [&](PcapngFile& f) { block_with(f, 41, 41); }, 40},
        {"a length above all limits", [&](PcapngFile& f) { block_with(f, 0xfffffffc, 40); }, 40},
        {"a length beyond the file", [&](PcapngFile& f) { block_with(f, 100'000, 40); }, 40},
        {"a length into the next block", [&](PcapngFile& f) { block_with(f, 48, 40); }, 40},
        {"a wrong length at the end", [&](PcapngFile& f) { block_with(f, 40, 44); }, 40},
        {"zeros", [&](PcapngFile& f) { f.bytes += std::string(100, '\0'); }, 100},
        {"bytes that shift everything", [&](PcapngFile& f) { f.bytes += "odd"; }, 3},
        {"a section whose byte order is neither",
         [&](PcapngFile& f) { f.block(kSectionHeader, f.u32(0x12345678) + f.u32(1) + f.u64(~0ULL)); }, 28},
        {"more bytes captured than the block has",
         [&](PcapngFile& f) { f.block(kEnhancedPacket, f.u32(0) + f.u64(0) + f.u32(9) + f.u32(9) + "8 bytes."); }, 40},
        {"the same in an obsolete block",
         [&](PcapngFile& f) { f.block(kPacket, f.u32(0) + f.u64(0) + f.u32(0xffffffff) + f.u32(9) + "8 bytes."); }, 40},
        {"more secrets than the block has",
         [&](PcapngFile& f) { f.block(kDecryptionSecrets, f.u32(kTlsKeyLog) + f.u32(9) + "8 bytes."); }, 28},
        {"statistics of no interface", [&](PcapngFile& f) { f.statistics(7, ""); }, 24},
        {"an option longer than its block", [&](PcapngFile& f) { f.statistics(0, f.u16(1) + f.u16(500)); }, 0},
    };
    for (const Damage& damage : damages) {
        for (const bool big : {false, true}) {
            SCOPED_TRACE(std::string(damage.says) + (big ? ", big-endian" : ""));
            PcapngFile file(big);
            file.section().interface().packet(0, kNowMicro, filled(60, 1)).packet(0, kNowMicro + 1, filled(61, 2));
            damage.middle(file);
            file.packet(0, kNowMicro + 2, filled(62, 3)).packet(0, kNowMicro + 3, filled(63, 4));
            const WholeRead read = read_bytes(file.bytes);
            EXPECT_THAT(read.payloads(), ElementsAre(filled(60, 1), filled(61, 2), filled(62, 3), filled(63, 4)));
            EXPECT_THAT(read.codes(), ElementsAre("CAP-13"));
            EXPECT_EQ(read.notes.at(0).frame, 3U);
            EXPECT_EQ(read.lost_bytes, damage.lost);
            EXPECT_FALSE(read.files.at(0).cut_off);
        }
    }
}

TEST(Pcapng, cut_anywhere_in_a_block_is_told_with_the_frame_before) {
    PcapngFile file(true);
    file.section().interface().packet(0, kNowMicro, filled(30, 1));
    const std::size_t first_ends = file.bytes.size();
    file.packet(0, kNowMicro, filled(30, 2));
    for (std::size_t size = first_ends + 1; size < file.bytes.size(); ++size) {
        SCOPED_TRACE(size);
        const WholeRead read = read_bytes(std::string_view(file.bytes).substr(0, size));
        EXPECT_THAT(read.packets, SizeIs(1));
        ASSERT_THAT(read.codes(), ElementsAre("CAP-11"));
        EXPECT_THAT(read.notes[0].text,
                    HasSubstr("is cut off after frame 1 (" + std::to_string(size) + " bytes read)"));
        EXPECT_EQ(read.lost_bytes, size - first_ends);
        EXPECT_TRUE(read.files.at(0).cut_off);
    }
}

TEST(Pcapng, damage_at_the_very_beginning_is_no_capture) {
    PcapngFile file;
    file.section().interface();
    for (std::size_t size = 4; size < 28; ++size)
        EXPECT_EQ(read_bytes(std::string_view(file.bytes).substr(0, size)).error_code, "CAP-12");
    std::string damaged = file.bytes;
    damaged[9] = '?';
    EXPECT_THAT(read_bytes(damaged).error_why, HasSubstr("byte-order mark is damaged"));
}

TEST(Pcapng, interfaces_beyond_the_limit_are_told_and_their_packets_lost) {
    PcapngFile file;
    file.section();
    for (std::size_t i = 0; i <= limits::kInterfacesMax; ++i) file.interface();
    file.packet(limits::kInterfacesMax - 1, 1, "last one").packet(limits::kInterfacesMax, 1, "one too many");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.payloads(), ElementsAre("last one"));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13", "CAP-13"));
    EXPECT_THAT(read.files.at(0).interfaces, SizeIs(limits::kInterfacesMax));
}

TEST(Pcapng, another_version_is_told_and_read) {
    PcapngFile file;
    file.block(kSectionHeader, file.u32(kByteOrderMagic) + file.u16(2) + file.u16(7) + file.u64(~0ULL))
        .interface()
        .packet(0, 1, "x");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.packets, SizeIs(1));
    EXPECT_THAT(read.texts(FileNote::Kind::trouble), ElementsAre(HasSubstr("version 2.7")));
}

TEST(Pcapng, bytes_that_come_in_any_pieces_give_the_same) {
    PcapngFile file;
    file.section(file.option(kOptionComment, "c"))
        .interface(1, 0, file.option(kOptionTimeResolution, "\x09"))
        .interface(113);
    for (unsigned i = 0; i < 50; ++i)
        file.packet(i % 2, kNow * 1'000'000'000 + i, filled(i * 97, i),
                    i % 7 == 0 ? file.option(kOptionComment, "seven") : std::string());
    file.secrets(kTlsKeyLog, filled(300'000, 3));
    file.bytes += filled(5000, 4);
    file.section(true)
        .interface(1)
        .packet(0, kNowMicro, filled(400'000, 5))
        .packet(0, kNowMicro, filled(3, 6))
        .simple_packet(filled(7, 7));
    file.bytes.resize(file.bytes.size() - 3);
    const WholeRead whole = read_bytes(file.bytes);
    EXPECT_THAT(whole.packets, SizeIs(52));
    for (const std::size_t piece : {1, 7, 4096, 65536, 262144}) {
        for (const WindowSize& size :
             {WindowSize{}, WindowSize{limits::kHistoryBytesMerged, limits::kMergedReadBlockBytes},
              WindowSize{8192, 4096}}) {
            SCOPED_TRACE(piece);
            const WholeRead cut = read_bytes(file.bytes, piece, size);
            EXPECT_EQ(cut.packets, whole.packets);
            EXPECT_EQ(cut.notes, whole.notes);
            EXPECT_EQ(cut.lost_bytes, whole.lost_bytes);
        }
    }
}

}  // namespace
}  // namespace hopscope::capture::test
