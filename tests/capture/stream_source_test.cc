#include "capture/stream_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace hopscope::capture {
namespace {

std::string grpc(const std::string& name) {
    return std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures/grpc/" + name;
}

TEST(StreamIndex, gives_every_byte_in_order_of_time) {
    for (const char* name : {"exec_exit3", "dockerapi", "grpc_misc"}) {
        auto source = open_stream_index(grpc(std::string(name) + ".grpc.index.jsonl"), 3);
        ASSERT_TRUE(source) << source.error().why;
        std::map<std::pair<std::uint64_t, Direction>, std::string> bytes;
        std::size_t ends = 0;
        Timestamp last{};
        StreamChunk chunk;
        while ((*source)->next(chunk)) {
            EXPECT_GE(chunk.at, last);
            EXPECT_EQ(chunk.file, 3);
            EXPECT_GT(chunk.client_pid, 0U);
            last = chunk.at;
            std::string& all = bytes[{chunk.connection, chunk.direction}];
            EXPECT_EQ(chunk.offset, all.size());
            all += as_text(chunk.bytes);
            ends += chunk.end ? 1 : 0;
        }
        EXPECT_EQ((*source)->trouble(), "");
        EXPECT_GT(ends, 0U);
        for (const auto& [key, all] : bytes) {
            const std::string file = grpc(std::string(name) + ".c" + std::to_string(key.first) + ".grpc." +
                                          (key.second == Direction::to_server ? "c2s" : "s2c"));
            EXPECT_EQ(all.size(), std::filesystem::file_size(file)) << file;
        }
    }
}

TEST(StreamIndex, says_what_is_missing_and_goes_on) {
    const std::string folder = testing::TempDir() + "hopscope-streams/";
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "x.raw.index.jsonl")
        << "{\"t\":1,\"conn\":1,\"dir\":\"c2s\",\"off\":0,\"len\":10}\nnonsense\n[]\n"
           "{\"t\":2,\"conn\":9,\"dir\":\"s2c\",\"off\":0,\"len\":5}\n{\"t\":3,\"conn\":1,\"dir\":\"c2s\",\"eof\":true,"
           "\"total\":4}\n";
    std::ofstream(folder + "x.c1.raw.c2s") << "abcd";
    auto source = open_stream_index(folder + "x.raw.index.jsonl", 0);
    ASSERT_TRUE(source);
    StreamChunk chunk;
    ASSERT_TRUE((*source)->next(chunk));
    EXPECT_EQ(as_text(chunk.bytes), "abcd");
    ASSERT_TRUE((*source)->next(chunk));
    EXPECT_TRUE(chunk.end);
    EXPECT_FALSE((*source)->next(chunk));
    EXPECT_NE((*source)->trouble(), "");
    EXPECT_FALSE(open_stream_index(folder + "none.index.jsonl", 0));
}

TEST(UnixPdu, what_was_written_is_read) {
    const std::string payload = "PRI * HTTP/2.0";
    StreamChunk chunk{.connection = 7,
                      .direction = Direction::to_client,
                      .at = {5},
                      .offset = 1ULL << 40,
                      .bytes = as_bytes(payload),
                      .end = true};
    chunk.server = {"/run/containerd/containerd.sock", 108790};
    chunk.client_inode = 108791;
    chunk.client_pid = 8483;
    chunk.server_pid = 2685;
    const std::string record = encode_unix_pdu(chunk, "http2", true);
    StreamChunk back;
    ASSERT_TRUE(decode_unix_pdu(
        Packet{.at = {5}, .link_type = LinkType::upper_pdu, .bytes = as_bytes(record), .frame = 2}, back));
    EXPECT_EQ(back.connection, 7U);
    EXPECT_EQ(back.direction, Direction::to_client);
    EXPECT_EQ(back.offset, 1ULL << 40);
    EXPECT_TRUE(back.end);
    EXPECT_EQ(back.server, chunk.server);
    EXPECT_EQ(back.client_inode, 108791U);
    EXPECT_EQ(back.client_pid, 8483U);
    EXPECT_EQ(back.server_pid, 2685U);
    EXPECT_EQ(as_text(back.bytes), payload);
    EXPECT_EQ(back.frame, 2U);
}

TEST(UnixPdu, a_damaged_record_is_refused) {
    const std::string record = encode_unix_pdu({.connection = 1, .bytes = as_bytes("x")}, "data", false);
    StreamChunk chunk;
    for (std::size_t size = 0; size + 1 < record.size(); ++size) {
        const bool taken = decode_unix_pdu(Packet{.bytes = as_bytes(record).first(size)}, chunk);
        EXPECT_TRUE(!taken || chunk.bytes.empty()) << size;
    }
    const std::string noise(64, '\x7f');
    EXPECT_FALSE(decode_unix_pdu(Packet{.bytes = as_bytes(noise)}, chunk));
}

}  // namespace
}  // namespace hopscope::capture
