// Users and passwords in URLs, hidden; everything else as it was.
#include "core/credentials.h"

#include <gtest/gtest.h>

namespace hopscope {
namespace {

TEST(Credentials, are_hidden_wherever_a_url_has_them) {
    const std::pair<const char*, const char*> texts[] = {
        {"tcp://user:PW@127.0.0.1:2375", "tcp://***@127.0.0.1:2375"},
        {"unix:///var/run/docker.sock,tcp://user:PW@127.0.0.1:2375,tcp://a:b@[::1]:80",
         "unix:///var/run/docker.sock,tcp://***@127.0.0.1:2375,tcp://***@[::1]:80"},
        {"http://token@proxy:3128/x", "http://***@proxy:3128/x"},
        {"http://u:p@q@proxy:3128", "http://***@proxy:3128"},
        {"http://u:PW/with?every#thing,PW@proxy:3128/a", "http://***@proxy:3128/a"},
        {R"(["tcp://u:PW@0.0.0.0:2375", "fd://"])", R"(["tcp://***@0.0.0.0:2375", "fd://"])"},
        {"user:PW@127.0.0.1:2375", "***@127.0.0.1:2375"},
        {"tcp://u:PW@", "tcp://***@"},
    };
    for (const auto& [text, shown] : texts) {
        EXPECT_EQ(without_credentials(text), shown) << text;
        EXPECT_EQ(without_credentials(shown), shown) << "twice is as once";
    }
}

TEST(Credentials, nothing_else_is_touched) {
    for (const char* text : {"", "@", "@/containerd-shim/x.sock", "unix:@abstract", "unix://@abstract",
                             "/run/user@1000.service/a:b@c.sock", "https://127.0.0.1:2379,https://[::1]:2379",
                             "http://127.0.0.1:8080/mail/a@b", "127.0.0.1:10010", "::1", "a@b", "[\"a\", \"b\"]",
                             "true", "unix:///run/a:b@c.sock"})
        EXPECT_EQ(without_credentials(text), text);
}

}  // namespace
}  // namespace hopscope
