// Sessions of the Docker Engine API: whose container, which terminal, and who is told the exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/builder.h"
#include "chain/evidence.h"

namespace hopscope::chain {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;
const std::string kContainer(64, 'c'), kExec(64, 'e');

// dockerd[20] on docker.sock; every request on a connection of its own, as the docker client makes them.
class Docker {
public:
    std::uint32_t connect(std::uint32_t client_pid) {
        const std::uint32_t slot = slots_++;
        builder.flow({.id = slot + 1,
                      .slot = slot,
                      .client = {},
                      .server = {},
                      .handshake_seen = true,
                      .is_unix = true,
                      .unix_server = {"/run/docker.sock", 100 + slot},
                      .unix_client_inode = 1000 + slot,
                      .client_pid = client_pid,
                      .server_pid = 20});
        tell(slot, FlowOpened{true, true});
        return slot;
    }
    void tell(std::uint32_t slot, const Event& event) {
        now_ms += 1;
        builder.on(event, {.flow = slot + 1, .slot = slot, .at = {now_ms * kMs}});
    }
    void call(std::uint32_t client_pid, const DockerCall& call) { tell(connect(client_pid), call); }
    // Its connection, handed over.
    std::uint32_t attach(std::uint32_t client_pid, std::string_view container) {
        const std::uint32_t slot = connect(client_pid);
        tell(slot, DockerCall{.operation = "attach", .container_id = container, .status = 101});
        tell(slot, Upgraded{0, Carrier::raw, ""});
        return slot;
    }
    void end(std::uint32_t slot) {
        tell(slot, FlowClosing{Direction::to_client, FinKind::fin});
        tell(slot, FlowClosing{Direction::to_server, FinKind::fin});
        tell(slot, FlowEnded{false});
    }
    const Session& session(std::size_t place) { return *builder.model().sessions.at(place); }

    Builder builder;
    std::int64_t now_ms = 1000;

private:
    std::uint32_t slots_ = 0;
};

DockerCall of(std::string_view operation, std::string_view container) {
    return {.operation = operation, .container_id = container, .status = 200};
}

TEST(DockerEvents, AnAttachByNameIsOfTheContainerThatTheClientLookedAt) {
    Docker docker;
    DockerCall look = of("inspect", kContainer);
    look.named = "web";
    look.tty = true;
    docker.call(30, look);
    docker.attach(30, "web");
    const Session& session = docker.session(0);
    EXPECT_EQ(session.op, Op::attach);
    EXPECT_EQ(session.hop, HopKind::shim);
    EXPECT_EQ(session.container.id, kContainer);
    EXPECT_EQ(session.tty, true);
    EXPECT_EQ(session.ends->from->pid, 30U);
    EXPECT_EQ(session.ends->to->pid, 20U);
}

TEST(DockerEvents, WhoeverWaitsForTheContainerIsToldTheExitCodeOfWhatIsAttached) {
    Docker docker;
    DockerCall made = of("create", kContainer);
    made.named = "web";
    docker.call(30, made);
    const std::uint32_t own = docker.attach(30, kContainer);
    docker.attach(31, "web");
    DockerCall wait = of("wait", kContainer);
    wait.exit_code = 7;
    docker.call(30, wait);
    EXPECT_EQ(docker.session(0).exit_code, 7);
    EXPECT_EQ(docker.session(0).tty, false) << "it was told when the container was made";
    EXPECT_EQ(docker.session(1).exit_code, 7);
    const auto says = [](const char* text) { return Contains(Field(&Evidence::says, HasSubstr(text))); };
    EXPECT_THAT(evidence_of(docker.session(0)), says("told its client the container's exit code"));
    EXPECT_THAT(evidence_of(docker.session(1)), says("told the container's exit code"));
    EXPECT_EQ(docker.session(0).state, SessionState::open) << "what was written may still come";
    docker.end(own);
    EXPECT_EQ(docker.session(0).state, SessionState::closed);
}

TEST(DockerEvents, OneThatHadLeftWhenTheContainerEndedHasNoExitCode) {
    Docker docker;
    docker.end(docker.attach(30, kContainer));
    DockerCall wait = of("wait", kContainer);
    wait.exit_code = 7;
    docker.call(31, wait);
    EXPECT_FALSE(docker.session(0).exit_code);
    EXPECT_FALSE(docker.session(0).tty) << "nobody has told whether it has a terminal";
}

TEST(DockerEvents, ASizeOfTheTerminalIsOfTheClientThatTellsIt) {
    Docker docker;
    docker.attach(30, kContainer);
    docker.attach(31, kContainer);
    DockerCall resize = of("resize", kContainer);
    resize.width = 97;
    resize.height = 31;
    docker.call(31, resize);
    EXPECT_TRUE(docker.session(0).resizes.empty());
    ASSERT_EQ(docker.session(1).resizes.size(), 1U);
    EXPECT_EQ(docker.session(1).resizes[0].width, 97);
    docker.call(99, resize);  // by nobody who is attached: it is the terminal of both
    EXPECT_EQ(docker.session(0).resizes.size(), 1U);
    EXPECT_EQ(docker.session(1).resizes.size(), 2U);
}

TEST(DockerEvents, AContainerThatNobodyAttachedToIsNoSession) {
    Docker docker;
    DockerCall wait = of("wait", kContainer);
    wait.exit_code = 7;
    docker.call(30, wait);
    docker.call(30, of("resize", kContainer));
    DockerCall refused = of("attach", kContainer);
    refused.status = 404;
    const std::uint32_t slot = docker.connect(30);
    docker.tell(slot, refused);
    docker.tell(slot, Upgraded{0, Carrier::raw, ""});
    EXPECT_TRUE(docker.builder.model().sessions.empty());
}

}  // namespace
}  // namespace hopscope::chain
