// `hopscope observe` as a user starts it: a process of its own, traffic over real sockets, signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>

#include "support/play_capture.h"

namespace hopscope {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class Observe {
public:
    explicit Observe(std::vector<std::string> options) {
        int out[2], err[2];
        EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(err, O_CLOEXEC), 0);
        std::vector<std::string> words = {HOPSCOPE_BINARY, "observe"};
        words.insert(words.end(), options.begin(), options.end());
        std::vector<char*> arguments;
        for (std::string& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        pid_ = ::fork();  // into the network namespace of this thread
        if (pid_ == 0) {
            ::dup2(out[1], STDOUT_FILENO);
            ::dup2(err[1], STDERR_FILENO);
            ::setenv("HOPSCOPE_CONFIG", "/dev/null", 1);
            ::execv(arguments[0], arguments.data());
            ::_exit(127);
        }
        ::close(out[1]);
        ::close(err[1]);
        out_ = test::Fd(out[0]);
        err_ = test::Fd(err[0]);
    }
    ~Observe() {
        if (pid_ > 0 && status_ < 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    Observe(const Observe&) = delete;
    Observe& operator=(const Observe&) = delete;

    // The next line, without waiting longer than this.
    bool line(std::string& text, std::chrono::milliseconds longest = 20s) {
        for (;;) {
            if (const auto end = buffer_.find('\n'); end != std::string::npos) {
                text = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                return true;
            }
            pollfd ready{.fd = out_.get(), .events = POLLIN, .revents = 0};
            if (::poll(&ready, 1, static_cast<int>(longest.count())) <= 0) return false;
            char block[65536];
            const ssize_t got = ::read(out_.get(), block, sizeof block);
            if (got <= 0) return false;
            buffer_.append(block, static_cast<std::size_t>(got));
        }
    }
    // Lines up to and with the first one of this kind.
    std::vector<json> until(const std::string& kind) {
        std::vector<json> lines;
        for (std::string text; line(text);) {
            lines.push_back(json::parse(text));
            EXPECT_TRUE(text.starts_with("{\"schema\":\"hopscope.event/v1\",\"kind\":")) << text;
            if (lines.back()["kind"] == kind) return lines;
        }
        ADD_FAILURE() << "no line of kind " << kind << "; " << errors();
        return lines;
    }
    void signal(int number) const { ::kill(pid_, number); }
    int wait() {
        ::waitpid(pid_, &status_, 0);
        return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
    }
    std::string errors() {
        std::string text;
        char block[4096];
        ::fcntl(err_.get(), F_SETFL, O_NONBLOCK);
        for (ssize_t got; (got = ::read(err_.get(), block, sizeof block)) > 0;)
            text.append(block, static_cast<std::size_t>(got));
        return text;
    }

private:
    pid_t pid_ = -1;
    int status_ = -1;
    test::Fd out_, err_;
    std::string buffer_;
};

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

TEST(Observe, tells_a_session_while_it_happens_with_both_processes_and_ends_in_order) {
    const test::Script script("runtime/exec_exit3.pcap");
    ASSERT_FALSE(script.flows.empty());
    IN_PRIVATE_NETWORK([&] {
        Observe observe({"-o", "json", "-i", "lo", "--port", "all"});
        const auto start = observe.until("capture.start");
        ASSERT_EQ(start.size(), 1U);
        EXPECT_EQ(start[0]["interfaces"], json({"lo"}));
        const std::int64_t played = now_ns();
        script.play();
        const auto lines = observe.until("session");
        ASSERT_FALSE(lines.empty());
        // Goal: 250 ms. Here only: it does not wait for the next event, a full buffer or the end.
        EXPECT_LT(now_ns() - played, 5'000'000'000);
        const json& session = lines.back();
        EXPECT_EQ(session["op"], "exec");
        EXPECT_EQ(session["state"], "closed");
        EXPECT_EQ(session["exit_code"], 3);
        EXPECT_EQ(session["complete"], true);
        EXPECT_EQ(session["bytes"], (json{{"in", 0}, {"out", 4}}));
        EXPECT_FALSE(session.contains("command"));
        EXPECT_EQ(session["request"]["path"].get<std::string>().find("ClO1"), 6U);
        EXPECT_EQ(session["request"]["path"].get<std::string>().size(), std::string("/exec/ClO1····").size())
            << "the token is masked";
        observe.signal(SIGUSR1);
        std::this_thread::sleep_for(300ms);
        observe.signal(SIGTERM);
        const auto rest = observe.until("capture.end");
        ASSERT_FALSE(rest.empty());
        EXPECT_EQ(rest.back()["loss"]["kernel"], 0);
        EXPECT_EQ(rest.back()["sessions_seen"], 1);
        EXPECT_EQ(rest.back()["lines"], start.size() + lines.size() + rest.size());
        std::string more;
        EXPECT_FALSE(observe.line(more)) << more;
        EXPECT_EQ(observe.wait(), 0);
        const std::string errors = observe.errors();
        // Once for SIGUSR1, once at the end.
        const std::string_view summary = "hopscope: 1 session, ";
        EXPECT_NE(errors.find(summary, errors.find(summary) + 1), std::string::npos) << errors;
        EXPECT_NE(errors.find(", 0 lost, "), std::string::npos) << errors;
    });
}

// Both ends are in this process, and are gone within milliseconds: only the kernel can have told.
TEST(Observe, names_the_processes_of_short_connections_where_ebpf_works) {
    const test::Script script("runtime/exec_exit3.pcap");
    std::string skipped;
    IN_PRIVATE_NETWORK([&] {
        Observe observe({"-o", "json", "-i", "lo", "--port", "all", "--ebpf", "require"});
        std::string first;
        if (!observe.line(first)) {
            skipped = "eBPF does not work here";
            EXPECT_EQ(observe.wait(), 4);
            return;
        }
        script.play();
        const auto lines = observe.until("session");
        ASSERT_FALSE(lines.empty());
        for (const char* end : {"from", "to"}) {
            ASSERT_TRUE(lines.back().contains(end)) << lines.back();
            EXPECT_EQ(lines.back()[end]["process"]["pid"], ::getpid());
        }
        observe.signal(SIGINT);
        observe.until("capture.end");
        EXPECT_EQ(observe.wait(), 0);
    });
    if (!skipped.empty()) GTEST_SKIP() << skipped;
}

TEST(Observe, drops_of_a_small_ring_are_told_and_the_filter_does_not_hide_them) {
    const test::Script script("runtime/exec_exit3.pcap");
    IN_PRIVATE_NETWORK([&] {
        Observe observe(
            {"-o", "json", "-i", "lo", "--port", "all", "--buffer", "64KiB", "--strict", "-f", "op == attach"});
        observe.until("capture.start");
        test::TcpPair pair(script.port);
        const std::vector<std::uint8_t> bulk(1 << 20, 'x');
        observe.signal(SIGSTOP);
        for (int i = 0; i < 32; ++i) ASSERT_TRUE(test::pass_on(pair.server.get(), pair.client.get(), bulk));
        observe.signal(SIGCONT);
        const auto lines = observe.until("loss");
        ASSERT_FALSE(lines.empty());
        EXPECT_GT(lines.back()["lost"]["kernel"], 0);
        observe.signal(SIGTERM);
        const auto rest = observe.until("capture.end");
        ASSERT_FALSE(rest.empty());
        EXPECT_GE(rest.back()["loss"]["kernel"], lines.back()["lost"]["kernel"]);
        EXPECT_EQ(observe.wait(), 6);
        const std::string errors = observe.errors();
        EXPECT_NE(errors.find("lost: kernel "), std::string::npos) << errors;
        EXPECT_NE(errors.find("--buffer 128"), std::string::npos) << errors;
    });
}

TEST(Observe, ends_by_itself_after_a_time_or_a_number_of_events) {
    const test::Script script("runtime/exec_exit3.pcap");
    IN_PRIVATE_NETWORK([&] {
        // Sockets of others on this machine are no part of this.
        Observe timed({"-o", "json", "-i", "lo", "--for", "300ms", "--unix-payload", "off"});
        EXPECT_EQ(timed.until("capture.end").size(), 2U);
        EXPECT_EQ(timed.wait(), 0);
        Observe counted({"-i", "lo", "--port", std::to_string(script.port), "--count", "1"});
        std::string note;
        for (int i = 0; i < 200 && note.find("capturing on lo") == std::string::npos; ++i) {
            std::this_thread::sleep_for(100ms);
            note += counted.errors();
        }
        EXPECT_NE(note.find("port " + std::to_string(script.port)), std::string::npos) << note;
        std::this_thread::sleep_for(200ms);
        script.play();
        std::string line;
        ASSERT_TRUE(counted.line(line));
        EXPECT_NE(line.find("session.open"), std::string::npos) << line;
        EXPECT_EQ(counted.wait(), 0);
    });
}

TEST(Observe, errors_have_their_own_exit_codes) {
    IN_PRIVATE_NETWORK([] {
        Observe nowhere({"-i", "nic7"});
        EXPECT_EQ(nowhere.wait(), 1);
        EXPECT_NE(nowhere.errors().find("[CAP-02]"), std::string::npos);
        Observe nonsense({"-i", "lo", "--bpf", "port port"});
        EXPECT_EQ(nonsense.wait(), 2);
        EXPECT_NE(nonsense.errors().find("[CAP-25]"), std::string::npos);
        Observe span({"--for", "yesterday"});
        EXPECT_EQ(span.wait(), 2);
    });
}

}  // namespace
}  // namespace hopscope
