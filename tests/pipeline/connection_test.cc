// Who is the client of a connection that is joined in the middle: by its bytes, or by who is asked.
#include "pipeline/connection.h"

#include <gtest/gtest.h>

namespace hopscope::pipeline {
namespace {

class Owner final : public Connection::Owner {
public:
    void recognised(Connection&, decode::stream::Protocol protocol, bool turned, bool) override {
        recognised_as = protocol;
        flipped = turned;
    }
    void on(const Event&) override {}

    decode::stream::Protocol recognised_as = decode::stream::Protocol::undecided;
    bool flipped = false;
};

// What a client types, and nothing of what it is answered: output is more common, so that it looks like a server's.
Owner typed(std::optional<bool> first_is_client) {
    Owner owner;
    Connection connection(false, {}, first_is_client);
    const std::vector<std::uint8_t> frame = {0, 0, 0, 3, 0, 0, 0, 2, 'x', '\n'};
    for (int i = 0; i < 4; ++i) connection.bytes(Direction::to_server, frame, owner);
    connection.ended(false, owner);
    return owner;
}

TEST(Connection, who_is_the_client_is_guessed_only_where_nobody_knows) {
    EXPECT_EQ(typed({}).recognised_as, decode::stream::Protocol::spdy);
    EXPECT_TRUE(typed({}).flipped);
    EXPECT_EQ(typed(true).recognised_as, decode::stream::Protocol::spdy);
    EXPECT_FALSE(typed(true).flipped);
    EXPECT_TRUE(typed(false).flipped);
}

}  // namespace
}  // namespace hopscope::pipeline
