// The Docker Engine API: targets, calls, hijacked streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "decode/grpc/docker_target.h"
#include "decode/grpc/grpc.h"
#include "support/cut_anywhere.h"
#include "wire.h"

namespace hopscope::tests {
namespace {

using decode::grpc::DockerWatcher;
using decode::grpc::is_docker_target;
using decode::grpc::make_docker_stream;
using decode::grpc::parse_docker_target;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

const std::string kExec = id_of('e'), kContainer = id_of('c');

// --- targets

TEST(DockerTarget, IsKnownByVersionOrByFormNeverByPort) {
    for (const std::string& target :
         {"/v1.43/exec/" + kExec + "/start", "/exec/" + kExec + "/json", std::string("/v1.24/containers/json?all=1"),
          std::string("/containers/web/attach?stream=1"), std::string("/_ping"), std::string("/v1.41/version"),
          std::string("/v1.41/info"), "/v1.40/exec/" + kExec + "/resize?h=24&w=80"})
        EXPECT_TRUE(is_docker_target(target)) << target;
    for (const std::string& target :
         {std::string("/exec/6cBPriL6"), std::string("/cri/exec/6cBPriL6"),
          std::string("/exec/default/web/main?command=ls"), std::string("/exec/default/start"),
          std::string("/containerLogs/default/web/main"), std::string("/version"),
          std::string("/api/v1/namespaces/default/pods/web/exec"), std::string("/info"), std::string("/"),
          std::string(""), std::string("/v1/containers/x/json"), std::string("*"), std::string("/attach/AAAAAAAA")})
        EXPECT_FALSE(is_docker_target(target)) << target;
}

TEST(DockerTarget, NamesTheOperation) {
    const auto operation = [](std::string_view method, const std::string& target) {
        return std::string(to_string(parse_docker_target(method, target).operation));
    };
    EXPECT_EQ(operation("POST", "/v1.41/containers/web/exec"), "exec-create");
    EXPECT_EQ(operation("POST", "/v1.41/exec/" + kExec + "/start"), "exec-start");
    EXPECT_EQ(operation("POST", "/v1.41/exec/" + kExec + "/resize?h=1&w=2"), "exec-resize");
    EXPECT_EQ(operation("GET", "/v1.41/exec/" + kExec + "/json"), "exec-inspect");
    EXPECT_EQ(operation("POST", "/v1.41/containers/web/attach?stdin=1"), "attach");
    EXPECT_EQ(operation("GET", "/v1.41/containers/web/attach/ws"), "attach");
    EXPECT_EQ(operation("GET", "/v1.41/containers/web/json"), "inspect");
    EXPECT_EQ(operation("POST", "/v1.41/containers/create?name=web"), "create");
    EXPECT_EQ(operation("GET", "/v1.41/containers/create"), "other");
    EXPECT_EQ(operation("POST", "/v1.41/containers/web/start"), "start");
    EXPECT_EQ(operation("POST", "/v1.41/containers/web/wait?condition=next-exit"), "wait");
    EXPECT_EQ(operation("POST", "/v1.41/containers/web/resize?h=1&w=2"), "resize");
    EXPECT_EQ(operation("GET", "/v1.41/containers/json"), "other");
    EXPECT_EQ(operation("POST", "/v1.41/containers/web/stop?t=10"), "other");
    EXPECT_EQ(parse_docker_target("POST", "/v1.41/containers/web/stop").container_id, "web");
    EXPECT_EQ(parse_docker_target("GET", "/v1.41/containers/json").container_id, "");
    const auto resize = parse_docker_target("POST", "/exec/" + kExec + "/resize?xw=7&w=132&h=50");
    EXPECT_EQ(resize.width, 132);
    EXPECT_EQ(resize.height, 50);
    EXPECT_EQ(parse_docker_target("POST", "/exec/" + kExec + "/resize?w=99999&h=5x").width, 0);
}

// --- calls

// One request with its answer, as the HTTP decoder tells them.
struct Exchanged {
    std::string method, target, request, response;
    std::uint16_t status = 200;
};

struct Watched {
    EventLog log;
    DockerWatcher watcher;
    std::uint32_t exchange = 0;

    void on(const Event& event) { watcher.on(event, log); }
    void ask(const Exchanged& e) {
        on(HttpRequest{exchange, e.method, e.target, "HTTP/1.1", {}});
        // In two pieces, as bodies come.
        const Bytes body = as_bytes(e.request);
        if (!body.empty()) {
            on(HttpBody{exchange, Direction::to_server, body.first(body.size() / 2)});
            on(HttpBody{exchange, Direction::to_server, body.subspan(body.size() / 2)});
        }
        on(HttpEnd{exchange, Direction::to_server, body.size(), true});
    }
    void answer(std::uint32_t number, const Exchanged& e) {
        on(HttpResponse{number, e.status, "", "HTTP/1.1", {}});
        if (e.status == 101) return;
        if (!e.response.empty()) on(HttpBody{number, Direction::to_client, as_bytes(e.response)});
        on(HttpEnd{number, Direction::to_client, e.response.size(), true});
    }
    void both(const Exchanged& e) {
        ask(e);
        answer(exchange++, e);
    }
    std::vector<std::string> calls() const { return log.lines("docker"); }
};

TEST(DockerWatcher, FollowsAContainerFromItsCreationToItsExitCode) {
    Watched docker;
    docker.both({"POST", "/v1.41/containers/create?x=1&name=web",
                 R"({"Tty":true,"Env":["PASSWORD=hunter2"],"Entrypoint":["sh"],"Cmd":["-c","exit 3"]})",
                 R"({"Id":")" + kContainer + R"(","Warnings":[]})", 201});
    docker.both({"POST", "/v1.41/containers/" + kContainer + "/attach?stream=1", "", "", 101});
    docker.both({"POST", "/v1.41/containers/" + kContainer + "/start", "", "", 204});
    docker.both({"POST", "/v1.41/containers/web/resize?h=24&w=80", "", "", 200});
    docker.both({"POST", "/v1.41/containers/web/wait?condition=next-exit", "", R"({"Error":null,"StatusCode":3})"});
    docker.both({"POST", "/v1.41/containers/web/wait", "", R"({"message":"no such container"})", 404});
    const std::string container = "container=\"" + kContainer + "\" exec=\"\"";
    EXPECT_THAT(docker.calls(),
                ElementsAre("docker create " + container +
                                R"( arg="sh" arg="-c" arg="exit 3" tty status=201 ""/""/"" "" named="web")",
                            "docker attach " + container + R"( status=101 ""/""/"" "")",
                            "docker start " + container + R"( status=204 ""/""/"" "")",
                            R"(docker resize container="web" exec="" status=200 ""/""/"" "" 80x24)",
                            R"(docker wait container="web" exec="" status=200 exit=3 ""/""/"" "")",
                            R"(docker wait container="web" exec="" status=404 ""/""/"" "")"));
}

TEST(DockerWatcher, FollowsAnExecFromItsCreationToItsExitCode) {
    Watched docker;
    docker.both({"POST", "/v1.41/containers/" + kContainer + "/exec",
                 R"({"AttachStdout":true,"Tty":true,"Env":["PASSWORD=hunter2"],"Cmd":["sh","-c","exit 3"]})",
                 R"({"Id":")" + kExec + "\"}", 201});
    docker.both({"POST", "/v1.41/exec/" + kExec + "/start", R"({"Detach":false,"Tty":true})", "", 101});
    docker.both({"POST", "/v1.41/exec/" + kExec + "/resize?h=24&w=80", "", "", 201});
    docker.both({"GET", "/v1.41/exec/" + kExec + "/json", "",
                 R"({"ID":")" + kExec + R"(","Running":false,"ExitCode":3,"Pid":4711,"ContainerID":")" + kContainer +
                     R"(","ProcessConfig":{"tty":true,"entrypoint":"sh","arguments":["-c","exit 3"]}})"});
    const std::string ids = "container=\"" + kContainer + "\" exec=\"" + kExec + '"';
    EXPECT_THAT(
        docker.calls(),
        ElementsAre("docker exec-create " + ids + R"( arg="sh" arg="-c" arg="exit 3" tty status=201 ""/""/"" "")",
                    "docker exec-start " + ids + R"( tty status=101 ""/""/"" "")",
                    "docker exec-resize " + ids + R"( status=201 ""/""/"" "")",
                    "docker exec-inspect " + ids +
                        R"( arg="sh" arg="-c" arg="exit 3" tty status=200 exit=3 pid=4711 ""/""/"" "")"));
    // Every event went through as well.
    EXPECT_THAT(docker.log.lines("request"), SizeIs(4));
    EXPECT_THAT(docker.log.lines("response"), SizeIs(4));
}

TEST(DockerWatcher, TellsNoExitCodeWhileTheProcessRuns) {
    Watched docker;
    docker.both({"GET", "/v1.41/exec/" + kExec + "/json", "", R"({"Running":true,"ExitCode":0,"Pid":1})"});
    docker.both({"GET", "/v1.41/exec/" + kExec + "/json", "", R"({"Running":false,"ExitCode":null})"});
    EXPECT_THAT(docker.calls(), ElementsAre(Not(HasSubstr("exit=")), Not(HasSubstr("exit="))));
}

TEST(DockerWatcher, ReadsNamesFromLabels) {
    Watched docker;
    docker.both({"GET", "/v1.41/containers/web/json", "",
                 R"({"Id":")" + kContainer +
                     R"(","State":{"Pid":8509},"Config":{"Env":["PASSWORD=hunter2"],"Labels":{)" +
                     R"("io.kubernetes.container.name":"main","io.kubernetes.pod.name":"web-1",)" +
                     R"("io.kubernetes.pod.namespace":"default","io.kubernetes.pod.uid":"u-1"}}})"});
    EXPECT_THAT(docker.calls(),
                ElementsAre("docker inspect container=\"" + kContainer +
                            R"(" exec="" status=200 pid=8509 "default"/"web-1"/"main" "u-1" named="web")"));
}

TEST(DockerWatcher, TellsAttachAtItsAnswerAndRefusalsToo) {
    Watched docker;
    docker.both({"POST", "/v1.41/containers/web/attach?stream=1", "", "", 200});
    docker.both({"POST", "/v1.41/exec/" + kExec + "/start", "{}", "gone", 404});
    EXPECT_THAT(docker.calls(), ElementsAre(AllOf(HasSubstr("attach container=\"web\""), HasSubstr("status=200")),
                                            AllOf(HasSubstr("exec-start"), HasSubstr("status=404"))));
    EXPECT_THAT(docker.log.lines("problem"), IsEmpty());
}

TEST(DockerWatcher, PairsPipelinedRequestsByTheirNumber) {
    Watched docker;
    const Exchanged first{"GET", "/v1.41/exec/" + kExec + "/json", "", R"({"ExitCode":1})"};
    const Exchanged second{"GET", "/v1.41/exec/" + kExec + "/json", "", R"({"ExitCode":2})"};
    docker.ask(first);
    ++docker.exchange;
    docker.ask(second);
    docker.on(HttpResponse{0, 100, "Continue", "HTTP/1.1", {}});
    docker.answer(0, first);
    docker.answer(1, second);
    EXPECT_THAT(docker.calls(), ElementsAre(HasSubstr("exit=1"), HasSubstr("exit=2")));
}

TEST(DockerWatcher, LeavesOtherServersAlone) {
    Watched docker;
    docker.both({"GET", "/exec/6cBPriL6", "", "{}"});
    docker.both({"GET", "/api/v1/pods", "", "{}"});
    EXPECT_THAT(docker.calls(), IsEmpty());
}

TEST(DockerWatcher, SaysWhatItCannotReadAndTellsTheCallAllTheSame) {
    const std::string target = "/v1.41/containers/web/json";
    struct Case {
        std::string body, code;
    };
    for (const Case& c :
         {Case{"no json", "docker.json"}, Case{"{\"Id\":\"\xff\"}", "docker.json"},
          Case{"{\"Id\":\"x\"", "docker.json"}, Case{std::string(limits::kBodyBytesMax + 1, ' '), "docker.body"}}) {
        Watched docker;
        docker.both({"GET", target, "", c.body});
        EXPECT_THAT(docker.log.lines("problem"), ElementsAre(StartsWith("problem " + c.code))) << c.body.substr(0, 20);
        EXPECT_THAT(docker.calls(), ElementsAre(HasSubstr("inspect container=\"web\""))) << c.body.substr(0, 20);
    }
}

TEST(DockerWatcher, SurvivesDeepAndOddJson) {
    for (const std::string& body :
         {std::string(60'000, '['), std::string(30'000, '[') + std::string(30'000, ']'), std::string("[]"),
          std::string("7"), std::string(R"({"Config":[],"State":"x","Id":5})"),
          std::string(R"({"State":{"Pid":99999999999999999999}})"), std::string(R"({"State":{"Pid":9999999999}})"),
          std::string(R"({"Config":{"Labels":{"io.kubernetes.pod.name":[]}}})")}) {
        Watched docker;
        docker.both({"GET", "/v1.41/containers/web/json", "", body});
        EXPECT_THAT(docker.calls(), ElementsAre(EndsWith(R"(status=200 ""/""/"" "")"))) << body.substr(0, 30);
    }
}

// As large as is read, and as slow as an Engine API body can be made: many of them, one after another.
TEST(DockerWatcher, ReadsManyObjectsInTimeThatOnlyTheirLengthDecides) {
    std::string body = "[{}";
    while (body.size() + 4 < limits::kBodyBytesMax) body += ",{}";
    body += ']';
    Watched docker;
    for (int i = 0; i < 64; ++i) docker.both({"GET", "/v1.41/containers/web/json", "", body});
    EXPECT_THAT(docker.log.lines("problem"), IsEmpty());
    EXPECT_THAT(docker.calls(), SizeIs(64));
}

TEST(DockerWatcher, ForgetsTheOldestOfTooManyUnansweredRequests) {
    Watched docker;
    for (std::uint32_t i = 0; i < limits::kDockerCallsMax + 1; ++i, ++docker.exchange)
        docker.ask({"GET", "/v1.41/containers/web/json", "", ""});
    docker.answer(0, {"", "", "", "{}"});
    EXPECT_THAT(docker.calls(), IsEmpty());
    docker.answer(1, {"", "", "", "{}"});
    EXPECT_THAT(docker.calls(), SizeIs(1));
}

// --- streams

std::string mux(int type, std::string_view payload) {
    return std::string(1, static_cast<char>(type)) + std::string(3, '\0') +
           be32(static_cast<std::uint32_t>(payload.size())) + std::string(payload);
}

TEST(DockerStream, SplitsMultiplexedOutput) {
    const EventLog log = expect_cut_anywhere(
        [] { return make_docker_stream(true); },
        {client("stdin\n"),
         server(mux(1, "out1\n") + mux(2, "err1\n") + mux(1, "") + mux(1, "out2\n") + mux(3, "oops")), client_end(),
         server_end()});
    EXPECT_EQ(log.data(0, Direction::to_server), "stdin\n");
    EXPECT_EQ(log.data(1, Direction::to_client), "out1\nout2\n");
    EXPECT_EQ(log.data(2, Direction::to_client), "err1\n");
    EXPECT_EQ(log.data(3, Direction::to_client), "oops");
    EXPECT_THAT(log.lines("opened"),
                ElementsAre(HasSubstr("0 stdin"), HasSubstr("1 stdout"), HasSubstr("2 stderr"), HasSubstr("3 error")));
    EXPECT_THAT(log.lines("closed"), ElementsAre("closed 0 c>s fin status=0", "closed 1 s>c fin status=0",
                                                 "closed 2 s>c fin status=0", "closed 3 s>c fin status=0"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(DockerStream, FindsOutWhetherOldServersMultiplex) {
    // Before API 1.42 the Content-Type is "raw-stream" with and without a terminal.
    const auto make = [] { return make_docker_stream(false); };
    const EventLog plain = expect_cut_anywhere(make, {server(mux(2, "err") + mux(1, "out")), server_end()});
    EXPECT_EQ(plain.data(2, Direction::to_client), "err");
    EXPECT_EQ(plain.data(1, Direction::to_client), "out");
    EXPECT_THAT(plain.lines("opened"), ElementsAre(Not(HasSubstr("inferred")), Not(HasSubstr("inferred"))));
    const EventLog terminal = expect_cut_anywhere(make, {server("\r\n/ # ls\r\n"), client("ls\r"), server_end()});
    EXPECT_EQ(terminal.data(1, Direction::to_client), "\r\n/ # ls\r\n");
    EXPECT_THAT(terminal.lines("opened 1"), ElementsAre(HasSubstr("inferred")));
    // Control-A and zeros first, yet no header.
    const EventLog odd = expect_cut_anywhere(make, {server(std::string("\x01\0x", 3)), server_end()});
    EXPECT_EQ(odd.data(1, Direction::to_client), std::string("\x01\0x", 3));
    const EventLog brief = expect_cut_anywhere(make, {server("\x01"), server_end()});
    EXPECT_EQ(brief.data(1, Direction::to_client), "\x01");
}

TEST(DockerStream, PassesLargePayloadInPieces) {
    auto decoder = make_docker_stream(true);
    struct Borrowed final : EventSink {
        void on(const Event& event) override {
            if (const auto* data = std::get_if<StreamData>(&event)) at = data->piece.data();
        }
        const std::uint8_t* at = nullptr;
    } sink;
    const std::string header = std::string("\x01\0\0\0", 4) + be32(0xffffffff);
    decoder->decode(Direction::to_client, 0, as_bytes(header), sink);
    const std::string piece(50'000, 'x');
    const decode::Step step = decoder->decode(Direction::to_client, 8, as_bytes(piece), sink);
    EXPECT_EQ(step.taken, piece.size());
    EXPECT_EQ(sink.at, as_bytes(piece).data());  // not copied
}

TEST(DockerStream, SaysWhereAHeaderIsMissingAndFindsTheNext) {
    const EventLog log = expect_cut_anywhere(
        [] { return make_docker_stream(true); },
        {server(mux(1, "good") + "no header at all " + mux(1, "found") + mux(2, "again") + mux(1, "end"))});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem docker.frame s>c at 12 ")));
    EXPECT_EQ(log.data(1, Direction::to_client), "goodfoundend");
    EXPECT_EQ(log.data(2, Direction::to_client), "again");
}

TEST(DockerStream, GoesOnAfterAHole) {
    const auto make = [] { return make_docker_stream(true); };
    const std::string a = mux(1, "0123456789"), b = mux(2, "err"), c = mux(1, "out");
    const EventLog inside =
        expect_cut_anywhere(make, {server(a.substr(0, 10)), server_gap(5), server(a.substr(15) + b)});
    EXPECT_EQ(inside.data(1, Direction::to_client), "01789");
    EXPECT_EQ(inside.data(2, Direction::to_client), "err");
    const EventLog across =
        expect_cut_anywhere(make, {server(a.substr(0, 10)), server_gap(12), server("34" + b + c + a)});
    EXPECT_EQ(across.data(2, Direction::to_client), "err");
    EXPECT_EQ(across.data(1, Direction::to_client), "01out0123456789");
    EXPECT_THAT(across.lines("problem"), IsEmpty());
}

}  // namespace
}  // namespace hopscope::tests
