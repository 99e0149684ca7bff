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
    const UnixRecord read =
        decode_unix_record(Packet{.at = {5}, .link_type = LinkType::upper_pdu, .bytes = as_bytes(record), .frame = 2});
    ASSERT_TRUE(std::holds_alternative<StreamChunk>(read));
    const StreamChunk& back = std::get<StreamChunk>(read);
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
    for (std::size_t size = 0; size + 1 < record.size(); ++size) {
        const UnixRecord read = decode_unix_record(Packet{.bytes = as_bytes(record).first(size)});
        const auto* chunk = std::get_if<StreamChunk>(&read);
        EXPECT_TRUE(!chunk || chunk->bytes.empty()) << size;
    }
    const std::string noise(64, '\x7f');
    EXPECT_TRUE(std::holds_alternative<std::monostate>(decode_unix_record(Packet{.bytes = as_bytes(noise)})));
}

TEST(UnixPdu, process_events_and_what_is_there_are_read_back) {
    const auto read = [](const std::string& record) {
        return decode_unix_record(Packet{.at = {9}, .link_type = LinkType::upper_pdu, .bytes = as_bytes(record)});
    };
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::exec;
    event.process = {17801, 1ULL << 40};
    event.parent_pid = 17784;
    event.comm = Untrusted("sh");
    event.filename = Untrusted("/bin/busybox");
    for (const char* word : {"sh", "", "-c", "echo \xff a"}) event.cmdline.emplace_back(word);
    event.cgroup_names = {Untrusted("cri-containerd-34ad.scope"), Untrusted("kubepods")};
    const UnixRecord started = read(encode_unix_pdu(event));
    ASSERT_TRUE(std::holds_alternative<ProcessEvent>(started));
    const auto& back = std::get<ProcessEvent>(started);
    EXPECT_EQ(back.at.ns, 9);
    EXPECT_EQ(back.process, event.process);
    EXPECT_EQ(back.parent_pid, 17784U);
    EXPECT_EQ(back.filename, event.filename);
    EXPECT_EQ(back.cmdline, event.cmdline);
    EXPECT_EQ(back.cgroup_names, event.cgroup_names);
    event.kind = ProcessEvent::Kind::exit;
    event.exit_code = 137;
    const UnixRecord ended = read(encode_unix_pdu(event));
    ASSERT_TRUE(std::holds_alternative<ProcessEvent>(ended));
    EXPECT_EQ(std::get<ProcessEvent>(ended).kind, ProcessEvent::Kind::exit);
    EXPECT_EQ(std::get<ProcessEvent>(ended).exit_code, 137);
    event.kind = ProcessEvent::Kind::fork;
    EXPECT_EQ(std::get<ProcessEvent>(read(encode_unix_pdu(event))).kind, ProcessEvent::Kind::fork);

    Process process;
    process.id = {2685, 77};
    process.parent_pid = 1;
    process.comm = Untrusted("containerd");
    process.exe = Untrusted("/usr/bin/containerd");
    process.container_id = Untrusted(std::string(64, 'a'));
    process.role = ProcessRole::containerd;
    process.net_namespace = 4026531840;
    const UnixRecord there = read(encode_unix_pdu(process));
    ASSERT_TRUE(std::holds_alternative<Process>(there));
    const auto& known = std::get<Process>(there);
    EXPECT_EQ(known.id, process.id);
    EXPECT_EQ(known.parent_pid, 1U);
    EXPECT_EQ(known.comm, process.comm);
    EXPECT_EQ(known.exe, process.exe);
    EXPECT_EQ(known.container_id, process.container_id);
    EXPECT_EQ(known.role, ProcessRole::containerd);
    EXPECT_EQ(known.net_namespace, 4026531840U);
}

TEST(UnixPdu, connections_and_names_are_read_back) {
    const auto read = [](const std::string& record) {
        return decode_unix_record(Packet{.at = {9}, .link_type = LinkType::upper_pdu, .bytes = as_bytes(record)});
    };
    SocketLife life;
    life.kind = SocketLife::Kind::closed;
    life.client = {*IpAddress::parse("10.88.0.1"), 40001};
    life.server = {*IpAddress::parse("::1"), 8080};
    life.net_namespace = 4026532451;
    life.client_owner = {2685, 77};
    life.client_comm = Untrusted("containerd");
    life.lived = {123456789};
    life.client_sent_bytes = 18;
    const UnixRecord record = read(encode_unix_pdu(life));
    ASSERT_TRUE(std::holds_alternative<SocketLife>(record));
    const auto& back = std::get<SocketLife>(record);
    EXPECT_EQ(back.kind, SocketLife::Kind::closed);
    EXPECT_EQ(back.client, life.client);
    EXPECT_EQ(back.server, life.server);
    EXPECT_EQ(back.net_namespace, life.net_namespace);
    EXPECT_EQ(back.client_owner, life.client_owner);
    EXPECT_EQ(back.client_comm, life.client_comm);
    EXPECT_EQ(back.server_owner.pid, 0U);
    EXPECT_EQ(back.lived.ns, life.lived.ns);
    EXPECT_EQ(back.client_sent_bytes, 18U);
    EXPECT_FALSE(back.server_sent_bytes);

    ContainerNames names{.id = std::string(64, 'b'), .sandbox_id = std::string(64, 'c'), .runtime = "containerd"};
    names.name = Untrusted("main");
    names.pod = Untrusted("web-0");
    names.namespace_ = Untrusted("default");
    names.pod_uid = Untrusted("f49ea38b");
    const UnixRecord told = read(encode_unix_pdu(names));
    ASSERT_TRUE(std::holds_alternative<ContainerNames>(told));
    EXPECT_EQ(std::get<ContainerNames>(told).id, names.id);
    EXPECT_EQ(std::get<ContainerNames>(told).sandbox_id, names.sandbox_id);
    EXPECT_EQ(std::get<ContainerNames>(told).pod, names.pod);
    EXPECT_EQ(std::get<ContainerNames>(told).pod_uid, names.pod_uid);
}

}  // namespace
}  // namespace hopscope::capture
