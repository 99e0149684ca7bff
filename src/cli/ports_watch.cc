#include "cli/ports_watch.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include "cli/report_error.h"
#include "core/limits.h"
#include "core/node_words.h"
#include "core/untrusted.h"
#include "export/watch_lines.h"
#include "procmap/bpf/watcher.h"

namespace hopscope::cli {

using chain::Judgement;
using chain::Verdict;

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

Timestamp clock_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return {std::int64_t{now.tv_sec} * kNanosecondsPerSecond + now.tv_nsec};
}

// The same listener in two pictures: a server that was restarted on its port is another one.
std::string key_of(const Verdict& verdict) {
    return std::to_string(static_cast<int>(verdict.transport)) + " " + to_string(verdict.local) + " " +
           std::to_string(verdict.inode) + " " + verdict.unix_path;
}

struct Open {
    SocketLife life;
    std::string path;     // unix
    bool looked = false;  // it was in a picture: how long it lived is known as well as one looks
};

// Does a connection to `server` arrive at this listener?
bool arrives_at(const Verdict& verdict, const SocketLife& life) {
    if (verdict.transport != Transport::tcp || verdict.local.port != life.server.port) return false;
    if (verdict.net_namespace != 0 && life.net_namespace != 0 && verdict.net_namespace != life.net_namespace)
        return false;
    return verdict.local.address == life.server.address || verdict.local.address.is_unspecified();
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
        lines_.start({.at = clock_now(),
                      .method = watcher_ ? "eBPF" : "polling",
                      .interval = {request_.interval_ms * 1'000'000},
                      .limits = std::move(limits)});
    }

    // Until the next look, or earlier when a listener came or went.
    void wait() {
        const Timestamp until = clock_now() + Duration{request_.interval_ms * 1'000'000};
        look_again_ = false;
        while (stop_asked == 0) {
            const std::int64_t left_ms = (until - clock_now()).ns / 1'000'000;
            if (left_ms <= 0) return;
            if (!watcher_) {
                sleep_ms(left_ms);
                continue;
            }
            pollfd ready{.fd = watcher_->fd(), .events = POLLIN, .revents = 0};
            ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left_ms, kTickMs)));
            watcher_->drain([&](const procmap::SocketSign& sign) { book_.on(sign); },
                            [&](const procmap::UnixAccept& accept) { accepted(accept); });
            book_.tick(clock_now());
            if (look_again_) {
                sleep_ms(kSettleMs);  // a program that starts opens several
                return;
            }
        }
    }

    void picture(const Node& node) {
        const Timestamp at = clock_now();
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
        if (!request_.queries.empty()) connections(now, at);
        listeners_.clear();
        for (const auto& [key, verdict] : now) listeners_.emplace(key, *verdict);
        first_ = false;
        unix_listeners_.clear();
        for (const Socket& socket : node.table.sockets)
            if (is_unix(socket.transport) && socket.state == SocketState::listen) unix_listeners_.insert(socket.inode);
        // What came before its listener was known; it is told now, or was never asked for.
        for (const procmap::UnixAccept& accept : std::exchange(accepts_kept_, {})) accepted(accept);
        accepts_kept_.clear();
    }

    void end() {
        book_.flush();
        lines_.end(clock_now(), watcher_ ? watcher_->lost() + book_.forgotten() + accepts_dropped_ : 0);
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

    void accepted(const procmap::UnixAccept& accept) {
        const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const auto& each) {
            return is_unix(each.second.transport) && each.second.inode == accept.listener_inode;
        });
        if (found == listeners_.end()) {
            if (unix_listeners_.contains(accept.listener_inode)) return;  // nobody asked for it
            if (accepts_kept_.size() < limits::kWatchAcceptsMax)
                accepts_kept_.push_back(accept);
            else
                ++accepts_dropped_;
            return;
        }
        if (open_.size() >= limits::kLifeConnectionsMax) {
            ++accepts_dropped_;
            return;
        }
        Open each{.life = {}, .path = found->second.unix_path};
        each.life.kind = SocketLife::Kind::opened;
        each.life.at = accept.at;
        each.life.net_namespace = accept.net_namespace;
        each.life.client_inode = accept.client_inode;
        each.life.server_inode = accept.server_inode;
        each.life.client_owner = accept.client;
        each.life.server_owner = accept.server;
        each.life.client_comm = accept.client_comm;
        each.life.server_comm = accept.server_comm;
        const std::string end = accept.client_inode != 0 ? std::to_string(accept.client_inode)
                                                         : "accepted " + std::to_string(accept.server_inode);
        const auto [place, is_new] = open_.emplace(found->first + " " + end, std::move(each));
        if (is_new) lines_.connection(place->second.life, place->second.path);  // else the picture had it already
    }

    void connections(const std::map<std::string, const Verdict*>& now, Timestamp at) {
        std::map<std::string, Open> open;
        for (const auto& [key, verdict] : now) {
            if (watcher_ && !is_unix(verdict->transport)) continue;  // told by the watcher
            for (const chain::Peer& peer : verdict->peers) {
                Open each{.life = life_of(*verdict, peer, at),
                          .path = is_unix(verdict->transport) ? verdict->unix_path : "",
                          .looked = true};
                open.emplace(key + " " + (peer.from ? to_string(*peer.from) : std::to_string(peer.inode)),
                             std::move(each));
            }
        }
        for (auto& [key, each] : open_) {
            if (open.contains(key)) continue;
            each.life.kind = SocketLife::Kind::closed;
            if (each.looked) each.life.lived = at - each.life.at;
            each.life.at = at;
            lines_.connection(each.life, each.path);
        }
        for (auto& [key, each] : open) {
            if (const auto known = open_.find(key); known != open_.end()) {
                each.life = known->second.life;
            } else {
                lines_.connection(each.life, each.path);
            }
        }
        open_ = std::move(open);
    }

    static SocketLife life_of(const Verdict& verdict, const chain::Peer& peer, Timestamp at) {
        SocketLife life;
        life.kind = SocketLife::Kind::opened;
        life.at = at;
        life.server = verdict.local;
        if (peer.from) {
            life.client = *peer.from;
            // The listener on all addresses was reached over the client's own, as far as loopback goes.
            if (verdict.local.address.is_unspecified() && peer.from->address.is_loopback())
                life.server.address = peer.from->address;
        }
        life.net_namespace = verdict.net_namespace;
        life.client_inode = peer.inode;
        life.client_owner.pid = peer.process.pid;
        life.client_comm = peer.process.comm;
        if (!verdict.owners.empty()) {
            life.server_owner.pid = verdict.owners.front().process.pid;
            life.server_comm = verdict.owners.front().process.comm;
        }
        return life;
    }

    WatchRequest& request_;
    exports::WatchLines lines_;
    procmap::SocketLifeBook book_;
    std::unique_ptr<procmap::SocketWatcher> watcher_;  // null: polling
    std::string why_not_;
    bool look_again_ = false;
    std::map<std::string, Verdict> listeners_;
    std::map<std::string, Open> open_;
    std::set<std::uint64_t> unix_listeners_;  // inodes of all in the last picture
    std::vector<procmap::UnixAccept> accepts_kept_;
    std::uint64_t accepts_dropped_ = 0;  // for want of room
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
