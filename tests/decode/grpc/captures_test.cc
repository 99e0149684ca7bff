// Real bytes of CRI sockets: kubelet, crictl, containerd 1.6 and cri-dockerd.
#include "captures.h"

#include <gmock/gmock.h>

#include <set>

#include "decode/grpc/grpc.h"

namespace hopscope::tests {
namespace {

using decode::grpc::make_http2;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

std::vector<RawConnection> all_connections() {
    std::vector<RawConnection> out = cri_connections();
    for (RawConnection& connection : cri_uds_connections()) out.push_back(std::move(connection));
    return out;
}

// A CriMessage that outlives its event.
struct Told {
    std::uint32_t stream = 0;
    bool response = false, method_known = true;
    std::string method, container_id, sandbox_id, url;
    std::vector<std::string> command, names;

    [[nodiscard]] std::string token() const { return url.empty() ? std::string() : url.substr(url.rfind('/') + 1); }
    // All that is said except how the method was known.
    [[nodiscard]] std::string says() const {
        std::string out = std::to_string(stream) + (response ? " < " : " > ") + method + ' ' + container_id + ' ' +
                          sandbox_id + ' ' + url;
        for (const std::string& each : command) out += " arg=" + each;
        for (const std::string& each : names) out += ' ' + each;
        return out;
    }
};

class CriLog final : public EventSink {
public:
    void on(const Event& event) override {
        if (const auto* problem = std::get_if<Problem>(&event)) problems.push_back(std::string(problem->text));
        if (const auto* done = std::get_if<CriDone>(&event)) ++done_with[done->grpc_status];
        const auto* message = std::get_if<CriMessage>(&event);
        if (!message) return;
        Told told;
        told.stream = message->stream;
        told.response = message->response;
        told.method_known = message->method_known;
        told.method = message->method;
        told.container_id = message->container_id;
        told.sandbox_id = message->sandbox_id;
        told.url = message->url;
        for (const auto each : message->command) told.command.emplace_back(each);
        const auto join = [](std::initializer_list<std::string_view> parts) {
            std::string out;
            for (const auto part : parts) out += std::string(part) + '/';
            return out;
        };
        for (const CriSandbox& s : message->sandboxes) told.names.push_back(join({s.id, s.namespace_, s.pod, s.uid}));
        for (const CriContainer& c : message->containers)
            told.names.push_back(join({c.id, c.sandbox_id, c.namespace_, c.pod, c.name, c.uid}));
        messages.push_back(std::move(told));
    }
    [[nodiscard]] std::vector<std::string> tokens() const {
        std::vector<std::string> out;
        for (const Told& each : messages)
            if (!each.url.empty()) out.push_back(each.token());
        return out;
    }

    std::vector<Told> messages;
    std::vector<std::string> problems;
    std::map<std::uint32_t, int> done_with;
};

CriLog decode_talk(const Conversation& talk, bool late) {
    CriLog log;
    decode::Road road(make_http2(late));
    feed(
        road, talk, [](std::size_t left) { return left; }, log);
    return log;
}

// What is left of `talk` when its first `missed` bytes were not captured.
Conversation joined_after(const Conversation& talk, std::size_t missed) {
    Conversation out;
    for (const Turn& turn : talk) {
        const std::size_t skip = std::min(missed, turn.bytes.size());
        missed -= skip;
        if (skip == turn.bytes.size()) continue;
        out.push_back(turn);
        out.back().bytes.erase(0, skip);
    }
    return out;
}

// Where in the talk (bytes of both directions) the DATA frame begins whose payload holds `text`.
std::size_t frame_before(const Conversation& talk, const std::string& text) {
    std::size_t before = 0;
    for (const Turn& turn : talk) {
        const std::size_t at = turn.bytes.find(text);
        // Frame header, gRPC prefix, tag and length of the URL.
        if (at != std::string::npos) return before + at - 9 - 5 - 2;
        before += turn.bytes.size();
    }
    return before;
}

TEST(CriCaptures, DecodeWithoutAnyProblem) {
    for (const RawConnection& connection : all_connections()) {
        const CriLog log = decode_talk(connection.talk, false);
        EXPECT_THAT(log.problems, IsEmpty()) << connection.name;
        std::map<std::uint32_t, int> requests, responses;
        for (const Told& each : log.messages) {
            EXPECT_FALSE(each.method.empty()) << connection.name;
            EXPECT_TRUE(each.method_known) << connection.name;
            ++(each.response ? responses : requests)[each.stream];
        }
        // Unary calls: each has one request and ended; one without an answer ended with an error.
        for (const auto& [stream, count] : requests) EXPECT_EQ(count, 1) << connection.name << ' ' << stream;
        int done = 0;
        for (const auto& [status, count] : log.done_with) done += count;
        EXPECT_EQ(static_cast<std::size_t>(done), requests.size()) << connection.name;
        const auto good = log.done_with.find(0);
        EXPECT_EQ(responses.size(), good == log.done_with.end() ? 0U : static_cast<std::size_t>(good->second));
    }
}

TEST(CriCaptures, DoNotChangeWhereverTheyAreCut) {
    for (const RawConnection& connection : cri_connections()) {
        SCOPED_TRACE(connection.name);
        expect_cut_anywhere([] { return make_http2(false); }, connection.talk, 6);
        expect_cut_anywhere([] { return make_http2(true); }, joined_after(connection.talk, 200), 6);
    }
}

TEST(CriCaptures, HoldTheTokensAndCommandsOfTheTruthFiles) {
    for (const char* name : {"attach_stdin_stdout", "exec_exit3", "exec_stdout_stderr", "portforward_conc6"}) {
        const auto truth = read_truth("runtime/" + std::string(name) + ".truth.json");
        std::map<std::string, std::pair<Told, Told>> by_token;
        for (const RawConnection& connection : raw_connections(name)) {
            const CriLog log = decode_talk(connection.talk, false);
            for (const Told& answer : log.messages) {
                if (answer.url.empty()) continue;
                for (const Told& request : log.messages)
                    if (!request.response && request.stream == answer.stream)
                        by_token[answer.token()] = {request, answer};
            }
        }
        ASSERT_EQ(by_token.size(), truth["sessions"].size()) << name;
        for (const auto& session : truth["sessions"]) {
            ASSERT_TRUE(by_token.contains(session["token"])) << name;
            const auto& [request, answer] = by_token[session["token"]];
            EXPECT_EQ(answer.url.substr(7),
                      "127.0.0.1:42313/" + session["op"].get<std::string>() + '/' + answer.token());
            EXPECT_EQ(request.command, session.value("command", std::vector<std::string>{}));
            EXPECT_EQ(request.container_id, session.value("container_id", std::string()));
            EXPECT_EQ(request.sandbox_id, session["op"] == "portforward" ? session["sandbox_id"] : "");
        }
    }
}

TEST(CriCaptures, GiveTheSameCallsAsTsharkOnTheKubeletsSocket) {
    // tshark 4.0.17: -d tcp.port==50051,http2 -Y http2.headers.path -T fields -e http2.headers.path
    const std::map<std::string, int> tshark = {{"Attach", 1},
                                               {"ContainerStatus", 13},
                                               {"Exec", 4},
                                               {"ExecSync", 1},
                                               {"ImageFsInfo", 6},
                                               {"ImageStatus", 1},
                                               {"ListContainers", 44},
                                               {"ListContainerStats", 3},
                                               {"ListImages", 2},
                                               {"ListPodSandbox", 41},
                                               {"PortForward", 1},
                                               {"PodSandboxStatus", 2},
                                               {"Status", 5},
                                               {"Version", 13}};
    std::map<std::string, int> requests, responses;
    std::vector<std::string> tokens;
    for (const RawConnection& connection : cri_uds_connections()) {
        const CriLog log = decode_talk(connection.talk, false);
        for (const Told& each : log.messages) ++(each.response ? responses : requests)[each.method];
        for (const std::string& token : log.tokens()) tokens.push_back(token);
        EXPECT_EQ(log.done_with.size(), 1U);  // all of them OK
    }
    EXPECT_EQ(requests, tshark);
    EXPECT_EQ(responses, tshark);
    const auto truth = read_truth("node/cri_uds_small.truth.json");
    EXPECT_THAT(tokens, UnorderedElementsAreArray(truth["tokens"].get<std::vector<std::string>>()));
}

// --- joined late

TEST(CriCaptures, GiveEveryLaterTokenAndNoWrongNameHoweverLateTheyAreJoined) {
    std::size_t joins = 0, inferred = 0;
    for (const RawConnection& connection : all_connections()) {
        const CriLog whole = decode_talk(connection.talk, false);
        std::set<std::string> truth;
        for (const Told& each : whole.messages) truth.insert(each.says());
        std::map<std::string, std::size_t> token_at;
        for (const Told& each : whole.messages)
            if (!each.url.empty()) token_at[each.token()] = frame_before(connection.talk, each.url);

        const std::size_t size = size_of_talk(connection.talk);
        const std::size_t stride = std::max<std::size_t>(1, size / 500);
        for (std::size_t missed = 0; missed < size; missed += stride) {
            const CriLog late = decode_talk(joined_after(connection.talk, missed), true);
            ++joins;
            EXPECT_THAT(late.problems, IsEmpty()) << connection.name << " joined after " << missed;
            for (const Told& each : late.messages) {
                // A shape stands for the call that lists; its streaming twin has the same answers.
                EXPECT_TRUE(truth.contains(each.says()))
                    << connection.name << " joined after " << missed << ": " << each.says();
                inferred += each.method_known ? 0 : 1;
            }
            const auto found = late.tokens();
            for (const auto& [token, at] : token_at) {
                if (missed > at) continue;
                EXPECT_EQ(std::count(found.begin(), found.end(), token), 1)
                    << connection.name << " joined after " << missed << ", token at " << at;
            }
        }
    }
    EXPECT_GT(joins, 5000U);
    EXPECT_GT(inferred, 3000U);
}

TEST(CriCaptures, GiveTheRequestOfATokenAlsoWhenTheMethodIsInferred) {
    for (const RawConnection& connection : cri_uds_connections()) {
        // After a third of the talk: every path that the kubelet uses is an index into the header table.
        const CriLog late = decode_talk(joined_after(connection.talk, size_of_talk(connection.talk) / 3), true);
        for (const Told& answer : late.messages) {
            if (answer.url.empty()) continue;
            const auto request = std::find_if(late.messages.begin(), late.messages.end(), [&](const Told& each) {
                return !each.response && each.stream == answer.stream;
            });
            ASSERT_NE(request, late.messages.end());
            EXPECT_EQ(request->method, answer.method);
            EXPECT_EQ((request->container_id + request->sandbox_id).size(), 64U);
        }
    }
}

TEST(CriCaptures, GiveNoWrongNameBehindAHole) {
    for (const RawConnection& connection : cri_uds_connections()) {
        std::set<std::string> truth;
        const CriLog whole = decode_talk(connection.talk, false);
        for (const Told& each : whole.messages) truth.insert(each.says());
        std::mt19937 random(42);
        std::size_t told = 0;
        for (int run = 0; run < 200; ++run) {
            // Every so often one write is lost, whole or in part.
            Conversation holes;
            for (const Turn& turn : connection.talk) {
                if (random() % 40 != 0) {
                    holes.push_back(turn);
                    continue;
                }
                const std::size_t keep = random() % 2 == 0 ? 0 : random() % turn.bytes.size();
                const std::size_t lost =
                    random() % 2 == 0 ? turn.bytes.size() - keep : 1 + random() % (turn.bytes.size() - keep);
                if (keep > 0) holes.push_back({Turn::Kind::bytes, turn.direction, turn.bytes.substr(0, keep), 0});
                holes.push_back({Turn::Kind::gap, turn.direction, {}, lost});
                if (keep + lost < turn.bytes.size())
                    holes.push_back({Turn::Kind::bytes, turn.direction, turn.bytes.substr(keep + lost), 0});
            }
            const CriLog log = decode_talk(holes, false);
            EXPECT_THAT(log.problems, IsEmpty());
            for (const Told& each : log.messages) {
                // A message with a hole is told without its fields.
                const bool named = !each.names.empty() || !each.url.empty() || !each.container_id.empty();
                EXPECT_TRUE(!named || truth.contains(each.says())) << each.says();
            }
            told += log.messages.size();
        }
        EXPECT_GT(told, 100U * whole.messages.size());
    }
}

}  // namespace
}  // namespace hopscope::tests
