// Probes against servers on loopback that behave as runtimes, as TLS, and badly.
#include "procmap/probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace hopscope::procmap::test {
namespace {

using std::chrono::milliseconds;

// Answers each request (read up to its empty line) with what `answer` makes of its first line; empty: stays silent.
class HttpServer {
public:
    HttpServer(std::function<std::string(const std::string&)> answer, bool keeps, std::string greeting = {})
        : answer_(std::move(answer)), keeps_(keeps), greeting_(std::move(greeting)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_, 8), 0);
        socklen_t size = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        endpoint_ = {*IpAddress::parse("127.0.0.1"), ntohs(address.sin_port)};
        thread_ = std::thread([this] { serve(); });
    }
    ~HttpServer() {
        over_ = true;
        thread_.join();
        ::close(listener_);
    }
    [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
    [[nodiscard]] int connections() const { return connections_; }

private:
    [[nodiscard]] bool ready(int fd) const {
        while (!over_) {
            pollfd waiting{fd, POLLIN, 0};
            if (::poll(&waiting, 1, 10) > 0) return true;
        }
        return false;
    }
    void serve() {
        while (ready(listener_)) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            ++connections_;
            if (!greeting_.empty()) ::send(fd, greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
            std::string got;
            char piece[4096];
            while (ready(fd)) {
                const ssize_t some = ::recv(fd, piece, sizeof piece, 0);
                if (some <= 0) break;
                got.append(piece, static_cast<std::size_t>(some));
                const std::size_t end = got.find("\r\n\r\n");
                if (end == std::string::npos) continue;
                const std::string out = answer_(got.substr(0, got.find(" HTTP/1.1")));
                got.erase(0, end + 4);
                ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
                if (!keeps_ && !out.empty()) break;
            }
            ::close(fd);
        }
    }

    std::function<std::string(const std::string&)> answer_;
    bool keeps_;
    std::string greeting_;
    Endpoint endpoint_;
    int listener_ = -1;
    std::atomic<bool> over_ = false;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

std::string http(const std::string& status, const std::string& fields, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}

// As containerd 1.6.20 answers.
std::string streaming_server(const std::string& request) {
    if (request == "PUT /exec/x")
        return http("405 Method Not Allowed", "Allow: GET, POST\r\n", "405: Method Not Allowed");
    if (request == "GET /exec/x")
        return http("404 Not Found", "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
                    "404 page not found\n");
    return http("404 Not Found", "", "404: Page Not Found");
}

ProbeAnswer one(const Endpoint& endpoint, milliseconds time = milliseconds(3000)) {
    return probe(std::span(&endpoint, 1), time).at(0);
}

const ProbeAnswer::Line& line(const ProbeAnswer& answer, std::string_view request) {
    static const ProbeAnswer::Line none;
    for (const ProbeAnswer::Line& each : answer.lines)
        if (each.request == request) return each;
    ADD_FAILURE() << request << " has no answer";
    return none;
}

TEST(Probe, a_streaming_server_shows_its_marks_on_one_connection) {
    for (const bool keeps : {true, false}) {
        const HttpServer server(streaming_server, keeps);
        const ProbeAnswer answer = one(server.endpoint());
        EXPECT_EQ(answer.endpoint, server.endpoint());
        EXPECT_EQ(answer.trouble, "");
        EXPECT_FALSE(answer.tls);
        EXPECT_EQ(answer.lines.size(), 5u);
        EXPECT_EQ(line(answer, "PUT /exec/x").status, 405);
        EXPECT_EQ(line(answer, "PUT /exec/x").allow.raw(), "GET, POST");
        EXPECT_EQ(line(answer, "PUT /exec/x").body.raw(), "405: Method Not Allowed");
        EXPECT_EQ(line(answer, "GET /").status, 404);
        EXPECT_FALSE(line(answer, "GET /").nosniff);
        EXPECT_EQ(line(answer, "GET /").body.raw(), "404: Page Not Found");
        EXPECT_TRUE(line(answer, "GET /exec/x").nosniff);
        EXPECT_EQ(line(answer, "GET /exec/x").body.raw(), "404 page not found\n");
        EXPECT_EQ(line(answer, "PUT /cri/exec/x").status, 404);
        EXPECT_EQ(server.connections(), keeps ? 1 : 5);
    }
}

TEST(Probe, what_serves_pages_gets_no_put) {
    std::mutex lock;
    std::vector<std::string> asked;
    const HttpServer shop(
        [&](const std::string& request) {
            const std::lock_guard guard(lock);
            asked.push_back(request);
            return http("200 OK", "", "welcome");
        },
        true);
    const ProbeAnswer answer = one(shop.endpoint());
    const std::lock_guard guard(lock);
    EXPECT_EQ(asked, std::vector<std::string>{"GET /"});
    ASSERT_EQ(answer.lines.size(), 1u);
    EXPECT_EQ(answer.lines[0].status, 200);
    EXPECT_EQ(answer.trouble, "");
}

TEST(Probe, tls_is_recognised_by_its_refusals) {
    const HttpServer alert([](const std::string&) { return std::string("\x15\x03\x01\x00\x02\x02\x16", 7); }, false);
    const HttpServer go(
        [](const std::string&) {
            return "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        },
        false);
    for (const HttpServer* server : {&alert, &go}) {
        const ProbeAnswer answer = one(server->endpoint());
        EXPECT_TRUE(answer.tls);
        EXPECT_TRUE(answer.lines.empty());
        EXPECT_EQ(answer.trouble, "");
    }
}

TEST(Probe, what_comes_to_nothing_is_told) {
    const HttpServer silent([](const std::string&) { return std::string(); }, true);
    EXPECT_EQ(one(silent.endpoint(), milliseconds(120)).trouble, "no answer within 120 ms");
    const HttpServer ssh([](const std::string&) { return std::string("Invalid SSH identification string.\r\n"); },
                         false, "SSH-2.0-OpenSSH_9.2\r\n");
    EXPECT_EQ(one(ssh.endpoint()).trouble, "it answers, but not with HTTP");
    Endpoint closed;
    {
        const HttpServer gone(streaming_server, true);
        closed = gone.endpoint();
    }
    EXPECT_EQ(one(closed).trouble, "Connection refused");
    const HttpServer endless([](const std::string&) { return "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'); },
                             true);
    const ProbeAnswer long_one = one(endless.endpoint(), milliseconds(2000));
    EXPECT_EQ(line(long_one, "GET /").body.size(), 80u);
}

TEST(Probe, nothing_but_loopback_is_ever_asked) {
    const std::vector<Endpoint> others = {{*IpAddress::parse("192.0.2.1"), 80}, {*IpAddress::parse("2001:db8::1"), 80}};
    for (const ProbeAnswer& answer : probe(others)) EXPECT_EQ(answer.trouble, "not a loopback address: never asked");
}

TEST(Probe, a_listener_on_all_addresses_is_asked_through_loopback) {
    const HttpServer server(streaming_server, true);
    const ProbeAnswer answer = one({*IpAddress::parse("0.0.0.0"), server.endpoint().port});
    EXPECT_EQ(answer.lines.size(), 5u);
    EXPECT_TRUE(answer.endpoint.address.is_unspecified());
}

TEST(Probe, many_at_once) {
    const HttpServer silent([](const std::string&) { return std::string(); }, true);
    const std::vector<Endpoint> same(16, silent.endpoint());
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(probe(same, milliseconds(1000)).size(), 16u);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(8'000));  // one after another: 16 s
}

}  // namespace
}  // namespace hopscope::procmap::test
