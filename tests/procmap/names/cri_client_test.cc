#include "procmap/names/cri_client.h"

#include "core/limits.h"
#include "procmap/names/ask.h"
#include "procmap/names/fake_server.h"

namespace hopscope::procmap::test {
namespace {

using namespace decode::grpc;
using std::chrono::milliseconds;

RuntimeAnswer ask(const FakeServer& server, milliseconds time = milliseconds(5000)) {
    return ask_cri(server.path(), "/run/x.sock", Call::Clock::now() + time);
}

TEST(CriClient, takes_the_names_in_one_round_trip) {
    FakeCri cri;
    cri.messages = usual_messages("v1");
    FakeServer server(std::ref(cri));
    const RuntimeAnswer answer = ask(server);
    EXPECT_TRUE(answer.facts.answered) << answer.facts.why_not;
    EXPECT_EQ(answer.facts.why_not, "");
    EXPECT_EQ(answer.facts.name.raw(), "containerd");
    EXPECT_EQ(answer.facts.version.raw(), "1.6.20");
    EXPECT_EQ(answer.facts.api_version, "v1");
    EXPECT_EQ(answer.facts.component, "containerd");
    EXPECT_EQ(answer.facts.socket_path.raw(), "/run/x.sock");
    ASSERT_EQ(answer.containers.size(), 2u);
    for (const ContainerNames& names : answer.containers) {
        EXPECT_EQ(names.pod.raw(), "web-0");
        EXPECT_EQ(names.namespace_.raw(), "default");
        EXPECT_EQ(names.pod_uid.raw(), "6b1f6c2e-0d5a-4c62-9d6a-2f0a7b8c9d01");
        EXPECT_EQ(names.sandbox_id, hex_id('a'));
        EXPECT_EQ(names.runtime, "containerd");
        EXPECT_EQ(names.source, "CRI at /run/x.sock");
        EXPECT_EQ(names.name.raw(), names.id == hex_id('a') ? "" : "nginx");
    }
    EXPECT_EQ(cri.asked.size(), 3u);
}

// It answers what a server may insist on, and asks for nothing that changes anything.
TEST(CriClient, acknowledges_and_only_reads) {
    FakeCri cri;
    cri.messages = usual_messages("v1");
    std::string all;
    {
        FakeServer server([&](const Peer& peer) {
            peer.write(settings_frame() + frame(frame_type::ping, 0, 0, "12345678"));
            while (all.find("12345678") == std::string::npos) {
                const std::string bytes = peer.read();
                if (bytes.empty()) return;
                all += bytes;
            }
        });
        ask(server);
    }
    EXPECT_NE(all.find(frame(frame_type::settings, frame_flag::ack, 0, "")), std::string::npos);
    EXPECT_NE(all.find(frame(frame_type::ping, frame_flag::ack, 0, "12345678")), std::string::npos);
    for (const char* word : {"Exec", "Attach", "RunPod", "Create", "Start", "Stop", "Remove", "Update"})
        EXPECT_EQ(all.find(word), std::string::npos) << word;
}

TEST(CriClient, falls_back_to_v1alpha2) {
    FakeCri cri;
    cri.messages = usual_messages("v1alpha2");
    FakeServer server(std::ref(cri));
    const RuntimeAnswer answer = ask(server);
    EXPECT_TRUE(answer.facts.answered) << answer.facts.why_not;
    EXPECT_EQ(answer.facts.api_version, "v1alpha2");
    EXPECT_EQ(answer.containers.size(), 2u);
    EXPECT_EQ(cri.asked.size(), 6u);
    EXPECT_EQ(server.connections(), 1);
}

TEST(CriClient, says_what_has_no_cri) {
    FakeCri cri;
    FakeServer server(std::ref(cri));
    const RuntimeAnswer answer = ask(server);
    EXPECT_FALSE(answer.facts.answered);
    EXPECT_EQ(answer.facts.why_not, "it has no CRI service");
    EXPECT_TRUE(answer.facts.has_no_cri);
    EXPECT_EQ(answer.facts.api_version, "");
}

TEST(CriClient, tells_the_runtimes_own_error) {
    FakeCri cri;
    cri.status = "14";
    FakeServer server(std::ref(cri));
    const RuntimeAnswer answer = ask(server);
    EXPECT_FALSE(answer.facts.answered);
    EXPECT_EQ(answer.facts.why_not, "it answered with an error: unknown service");
}

TEST(CriClient, large_lists_in_many_frames) {
    FakeCri cri;
    cri.messages = usual_messages("v1");
    cri.messages["/runtime.v1.RuntimeService/ListContainers"] = containers_message(2000);
    FakeServer server(std::ref(cri));
    const RuntimeAnswer answer = ask(server, milliseconds(20'000));
    EXPECT_EQ(answer.facts.why_not, "");
    EXPECT_EQ(answer.containers.size(), 2001u);
}

TEST(CriClient, silence_ends_with_the_deadline) {
    FakeServer server([](const Peer& peer) { peer.until_over(); });
    const auto begin = Call::Clock::now();
    const RuntimeAnswer answer = ask(server, milliseconds(100));
    const auto took = Call::Clock::now() - begin;
    EXPECT_NEAR(static_cast<double>(answer.facts.waited_ms), 100, 10);
    EXPECT_EQ(answer.facts.why_not, "no answer within " + std::to_string(answer.facts.waited_ms) + " ms");
    EXPECT_GE(took, milliseconds(95));
    EXPECT_LT(took, milliseconds(3000));
}

// A server that talks without end must not hold us longer than one that is silent, nor fill the memory.
TEST(CriClient, endless_talk_ends_too) {
    FakeServer server([](const Peer& peer) {
        std::string pings = settings_frame();
        for (int i = 0; i < 1000; ++i) pings += frame(frame_type::window_update, 0, 0, std::string_view("\0\0\0\1", 4));
        for (int i = 0; i < 200'000 && peer.open(); ++i) peer.write(pings);
    });
    const auto begin = Call::Clock::now();
    const RuntimeAnswer answer = ask(server, milliseconds(200));
    EXPECT_FALSE(answer.facts.answered);
    EXPECT_LT(Call::Clock::now() - begin, milliseconds(3000));
    EXPECT_NE(answer.facts.why_not, "");
}

struct Hostile {
    const char* what;
    std::string bytes;
    const char* why_not;  // what the sentence begins with
};

TEST(CriClient, hostile_answers_end_in_a_sentence) {
    const std::string settings = settings_frame();
    const std::string lie = std::string("\x00\xff\xff\xff\xff", 5) + "abc";
    const std::vector<Hostile> all = {
        {"HTTP/1", "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400",
         "it does not speak HTTP/2"},
        {"a huge frame", settings + std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9), "it does not speak HTTP/2"},
        {"no SETTINGS first", frame(frame_type::ping, 0, 0, "12345678"), "it does not speak HTTP/2"},
        {"GOAWAY", settings + frame(frame_type::goaway, 0, 0, std::string_view("\0\0\0\0\0\0\0\2", 8)), ""},
        {"HPACK nonsense",
         settings + frame(frame_type::headers, frame_flag::end_headers, 1, "\xff\xff\xff\xff\xff\xff"), ""},
        {"a message of 4 GiB",
         settings + frame(frame_type::headers, frame_flag::end_headers, 1, "\x88") + frame(frame_type::data, 0, 1, lie),
         ""},
        {"reset of all",
         settings + frame(frame_type::rst_stream, 0, 1, std::string_view("\0\0\0\7", 4)) +
             frame(frame_type::rst_stream, 0, 3, std::string_view("\0\0\0\7", 4)) +
             frame(frame_type::rst_stream, 0, 5, std::string_view("\0\0\0\7", 4)),
         ""},
        {"no protobuf",
         settings + unary(1, "\xff\xff\xff\xff\xff") + unary(3, "\x0a\x7f") +
             unary(5, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         ""},
        {"plain HTTP/2",
         settings + frame(frame_type::headers, frame_flag::end_headers | frame_flag::end_stream, 1, "\x8d") +
             frame(frame_type::headers, frame_flag::end_headers | frame_flag::end_stream, 3, "\x8d") +
             frame(frame_type::headers, frame_flag::end_headers | frame_flag::end_stream, 5, "\x8d"),
         ""},
        {"nothing", "", "it closed the connection"},
        {"half a frame", settings.substr(0, 5), "it closed the connection"},
        {"noise", std::string(5000, '\x15'), "it does not speak HTTP/2"},
    };
    for (const Hostile& hostile : all) {
        FakeServer server([&](const Peer& peer) {
            peer.read();
            peer.write(hostile.bytes);
        });
        const RuntimeAnswer answer = ask(server, milliseconds(2000));
        EXPECT_FALSE(answer.facts.answered) << hostile.what;
        EXPECT_NE(answer.facts.why_not, "") << hostile.what;
        EXPECT_EQ(answer.facts.why_not.find(hostile.why_not), 0u) << hostile.what << ": " << answer.facts.why_not;
        EXPECT_TRUE(answer.containers.empty()) << hostile.what;
    }
}

TEST(CriClient, ids_that_are_none_are_left_out) {
    cri::ListPodSandboxResponse response;
    for (const char* id : {"", "short", "\x1b[31m"}) response.add_items()->set_id(id);
    response.add_items()->set_id(std::string(64, 'G'));
    response.add_items()->set_id(hex_id('c'));
    FakeCri cri;
    cri.messages = usual_messages("v1");
    cri.messages["/runtime.v1.RuntimeService/ListPodSandbox"] = response.SerializeAsString();
    cri.messages["/runtime.v1.RuntimeService/ListContainers"] = "";
    FakeServer server(std::ref(cri));
    const RuntimeAnswer answer = ask(server);
    ASSERT_EQ(answer.containers.size(), 1u);
    EXPECT_EQ(answer.containers[0].id, hex_id('c'));
}

TEST(CriClient, a_socket_that_is_not_there) {
    const auto deadline = Call::Clock::now() + milliseconds(1000);
    EXPECT_EQ(ask_cri("/nonexistent/s.sock", "/s.sock", deadline).facts.waited_ms, 0);
    EXPECT_EQ(ask_cri("/nonexistent/s.sock", "/s.sock", deadline).facts.why_not,
              "cannot connect: No such file or directory");
    EXPECT_EQ(ask_cri("/" + std::string(200, 'x'), "/s.sock", deadline).facts.why_not,
              "cannot connect: File name too long");
}

TEST(AskRuntimes, all_at_once_within_one_deadline) {
    FakeCri cri;
    cri.messages = usual_messages("v1");
    cri.messages["/runtime.v1.RuntimeService/Version"] = version_message("docker", "24.0.5");
    FakeServer good(std::ref(cri));
    FakeServer silent([](const Peer& peer) { peer.until_over(); });
    std::vector<RuntimeSocket> sockets(8, {silent.path(), "/silent", "containerd", false});
    sockets[2] = {good.path(), "/good", "cri-dockerd", false};
    const auto begin = Call::Clock::now();
    const std::vector<RuntimeAnswer> answers = ask_runtimes(sockets, milliseconds(1000));
    EXPECT_LT(Call::Clock::now() - begin, milliseconds(5000));  // one after another: 7 s
    ASSERT_EQ(answers.size(), 8u);
    EXPECT_TRUE(answers[2].facts.answered) << answers[2].facts.why_not;
    EXPECT_EQ(answers[2].facts.component, "cri-dockerd");
    EXPECT_EQ(answers[2].facts.name.raw(), "docker");
    EXPECT_EQ(answers[2].containers.at(0).runtime, "docker");
    EXPECT_FALSE(answers[0].facts.answered);
    EXPECT_EQ(answers[0].facts.component, "containerd");
}

}  // namespace
}  // namespace hopscope::procmap::test
