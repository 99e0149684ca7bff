// Frame headers, and where a frame begins in the middle of a stream.
#include "decode/grpc/frame.h"

#include <gtest/gtest.h>

#include <random>

#include "support/cut_anywhere.h"
#include "wire.h"

namespace hopscope::decode::grpc {
namespace {

using tests::data;
using tests::frame;
using tests::from_hex;
using tests::grpc_message;
using tests::ping;

FrameHeader header_of(std::string_view hex) {
    const std::string bytes = from_hex(hex);
    return read_frame_header(as_bytes(bytes).data());
}

TEST(FrameHeader, IsNineBytesWithAReservedBit) {
    const FrameHeader h = header_of("010203 01 25 80000005");
    EXPECT_EQ(h.length, 0x010203U);
    EXPECT_EQ(h.type, frame_type::headers);
    EXPECT_TRUE(h.has(frame_flag::end_headers));
    EXPECT_TRUE(h.has(frame_flag::priority));
    EXPECT_FALSE(h.has(frame_flag::padded));
    EXPECT_EQ(h.stream, 5U);
}

TEST(FrameHeader, HasFaultsThatTheRfcCallsConnectionErrors) {
    const auto faulty = [](std::string_view hex) { return !fault_of(header_of(hex)).empty(); };
    EXPECT_TRUE(faulty("000001 00 00 00000000"));   // DATA on stream 0
    EXPECT_TRUE(faulty("000007 06 00 00000000"));   // PING of 7 bytes
    EXPECT_TRUE(faulty("000008 06 00 00000001"));   // PING on a stream
    EXPECT_TRUE(faulty("000005 04 00 00000000"));   // SETTINGS of 5 bytes
    EXPECT_TRUE(faulty("000006 04 01 00000000"));   // SETTINGS with ACK and a payload
    EXPECT_TRUE(faulty("000003 03 00 00000001"));   // RST_STREAM of 3 bytes
    EXPECT_TRUE(faulty("000004 07 00 00000000"));   // GOAWAY of 4 bytes
    EXPECT_FALSE(faulty("000008 06 01 00000000"));  // PING with ACK
    EXPECT_FALSE(faulty("0000ff 20 ff 7fffffff"));  // of a type that is not known: ignored
}

TEST(Boundary, IsFoundBehindTheRestOfAFrame) {
    const std::string rest = "the end of some payload";
    const std::string frames = data(5, grpc_message("body")) + ping();
    const Boundary b = find_boundary(as_bytes(rest + frames));
    EXPECT_TRUE(b.found);
    EXPECT_EQ(b.skip, rest.size());
}

TEST(Boundary, NeedsMoreThanOneOrdinaryFrame) {
    // WINDOW_UPDATE, WINDOW_UPDATE: two points; a third frame decides.
    const std::string update = frame(8, 0, 0, from_hex("00000005"));
    EXPECT_FALSE(find_boundary(as_bytes(update + update)).found);
    EXPECT_EQ(find_boundary(as_bytes(update + update)).skip, 0U);
    EXPECT_TRUE(find_boundary(as_bytes(update + update + update)).found);
}

TEST(Boundary, IsNotBelievedAfterASingleFrameThatFits) {
    const Boundary b = find_boundary(as_bytes(data(1, grpc_message("body"))));
    EXPECT_FALSE(b.found);
    EXPECT_EQ(b.skip, 0U);
}

TEST(Boundary, IsNoContinuationWithoutItsBeginning) {
    const std::string orphan = frame(9, 4, 3, "rest of a block");
    const Boundary b = find_boundary(as_bytes(orphan + ping() + ping()));
    EXPECT_TRUE(b.found);
    EXPECT_EQ(b.skip, orphan.size());
}

TEST(Boundary, DoesNotWaitForAFrameThatMayBeNone) {
    // PING, one byte into it: looks like a DATA frame of 2054 bytes on stream 49.
    const std::string rest = frame(6, 0, 0, "1 byte..").substr(1);
    const Boundary b = find_boundary(as_bytes(rest + ping() + ping()));
    EXPECT_TRUE(b.found);
    EXPECT_EQ(b.skip, rest.size());
}

TEST(Boundary, IsNotFoundInZeros) {
    const std::string zeros(5000, '\0');
    const Boundary b = find_boundary(as_bytes(zeros));
    EXPECT_FALSE(b.found);
    EXPECT_GE(b.skip, zeros.size() - kFrameHeaderBytes);
}

TEST(Boundary, IsNotFoundInTextOrNoise) {
    std::mt19937 random(9113);
    std::string noise;
    for (int i = 0; i < 400'000; ++i) noise += static_cast<char>(random());
    for (std::size_t at = 0; at < noise.size();) {
        const Boundary b = find_boundary(as_bytes(noise).subspan(at));
        ASSERT_FALSE(b.found) << at + b.skip;
        // Undecided at one place: go on behind it, as if the frame there had turned out wrong.
        at += b.skip + 1;
    }
}

TEST(Boundary, DoesNotDependOnTheCut) {
    std::mt19937 random(1);
    std::string bytes;
    for (int i = 0; i < 3000; ++i) bytes += static_cast<char>(random() % 4 == 0 ? random() : 0);
    bytes += data(7, grpc_message(std::string(300, 'b'))) + frame(1, 5, 7, "trailers") + ping();
    // What looks like a frame among the zeros is refuted by what stands where it would end.
    for (int i = 0; i < 6; ++i) bytes += data(9, grpc_message(std::string(12'000, 'c')));
    const Boundary whole = find_boundary(as_bytes(bytes));
    ASSERT_TRUE(whole.found);
    // Grown byte by byte, skipping what is ruled out: the same place.
    std::size_t skipped = 0;
    for (std::size_t end = 1; end <= bytes.size(); ++end) {
        const Boundary b = find_boundary(as_bytes(bytes).subspan(skipped, end - skipped));
        skipped += b.skip;
        if (b.found) break;
    }
    EXPECT_EQ(skipped, whole.skip);
}

}  // namespace
}  // namespace hopscope::decode::grpc
