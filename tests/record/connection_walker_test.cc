// What of a connection stays when it is masked: found by the fuzzer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/mask_plan.h"

namespace hopscope::record {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Connection {
public:
    explicit Connection(ConnectionWalker::KindOf kind_of = [](std::uint32_t) { return StreamKind::unknown; })
        : walker_(std::move(kind_of), names_, counts_) {}
    void send(Direction direction, std::string_view bytes) {
        std::string& sent = sent_[index_of(direction)];
        walker_.bytes(direction, sent.size(), as_bytes(bytes));
        sent += bytes;
    }
    std::string masked(Direction direction) {
        walker_.end();
        std::string out = sent_[index_of(direction)];
        walker_.plan(direction).apply(0, reinterpret_cast<std::uint8_t*>(out.data()), out.size());
        return out;
    }

private:
    Pseudonyms names_;
    MaskCounts counts_;
    ConnectionWalker walker_;
    std::array<std::string, 2> sent_;
};

constexpr std::string_view kAsk = "POST /exec/aaaaaaaa HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
constexpr std::string_view kAnswer =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";

std::string data(std::uint32_t stream, std::string_view content) {
    std::string frame;
    for (const std::uint32_t word : {stream, static_cast<std::uint32_t>(content.size())})
        for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(word >> shift & 0xff);
    return frame.append(content);
}

TEST(ConnectionWalker, ATokenMayHaveAnyLength) {
    for (const std::size_t size : {1U, 2U, 8U, 35U, 36U, 64U, 2000U}) {
        Connection connection;
        connection.send(Direction::to_server, "GET /exec/" + std::string(size, 'e') + " HTTP/1.1\r\n\r\n");
        const std::string out = connection.masked(Direction::to_server);
        EXPECT_THAT(out, StartsWith("GET /exec/"));
        EXPECT_THAT(out, HasSubstr(" HTTP/1.1\r\n\r\n"));
        EXPECT_THAT(out.substr(10), Not(HasSubstr("e")));
    }
}

// Frames come in one piece or several; which stream a frame is of says its head, and nothing that follows.
TEST(ConnectionWalker, TheContentOfAFrameDoesNotSayWhichStreamItIsOf) {
    const auto kind_of = [](std::uint32_t stream) { return stream == 7 ? StreamKind::resize : StreamKind::out; };
    Connection connection(kind_of);
    connection.send(Direction::to_server, kAsk);
    connection.send(Direction::to_client, kAnswer);
    using namespace std::string_literals;
    connection.send(Direction::to_client, data(5, "\0\0\0\7secret"s) + data(7, R"({"Width":80,"Height":25})"));
    const std::string out = connection.masked(Direction::to_client);
    EXPECT_THAT(out, Not(HasSubstr("secret")));
    EXPECT_THAT(out, HasSubstr(R"({"Width":80,"Height":25})"));
}

TEST(ConnectionWalker, OnlyAServerHasAStatusToTell) {
    Connection connection([](std::uint32_t) { return StreamKind::error; });
    connection.send(Direction::to_server, kAsk);
    connection.send(Direction::to_client, kAnswer);
    constexpr std::string_view kStatus = R"({"status":"Failure","message":"not secret"})";
    connection.send(Direction::to_server, data(1, kStatus));
    connection.send(Direction::to_client, data(1, kStatus) + data(1, R"({"status":"secret"})"));
    EXPECT_THAT(connection.masked(Direction::to_server), Not(HasSubstr("Failure")));
    const std::string out = connection.masked(Direction::to_client);
    EXPECT_THAT(out, HasSubstr(R"({"status":"Failure","message":"xxxxxxxxxx"})"));
    EXPECT_THAT(out, Not(HasSubstr("secret")));  // what follows a Status is none
}

}  // namespace
}  // namespace hopscope::record
