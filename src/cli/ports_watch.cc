#include "cli/ports_watch.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <ctime>
#include <map>

#include "cli/report_error.h"
#include "cli/watched_connections.h"
#include "core/limits.h"
#include "core/untrusted.h"
#include "export/watch_lines.h"
#include "pipeline/live_runner.h"
#include "procmap/bpf/watcher.h"

namespace hopscope::cli {

using chain::Judgement;
using chain::Verdict;
using pipeline::wall_clock;

namespace {

volatile std::sig_atomic_t stop_asked = 0;
void ask_to_stop(int) { stop_asked = 1; }

// The first ^C is the normal end; without SA_RESTART it also ends the sleep.
void catch_stop() {
    struct sigaction action {};
    action.sa_handler = ask_to_stop;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

// The same listener in two pictures: a server that was restarted on its port is another one.
std::string key_of(const Verdict& verdict) {
    return std::to_string(static_cast<int>(verdict.transport)) + " " + to_string(verdict.local) + " " +
           std::to_string(verdict.inode) + " " + verdict.unix_path;
}

// Does a connection to `server` arrive at this listener?
bool arrives_at(const Verdict& verdict, const SocketLife& life) {
    if (verdict.transport != Transport::tcp || verdict.local.port != life.server.port) return false;
    if (verdict.net_namespace != 0 && life.net_namespace != 0 && verdict.net_namespace != life.net_namespace)
        return false;
    return verdict.local.address == life.server.address ||
           (verdict.local.address.is_unspecified() && !(verdict.v6_only && life.server.address.is_v4()));
}

class Watch {
public:
    Watch(WatchRequest& request, exports::Output& out)
        : request_(request),
          lines_(out, request.style, request.ndjson),
          book_([this](const SocketLife& life) { told(life); }) {}

    // The eBPF watcher, where it is wanted and can be had; `why_not_` else says why.
    Status attach() {
        if (request_.ebpf == "off") {
            why_not_ = "--ebpf off";
            return Done{};
        }
        if (!request_.reader.root().is_live()) {
            why_not_ = "another root directory";
            return Done{};
        }
        auto opened = procmap::SocketWatcher::open(limits::kLifeRingBytes, 0,
                                                   request_.queries.empty() ? 0 : limits::kLifeRingBytes);
        if (opened) {
            watcher_ = std::move(*opened);
            return Done{};
        }
        if (request_.ebpf == "require") return unexpected(opened.error());
        why_not_ = opened.error().why + (opened.error().code.empty() ? "" : " [" + opened.error().code + "]");
        return Done{};
    }

    void start(const Node& node) {
        std::vector<std::string> limits = limits_of(node);
        if (!watcher_) {
            char seconds[32];
            std::snprintf(seconds, sizeof seconds, "%.2g s", static_cast<double>(request_.interval_ms) / 1000);
            limits.insert(
                limits.begin(),
                "polling every " + std::string(seconds) +
                    ": listeners and connections that live shorter than that are missed (no eBPF: " + why_not_ + ")");
        } else if (!request_.queries.empty()) {
            limits.insert(limits.begin(),
                          "unix sockets: that a connection ended is seen at the next look, one that is never accepted "
                          "is missed if it is shorter than the interval");
        }
        lines_.start({.at = wall_clock(),
                      .method = watcher_ ? "eBPF" : "polling",
                      .interval = {request_.interval_ms * 1'000'000},
                      .limits = std::move(limits)});
    }

    // Until the next look, or earlier when a listener came or went.
    void wait() {
        const Timestamp until = wall_clock() + Duration{request_.interval_ms * 1'000'000};
        look_again_ = false;
        while (stop_asked == 0) {
            const std::int64_t left_ms = (until - wall_clock()).ns / 1'000'000;
            if (left_ms <= 0) return;
            if (!watcher_) {
                sleep_ms(left_ms);
                continue;
            }
            pollfd ready{.fd = watcher_->fd(), .events = POLLIN, .revents = 0};
            ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left_ms, kTickMs)));
            watcher_->drain([&](const procmap::SocketSign& sign) { book_.on(sign); },
                            [&](const procmap::UnixAccept& accept) { connections_.accepted(accept); });
            book_.tick(wall_clock());
            if (look_again_) {
                sleep_ms(kSettleMs);  // a program that starts opens several
                return;
            }
        }
    }

    void picture(const Node& node) {
        const Timestamp at = wall_clock();
        PortChoice choice = request_.choice;
        choice.shows_namespace = [&](std::uint64_t net_namespace) {
            return request_.reader.shows_namespace(net_namespace, node);
        };
        const Judgement judgement = chain::judge(node, request_.traffic);
        const Judgement considered = chosen(choice, judgement);
        std::map<std::string, const Verdict*> now;
        if (request_.queries.empty()) {
            for (const Verdict& verdict : considered.verdicts) now.emplace(key_of(verdict), &verdict);
        } else {
            for (const PortQuery& query : request_.queries)
                for (const Verdict* verdict : find_listeners(query, considered.verdicts, node.table))
                    now.emplace(key_of(*verdict), verdict);
        }
        for (const auto& [key, verdict] : listeners_)
            if (!now.contains(key)) lines_.port(exports::WatchLines::Port::closed, verdict, at);
        for (const auto& [key, verdict] : now)
            if (!listeners_.contains(key))
                lines_.port(first_ ? exports::WatchLines::Port::there : exports::WatchLines::Port::opened, *verdict,
                            at);
        if (first_ && watcher_) seed(node, at);
        if (!request_.queries.empty()) connections_.look(now, node.table, watcher_ == nullptr, at);
        listeners_.clear();
        for (const auto& [key, verdict] : now) listeners_.emplace(key, *verdict);
        first_ = false;
    }

    void end() {
        book_.flush();
        lines_.end(wall_clock(), watcher_ ? watcher_->lost() + book_.forgotten() + connections_.dropped() : 0);
    }

private:
    static constexpr std::int64_t kTickMs = 50;
    static constexpr std::int64_t kSettleMs = 20;

    static void sleep_ms(std::int64_t milliseconds) {
        const timespec span{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
        ::nanosleep(&span, nullptr);
    }

    void seed(const Node& node, Timestamp at) {
        book_.seed(node.table.sockets, at, [&](const ProcessId& id) {
            const hopscope::Process* process = find_process(node.table, id.pid);
            return process ? process->comm : Untrusted();
        });
    }

    void told(const SocketLife& life) {
        if (life.kind == SocketLife::Kind::listen || life.kind == SocketLife::Kind::unlisten) {
            look_again_ = true;
            return;
        }
        // A listener that is asked for by its port may have opened a moment ago.
        const bool by_port = std::any_of(request_.queries.begin(), request_.queries.end(), [&](const PortQuery& query) {
            return query.port != 0 && query.port == life.server.port &&
                   (!query.address || *query.address == life.server.address);
        });
        const bool asked =
            !request_.queries.empty() && std::any_of(listeners_.begin(), listeners_.end(),
                                                     [&](const auto& each) { return arrives_at(each.second, life); });
        if (by_port || asked) lines_.connection(life, "");
    }

    WatchRequest& request_;
    exports::WatchLines lines_;
    WatchedConnections connections_{lines_};
    procmap::SocketLifeBook book_;
    std::unique_ptr<procmap::SocketWatcher> watcher_;  // null: polling
    std::string why_not_;
    bool look_again_ = false;
    std::map<std::string, Verdict> listeners_;
    bool first_ = true;
};

}  // namespace

Result<std::int64_t> watch_interval(const std::string& text) {
    double seconds = 1;
    if (!text.empty()) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (error != std::errc{} || end != text.data() + text.size() || !(seconds >= 0.05) || seconds > 3600)
            return unexpected(Error{.doing = "",
                                    .subject = "",
                                    .why = "'" + display(text) + "' is not valid for --watch",
                                    .hint = "seconds between two looks, 0.05 to 3600: --watch=0.5",
                                    .code = "USE-01"});
    }
    return static_cast<std::int64_t>(std::lround(seconds * 1000));
}

int watch_ports(WatchRequest request) {
    catch_stop();
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    Watch watch(request, out);
    if (auto attached = watch.attach(); !attached) {
        report_error(attached.error());
        return kNotPermitted;
    }
    bool begun = false;
    while (stop_asked == 0) {
        const auto node = request.reader.take();
        if (!node) {
            report_error(node.error());
            return exit_code(node.error());
        }
        if (!begun) watch.start(*node);
        begun = true;
        watch.picture(*node);
        if (out.failed()) return kDone;  // nobody reads any more
        watch.wait();
    }
    watch.end();
    return kDone;
}

}  // namespace hopscope::cli
