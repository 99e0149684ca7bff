// cri-dockerd 0.2.6 to dockerd 20.10: real bytes of docker.sock, HTTP/1.1 and hijacked streams.
#include <gmock/gmock.h>

#include "captures.h"
#include "decode/grpc/grpc.h"
#include "decode/stream/http1.h"

namespace hopscope::tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class DockerLog final : public EventSink {
public:
    void on(const Event& event) override { watcher_.on(event, sink_); }

    struct Exec {
        std::string container;
        std::vector<std::string> command;
        std::optional<int> exit_code;
        bool tty = false;
    };
    struct Sink final : EventSink {
        void on(const Event& event) override {
            log.on(event);
            const auto* call = std::get_if<DockerCall>(&event);
            if (!call) return;
            ++operations[std::string(call->operation)];
            if (call->operation == "inspect" && call->status == 200)
                names.insert({std::string(call->container_id), std::string(call->namespace_) + '/' +
                                                                   std::string(call->pod) + '/' +
                                                                   std::string(call->container)});
            if (call->operation == "exec-resize") sizes.emplace_back(call->width, call->height);
            if (call->operation != "exec-create" && call->operation != "exec-inspect") return;
            Exec& exec = execs[std::string(call->exec_id)];
            exec.container = call->container_id;
            exec.command.assign(call->command.begin(), call->command.end());
            exec.tty = call->tty;
            if (call->exit_code) exec.exit_code = call->exit_code;
        }
        EventLog log;
        std::map<std::string, int> operations;
        std::map<std::string, std::string> names;
        std::map<std::string, Exec> execs;
        std::vector<std::pair<int, int>> sizes;
    };
    [[nodiscard]] const Sink& told() const { return sink_; }

private:
    Sink sink_;
    decode::grpc::DockerWatcher watcher_;
};

std::unique_ptr<decode::Decoder> make_docker_http() {
    return decode::stream::make_http1({[](bool multiplexed) { return decode::grpc::make_docker_stream(multiplexed); }});
}

// All connections, or one of them ("c5"), as one log.
void decode_docker(DockerLog& log, const std::string& only = {}) {
    for (const RawConnection& connection : raw_connections("dockerapi")) {
        if (!only.empty() && connection.name != "dockerapi." + only) continue;
        decode::Road road(make_docker_http());
        feed(
            road, connection.talk, [](std::size_t left) { return left; }, log);
        road.end(Direction::to_server, log);
        road.end(Direction::to_client, log);
    }
}

TEST(DockerCaptures, TellEveryCallWithoutAProblem) {
    DockerLog log;
    decode_docker(log);
    EXPECT_THAT(log.told().log.lines("problem"), IsEmpty());
    EXPECT_THAT(log.told().operations,
                ElementsAre(Pair("attach", 1), Pair("exec-create", 8), Pair("exec-inspect", 7), Pair("exec-resize", 3),
                            Pair("exec-start", 8), Pair("inspect", 27), Pair("other", 7)));
    EXPECT_THAT(log.told().sizes, ElementsAre(Pair(80, 24), Pair(120, 40), Pair(132, 50)));
}

TEST(DockerCaptures, TellTheExitCodeOfEveryCommandThatEnded) {
    DockerLog log;
    decode_docker(log);
    std::map<std::string, std::optional<int>> exits;
    for (const auto& [id, exec] : log.told().execs) {
        EXPECT_EQ(log.told().names.at(exec.container), "default/dkpod/main");
        EXPECT_EQ(exec.tty, exec.command == std::vector<std::string>{"sh"});
        exits[exec.command.back().substr(0, 22)] = exec.exit_code;
    }
    EXPECT_EQ(exits, (std::map<std::string, std::optional<int>>{{"echo out1; sleep 0.1; ", 0},
                                                                {"echo bye; exit 3", 3},
                                                                {"nosuchcmd", 126},
                                                                {"cat", 0},
                                                                {"sh", 7},
                                                                {"echo so; echo se >&2; ", 4},
                                                                {"i=0; while [ $i -lt 20", std::nullopt},
                                                                {"8", 0}}));
}

TEST(DockerCaptures, SplitTheOutputOfExecs) {
    const auto data = [](const std::string& connection, std::uint32_t id, Direction direction) {
        DockerLog log;
        decode_docker(log, connection);
        return log.told().log.data(id, direction);
    };
    EXPECT_EQ(data("c2", 1, Direction::to_client), "out1\nout2\n");
    EXPECT_EQ(data("c2", 2, Direction::to_client), "err1\n");
    EXPECT_EQ(data("c7", 2, Direction::to_client), "se\n");
    EXPECT_EQ(data("c8", 0, Direction::to_server), "line A\n");
    EXPECT_EQ(data("c8", 1, Direction::to_client), "got:line A\n");
    EXPECT_EQ(data("c6", 0, Direction::to_server), "echo hi\rstty size\rstty size\rexit 7\r");
    EXPECT_THAT(data("c6", 1, Direction::to_client), SizeIs(237));
    // 64 KiB through cat.
    EXPECT_THAT(data("c5", 0, Direction::to_server), SizeIs(65536));
    EXPECT_EQ(data("c5", 0, Direction::to_server), data("c5", 1, Direction::to_client));
}

TEST(DockerCaptures, DoNotChangeWhereverTheyAreCut) {
    for (const RawConnection& connection : raw_connections("dockerapi")) {
        if (size_of_talk(connection.talk) > 20'000) continue;
        SCOPED_TRACE(connection.name);
        expect_cut_anywhere(make_docker_http, connection.talk, 6);
    }
}

}  // namespace
}  // namespace hopscope::tests
