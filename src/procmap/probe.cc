#include "procmap/probe.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <thread>

#include "core/limits.h"
#include "decode/road.h"
#include "decode/stream/http1.h"
#include "procmap/names/call.h"
#include "procmap/names/http_collector.h"

namespace hopscope::procmap {
namespace {

// A streaming server has no page at "/" in any version: what answers it otherwise than with 404 is asked nothing more.
// So a PUT, which some servers would take as an order to store something, reaches none that serves pages.
constexpr std::string_view kFirstRequest = "GET /";
constexpr std::string_view kRequests[] = {kFirstRequest, "PUT /exec/x", "GET /exec/x", "PUT /cri/exec/x",
                                          "GET /cri/exec/x"};
constexpr std::string_view kNotHttps = "Client sent an HTTP request to an HTTPS server";  // Go's net/http

// One connection and what came back on it.
struct Connection {
    Connection(Call opened)
        : call(std::move(opened)), answers(limits::kProbeAnswerBytesMax), road(decode::stream::make_http1()) {}
    Call call;
    HttpCollector answers;
    decode::Road road;
    std::size_t asked = 0;
    std::size_t received = 0;
    bool tls = false;
};

class Prober {
public:
    Prober(const Endpoint& endpoint, Call::Clock::time_point deadline, std::string in_time)
        : deadline_(deadline), in_time_(std::move(in_time)), to_(endpoint) {
        answer_.endpoint = endpoint;
        if (to_.address.is_unspecified()) to_.address = *IpAddress::parse(to_.address.is_v4() ? "127.0.0.1" : "::1");
    }

    ProbeAnswer run() && {
        if (!to_.address.is_loopback()) {
            answer_.trouble = "not a loopback address: never asked";
            return std::move(answer_);
        }
        for (std::string_view request : kRequests) {
            // A server that ends the connection after each answer gets a new one.
            const bool kept = connection_.has_value();
            bool answered = ask(request);
            if (!answered && kept && !answer_.tls && answer_.trouble.empty()) {
                connection_.reset();
                answered = ask(request);
            }
            if (!answered) break;
            if (request == kFirstRequest && answer_.lines.back().status != 404) break;
        }
        if (answer_.lines.empty() && answer_.trouble.empty() && !answer_.tls)
            answer_.trouble = "it closed the connection";
        return std::move(answer_);
    }

private:
    // False: nothing more is to be had from this connection; `trouble` then says why, unless it was only closed.
    bool ask(std::string_view request) {
        if (!connection_) {
            Result<Call> call = Call::to_tcp(to_, deadline_);
            if (!call) return fail(call.error());
            connection_.emplace(std::move(*call));
        }
        Connection& c = *connection_;
        const std::string text = std::string(request) +
                                 " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: hopscope/" HOPSCOPE_VERSION
                                 "\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n";
        c.road.feed(Direction::to_server, as_bytes(text), c.answers);
        const std::size_t number = c.asked++;
        if (const Status sent = c.call.send(text); !sent)
            return sent.error().errno_value == ETIMEDOUT && fail(sent.error());
        while (!c.answers.over(number)) {
            const Result<Bytes> got = c.call.receive();
            if (!got) return got.error().errno_value == ETIMEDOUT && fail(got.error());
            if (got->empty()) {
                c.road.end(Direction::to_client, c.answers);
                if (c.answers.over(number)) break;
                return false;
            }
            // A TLS server answers bytes that are no hello with an alert record (RFC 8446 section 5.1).
            if (c.received == 0 && (*got)[0] == 0x15 && (got->size() < 2 || (*got)[1] == 0x03)) {
                answer_.tls = true;
                return false;
            }
            c.received += got->size();
            c.road.feed(Direction::to_client, *got, c.answers);
            if (c.answers.problem() || c.road.dead()) {
                answer_.trouble = "it answers, but not with HTTP";
                return false;
            }
        }
        return take(request, c.answers.answers()[number]);
    }

    bool take(std::string_view request, const HttpAnswer& got) {
        if (got.status == 400 && got.body.find(kNotHttps) != std::string::npos) {
            answer_.tls = true;
            return false;
        }
        answer_.lines.push_back({std::string(request), got.status, got.content_type_options == "nosniff",
                                 Untrusted(got.allow),
                                 Untrusted(std::string_view(got.body).substr(0, limits::kProbeBodyBytesKept))});
        if (got.cut) connection_.reset();  // the rest of a long body is not waited for
        return true;
    }

    bool fail(const Error& error) {
        answer_.trouble = error.errno_value == ETIMEDOUT ? "no answer within " + in_time_ : error.why;
        return false;
    }

    Call::Clock::time_point deadline_;
    std::string in_time_;
    Endpoint to_;
    ProbeAnswer answer_;
    std::optional<Connection> connection_;
};

std::string told(std::chrono::milliseconds time) {
    return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + " s" : std::to_string(time.count()) + " ms";
}

}  // namespace

std::vector<ProbeAnswer> probe(std::span<const Endpoint> endpoints, std::chrono::milliseconds each) {
    endpoints = endpoints.first(std::min(endpoints.size(), limits::kProbesMax));
    std::vector<ProbeAnswer> answers(endpoints.size());
    const auto ask = [&](std::size_t i) {
        answers[i] = Prober(endpoints[i], Call::Clock::now() + each, told(each)).run();
    };
    for (std::size_t begin = 0; begin < endpoints.size(); begin += limits::kProbesAtOnce) {
        std::vector<std::thread> threads;
        for (std::size_t i = begin; i < std::min(begin + limits::kProbesAtOnce, endpoints.size()); ++i) {
            try {
                threads.emplace_back(ask, i);
            } catch (const std::system_error&) {
                ask(i);
            }
        }
        for (std::thread& thread : threads) thread.join();
    }
    return answers;
}

}  // namespace hopscope::procmap
