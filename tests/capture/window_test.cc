// The sliding window: whatever is needed, wherever reads end, the bytes are right, and recent ones are found again.
#include "capture/window.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/bytes.h"

namespace hopscope::capture {
namespace {

std::string numbered_bytes(std::size_t size) {
    std::string out(size, '\0');
    std::uint32_t state = 1;
    for (char& c : out) {
        state = state * 1664525 + 1013904223;
        c = static_cast<char>(state >> 24);
    }
    return out;
}

Window over(std::string_view bytes, std::size_t piece, const WindowSize& size) {
    return Window(std::make_unique<MemorySource>(as_bytes(bytes), piece), size);
}

TEST(Window, gives_the_stream_in_order_whatever_is_asked_for) {
    const std::string stream = numbered_bytes(700'000);
    std::mt19937 random(7);
    for (int round = 0; round < 30; ++round) {
        const WindowSize size{std::size_t{4096} << random() % 4, std::size_t{1024} << random() % 2};
        Window window = over(stream, 1 + random() % 5000, size);
        std::size_t at = 0;
        while (true) {
            const std::size_t n = random() % 20 == 0 ? random() % 60'000 : random() % 900;
            ASSERT_EQ(window.offset(), at);
            if (!window.need(n)) {
                ASSERT_EQ(window.available(), stream.size() - at) << "at the end all that is left is at hand";
                ASSERT_GT(n, window.available());
                break;
            }
            ASSERT_EQ(as_text({window.cursor(), n}), std::string_view(stream).substr(at, n));
            window.advance(n);
            at += n;
        }
    }
}

TEST(Window, recent_bytes_are_right_or_absent_never_wrong) {
    const std::string stream = numbered_bytes(600'000);
    std::mt19937 random(11);
    std::size_t found = 0, absent = 0;
    for (int round = 0; round < 30; ++round) {
        Window window = over(stream, 1 + random() % 9000, {std::size_t{16384} << random() % 2, 4096});
        for (std::size_t at = 0; window.need(1);) {
            const std::size_t n = std::min<std::size_t>(1 + random() % 3000, stream.size() - at);
            ASSERT_TRUE(window.need(n));
            window.advance(n);
            at += n;
            const std::size_t back = random() % std::min<std::size_t>(at, 50'000) + 1, want = 1 + random() % back;
            const Bytes recent = window.recent(at - back, want);
            if (recent.empty()) {
                ++absent;  // too long ago, or across the seam of two laps, where no record lies
            } else {
                ++found;
                ASSERT_EQ(as_text(recent), std::string_view(stream).substr(at - back, want));
            }
        }
    }
    EXPECT_GT(found, 1000U);
    EXPECT_GT(absent, 1000U);
}

TEST(Window, records_of_the_last_mebibyte_are_found) {
    const std::string stream = numbered_bytes(8 << 20);
    for (const std::size_t piece : {std::size_t{65536}, SIZE_MAX}) {
        Window window = over(stream, piece, {});
        std::size_t at = 0;
        constexpr std::size_t kRecord = 1500;
        constexpr std::size_t kStays =
            ((1 << 20) - 4096) / kRecord * kRecord - kRecord;  // but for page and record at the seam
        while (window.need(kRecord)) {
            window.advance(kRecord);
            at += kRecord;
            for (const std::size_t back : {kRecord, std::size_t{100} * kRecord, kStays}) {
                if (at < back) continue;
                const Bytes recent = window.recent(at - back, kRecord);
                ASSERT_EQ(recent.size(), kRecord) << "at " << at << ", " << back << " back";
                ASSERT_EQ(as_text(recent), std::string_view(stream).substr(at - back, kRecord));
            }
        }
        EXPECT_GT(at, 4 * limits::kHistoryBytes);
    }
}

TEST(Window, what_never_was_read_is_not_recent) {
    const std::string stream = numbered_bytes(10'000);
    Window window = over(stream, SIZE_MAX, {});
    EXPECT_TRUE(window.recent(0, 1).empty()) << "nothing read yet";
    ASSERT_TRUE(window.need(10'000));
    EXPECT_EQ(window.recent(0, 10'000).size(), 10'000U);
    EXPECT_TRUE(window.recent(0, 10'001).empty());
    EXPECT_TRUE(window.recent(10'000, 1).empty());
    EXPECT_TRUE(window.recent(~0ULL, 1).empty());
    EXPECT_TRUE(window.recent(5, SIZE_MAX).empty());
    EXPECT_TRUE(window.recent(~0ULL - 5, SIZE_MAX).empty());
}

TEST(Window, a_record_larger_than_the_ring_is_contiguous_and_the_ring_shrinks_again) {
    const std::string stream = numbered_bytes(1'000'000);
    Window window = over(stream, 3000, {8192, 4096});
    ASSERT_TRUE(window.need(100));
    window.advance(100);
    ASSERT_TRUE(window.need(500'000));
    EXPECT_EQ(as_text({window.cursor(), 500'000}), std::string_view(stream).substr(100, 500'000));
    window.advance(500'000);
    for (std::size_t at = 500'100; at + 1000 <= stream.size(); at += 1000) {
        ASSERT_TRUE(window.need(1000));
        ASSERT_EQ(as_text({window.cursor(), 1000}), std::string_view(stream).substr(at, 1000));
        window.advance(1000);
    }
    EXPECT_TRUE(window.recent(400'000, 1000).empty()) << "the large ring is gone";
}

TEST(Window, does_not_wait_for_more_than_is_needed) {
    // A source that gives ten bytes and must not be asked again, as a pipe whose writer is still thinking.
    class TenBytes final : public ByteSource {
    public:
        std::size_t read(std::uint8_t* out, std::size_t) override {
            EXPECT_EQ(++calls_, 1);
            std::fill_n(out, 10, std::uint8_t{1});
            return 10;
        }
        [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
        [[nodiscard]] std::uint64_t file_bytes() const override { return 0; }

    private:
        int calls_ = 0;
        SourceEnd ending_;
    };
    Window window(std::make_unique<TenBytes>());
    EXPECT_TRUE(window.need(4));
    EXPECT_TRUE(window.need(10));
}

TEST(Window, refuses_what_is_beyond_the_limit_of_a_record) {
    const std::string stream = numbered_bytes(1000);
    Window window = over(stream, SIZE_MAX, {});
    EXPECT_FALSE(window.need(limits::kRecordBytesMax * 2));
    EXPECT_TRUE(window.need(1000)) << "and has read nothing for it";
}

}  // namespace
}  // namespace hopscope::capture
