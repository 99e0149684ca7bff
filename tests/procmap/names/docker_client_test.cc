#include "procmap/names/docker_client.h"

#include "procmap/names/fake_server.h"

namespace hopscope::procmap::test {
namespace {

using std::chrono::milliseconds;

std::string answer_of(std::string_view body, std::string_view status = "200 OK") {
    return "HTTP/1.1 " + std::string(status) +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

const std::string kVersion = R"({"Version":"20.10.24","ApiVersion":"1.41","Os":"linux"})";

RuntimeAnswer ask_with(const std::string& bytes, milliseconds time = milliseconds(3000), std::string* asked = nullptr) {
    FakeServer server([&](const Peer& peer) {
        const std::string request = peer.read();
        if (asked) *asked = request;
        peer.write(bytes);
    });
    return ask_docker(server.path(), "/var/run/docker.sock", Call::Clock::now() + time);
}

TEST(DockerClient, names_of_pods_and_of_others) {
    const std::string list =
        R"([
      {"Id":")" +
        hex_id('a') +
        R"(","Names":["/k8s_POD_web"],"Labels":{"io.kubernetes.docker.type":"podsandbox","io.kubernetes.container.name":"POD",
        "io.kubernetes.pod.name":"web","io.kubernetes.pod.namespace":"default","io.kubernetes.pod.uid":"u1"}},
      {"Id":")" +
        hex_id('b') +
        R"(","Labels":{"io.kubernetes.docker.type":"container","io.kubernetes.container.name":"main","io.kubernetes.sandbox.id":")" +
        hex_id('a') + R"(",
        "io.kubernetes.pod.name":"web","io.kubernetes.pod.namespace":"default","io.kubernetes.pod.uid":"u1"}},
      {"Id":")" +
        hex_id('c') + R"(","Names":["/registry"],"Labels":null},
      {"Id":"short"}, 5, {"Labels":[]}])";
    std::string asked;
    const RuntimeAnswer answer = ask_with(answer_of(kVersion) + answer_of(list), milliseconds(3000), &asked);
    EXPECT_TRUE(answer.facts.answered) << answer.facts.why_not;
    EXPECT_EQ(answer.facts.version.raw(), "20.10.24");
    EXPECT_EQ(answer.facts.api_version, "1.41");
    EXPECT_EQ(answer.facts.component, "docker");
    ASSERT_EQ(answer.containers.size(), 3u);
    EXPECT_EQ(answer.containers[0].sandbox_id, hex_id('a'));
    EXPECT_EQ(answer.containers[0].name.raw(), "");
    EXPECT_EQ(answer.containers[1].name.raw(), "main");
    EXPECT_EQ(answer.containers[1].sandbox_id, hex_id('a'));
    EXPECT_EQ(answer.containers[1].pod.raw(), "web");
    EXPECT_EQ(answer.containers[2].name.raw(), "registry");
    EXPECT_EQ(answer.containers[2].sandbox_id, "");
    EXPECT_EQ(answer.containers[2].source, "Docker at /var/run/docker.sock");
    EXPECT_EQ(asked.find("GET /version HTTP/1.1\r\n"), 0u);
    EXPECT_EQ(asked.find("POST"), std::string::npos);
}

TEST(DockerClient, chunked_answers) {
    const std::string list = R"([{"Id":")" + hex_id('c') + R"(","Names":["/x"]}])";
    char size[16];
    std::snprintf(size, sizeof size, "%zx", list.size());
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(size) + "\r\n" + list + "\r\n0\r\n\r\n";
    const RuntimeAnswer answer = ask_with(answer_of(kVersion) + chunked);
    EXPECT_TRUE(answer.facts.answered) << answer.facts.why_not;
    EXPECT_EQ(answer.containers.size(), 1u);
}

TEST(DockerClient, hostile_answers_end_in_a_sentence) {
    const std::string deep(200'000, '[');
    for (const std::string& bytes :
         {std::string(), std::string("\0\0\0\4\0\0\0\0\0", 9), answer_of("{}", "404 Not Found") + answer_of("[]"),
          answer_of("[") + answer_of("[]"), answer_of(deep) + answer_of(deep),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}"), std::string(100'000, 'x')}) {
        const RuntimeAnswer answer = ask_with(bytes, milliseconds(1000));
        EXPECT_FALSE(answer.facts.answered) << bytes.substr(0, 60);
        EXPECT_NE(answer.facts.why_not, "") << bytes.substr(0, 60);
        EXPECT_TRUE(answer.containers.empty());
    }
    const RuntimeAnswer half =
        ask_with(answer_of(kVersion) + answer_of(R"({"message":"no"})", "500 Internal Server Error"));
    EXPECT_TRUE(half.facts.answered);
    EXPECT_EQ(half.facts.why_not, "it does not list its containers (status 500)");
    EXPECT_TRUE(ask_with(answer_of(kVersion) + answer_of(deep)).containers.empty());
}

// Two mebibytes of nothing: with a parser that looks back it takes hours, long after the deadline.
TEST(DockerClient, a_list_of_very_many_objects_is_refused_at_once) {
    std::string list = R"([{"Id":")" + hex_id('c') + R"("},{})";
    while (list.size() < 2'000'000) list += ",{}";
    const RuntimeAnswer answer = ask_with(answer_of(kVersion) + answer_of(list + "]"), milliseconds(20'000));
    EXPECT_TRUE(answer.facts.answered);
    EXPECT_EQ(answer.facts.version.raw(), "20.10.24");
    EXPECT_EQ(answer.facts.why_not, "its list of containers has more than 262144 values");
    EXPECT_TRUE(answer.containers.empty());
}

TEST(DockerClient, silence_ends_with_the_deadline) {
    FakeServer server([](const Peer& peer) { peer.until_over(); });
    const RuntimeFacts facts = ask_docker(server.path(), "/d", Call::Clock::now() + milliseconds(80)).facts;
    EXPECT_NEAR(static_cast<double>(facts.waited_ms), 80, 10);
    EXPECT_EQ(facts.why_not, "no answer within " + std::to_string(facts.waited_ms) + " ms");
}

}  // namespace
}  // namespace hopscope::procmap::test
