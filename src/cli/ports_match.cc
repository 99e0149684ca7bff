#include "cli/ports_match.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "chain/node_index.h"
#include "core/node_words.h"
#include "core/untrusted.h"
#include "export/ports_text.h"

namespace hopscope::cli {

using chain::Verdict;

namespace {

constexpr std::size_t kNearTold = 3;  // listeners that are offered instead
constexpr unsigned kNearDigits = 2;   // that may differ in their port

Unexpected<Error> bad_query(std::string_view text, std::string why) {
    return unexpected(Error{.doing = "",
                            .subject = "",
                            .why = "'" + display(text) + "' " + std::move(why),
                            .hint = "hopscope why 35751, 127.0.0.1:35751, [::1]:35751, "
                                    "/run/containerd/containerd.sock, kubelet or kubelet[5714]",
                            .code = "USE-01"});
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

bool digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "http://127.0.0.1:33821/exec/…" → "127.0.0.1:33821", "unix:///run/x.sock" → "/run/x.sock".
std::string_view without_scheme(std::string_view text) {
    const std::size_t scheme = text.find("://");
    const bool relative = text.starts_with("//");  // cri-dockerd's URLs have no scheme
    if (scheme == std::string_view::npos && !relative) {
        // Copied without its scheme: "127.0.0.1:33821/exec/…".
        const std::string_view place = text.substr(0, text.find('/'));
        const std::size_t colon = place.rfind(':');
        const bool is_place =
            colon != std::string_view::npos && !place.starts_with('@') && digits(place.substr(colon + 1));
        return is_place ? place : text;
    }
    if (text.starts_with("unix://")) return text.substr(7);
    text.remove_prefix(relative ? 2 : scheme + 3);
    return text.substr(0, text.find('/'));
}

// Is the program called so? Compared only, never shown.
bool is_called(const Untrusted& comm, const Untrusted& exe, std::string_view name) {
    return comm == name || base_name(exe.raw()) == name;  // raw-ok: not printed
}

bool owned_by(const Verdict& verdict, std::string_view name, std::uint32_t pid) {
    return std::any_of(verdict.owners.begin(), verdict.owners.end(), [&](const chain::Owner& owner) {
        if (pid != 0 && owner.process.pid != pid) return false;
        if (name.empty()) return true;
        return is_called(owner.process.comm, owner.process.exe, name) || owner.process_role == name;
    });
}

bool serves_address(const Verdict& verdict, const IpAddress& wanted) {
    return verdict.local.address == wanted || (verdict.local.address.is_unspecified() &&
                                               (wanted.is_v4() ? !verdict.v6_only : !verdict.local.address.is_v4()));
}

std::string offer(const Verdict& verdict) {
    const std::string owner = exports::owner_words(verdict, Glyphs::unicode);
    return exports::listens_on(verdict, Glyphs::unicode) + (owner == "-" ? "" : " (" + owner + ")");
}

// Sockets whose file is the one that the path names, whatever they were called when they were bound.
std::set<std::uint64_t> inodes_of_file(const PortQuery& query, const SocketTable& table) {
    std::set<std::uint64_t> inodes;
    if (query.kind != PortQuery::Kind::path || query.file_inode == 0) return inodes;
    for (const Socket& socket : table.sockets)
        if (socket.file_inode == query.file_inode && socket.file_device == query.file_device && socket.inode != 0)
            inodes.insert(socket.inode);
    return inodes;
}

bool matches(const PortQuery& query, const Verdict& verdict, const std::set<std::uint64_t>& inodes) {
    // Who asks for the path from which it was moved away wants to know why it fails.
    const std::string* const paths[] = {&verdict.unix_path, &verdict.bound_path};
    switch (query.kind) {
        case PortQuery::Kind::port: return !is_unix(verdict.transport) && verdict.local.port == query.port;
        case PortQuery::Kind::endpoint:
            return !is_unix(verdict.transport) && verdict.local.port == query.port &&
                   serves_address(verdict, *query.address);
        case PortQuery::Kind::path:
            if (!is_unix(verdict.transport)) return false;
            return inodes.contains(verdict.inode) ||
                   std::any_of(std::begin(paths), std::end(paths), [&](const std::string* path) {
                       return !path->empty() && chain::normal_path(*path) == chain::normal_path(query.path);
                   });
        case PortQuery::Kind::process: return owned_by(verdict, query.name, query.pid);
    }
    return false;
}

// "127.0.0.1" and "35751", "[::1]" and "35751", "*" and "35751". False: no address, it may be a name with a colon in
// it.
Result<bool> take_place(std::string_view host, std::string_view port_text, PortQuery& query) {
    const auto port = number<std::uint16_t>(port_text);
    const bool brackets = host.starts_with('[') && host.ends_with(']');
    const std::string_view given = host;
    if (brackets) host = host.substr(1, host.size() - 2);
    const auto address = host == "localhost" ? IpAddress::parse("127.0.0.1") : IpAddress::parse(host);
    const bool any = host.empty() || host == "*";
    // "::1:80" is an address without a port just as well: IPv6 needs its brackets.
    const bool clear = brackets || host.find(':') == std::string_view::npos;
    const bool placed = clear && (any || address);
    if (port && *port != 0 && placed) {
        query.kind = any ? PortQuery::Kind::port : PortQuery::Kind::endpoint;
        query.port = *port;
        query.address = any ? std::nullopt : address;
        return true;
    }
    // "*" and "" are also how a name with a colon at its end may begin; digits make it a place.
    if (placed && (address || brackets || host == "*" || digits(port_text)))
        return bad_query(query.text, "has no valid port: 1 to 65535");
    if (!clear || IpAddress::parse(std::string(given) + ":" + std::string(port_text)))
        return bad_query(query.text, "is an address without a port; IPv6 is written [::1]:PORT");
    if (!host.empty() && digits(port_text)) return bad_query(query.text, "has no IP address before the port");
    return false;
}

// Two ports are near when a digit or two may have been mistyped, or a number was swapped.
unsigned distance(std::uint16_t a, std::uint16_t b) {
    const std::string left = std::to_string(a), right = std::to_string(b);
    if (left.size() != right.size()) return kNearDigits + 1;
    unsigned differ = 0;
    for (std::size_t i = 0; i < left.size(); ++i) differ += left[i] != right[i] ? 1 : 0;
    return differ;
}

struct Told {
    std::string why;
    std::vector<std::string> hints;
};

std::string offers(const std::vector<const Verdict*>& near) {
    std::string list;
    for (std::size_t i = 0; i < std::min(near.size(), kNearTold); ++i)
        list += (list.empty() ? "" : ", ") + offer(*near[i]);
    return list;
}

std::string holder_of(const Socket& socket, const SocketTable& table) {
    for (const SocketOwner& owner : socket.owners)
        if (const Process* process = find_process(table, owner.process.pid)) return chain::name_of(*process);
    return "";
}

Told explain_port(const PortQuery& query, const std::vector<Verdict>& all, const SocketTable& table) {
    Told told{.why = "nothing listens on it now", .hints = {}};
    const auto end = std::find_if(table.sockets.begin(), table.sockets.end(), [&](const Socket& socket) {
        return socket.transport == Transport::tcp && socket.state != SocketState::listen &&
               socket.local.port == query.port && socket.remote.port != 0 &&
               (!query.address || socket.local.address == *query.address);
    });
    if (end != table.sockets.end()) {
        const std::string holder = holder_of(*end, table);
        told.why = "no listener: " + to_string(end->local) + " is one end of a connection to " +
                   to_string(end->remote) + ", " + std::string(to_string(end->state)) +
                   (holder.empty() ? "" : ", held by " + holder);
        told.hints.push_back("hopscope why " + to_string(end->remote) +
                             " explains the other end, where it is on this node");
    }
    std::vector<const Verdict*> near;
    for (const Verdict& verdict : all)
        if (!is_unix(verdict.transport) && distance(verdict.local.port, query.port) <= kNearDigits)
            near.push_back(&verdict);
    std::stable_sort(near.begin(), near.end(), [&](const Verdict* a, const Verdict* b) {
        return distance(a->local.port, query.port) < distance(b->local.port, query.port);
    });
    if (!near.empty()) told.hints.push_back("similar: " + offers(near));
    return told;
}

Told explain_path(const PortQuery& query, const std::vector<Verdict>& all) {
    Told told{.why = "no listening socket has this path", .hints = {}};
    std::vector<const Verdict*> near;
    for (const Verdict& verdict : all)
        if (is_unix(verdict.transport) && base_name(verdict.unix_path) == base_name(query.path))
            near.push_back(&verdict);
    if (!near.empty()) told.hints.push_back("the same name elsewhere: " + offers(near));
    if (query.file_inode != 0) told.hints.emplace_back("the file exists, but nobody listens on it: its server is gone");
    return told;
}

Told explain_process(const PortQuery& query, const SocketTable& table) {
    const bool runs = std::any_of(table.processes.begin(), table.processes.end(), [&](const Process& process) {
        if (query.pid != 0 && process.id.pid != query.pid) return false;
        return query.name.empty() || is_called(process.comm, process.exe, query.name) ||
               to_string(process.role) == query.name;
    });
    if (runs) return {.why = "it runs, but listens nowhere that can be seen", .hints = {}};
    if (query.name.empty() && query.port == 0)
        return {.why = "no process has this pid, and as a port it is too large (1 to 65535)", .hints = {}};
    return {.why = "no such process is seen", .hints = {}};
}

}  // namespace

Result<PortQuery> parse_query(std::string_view given) {
    PortQuery query;
    query.text = given;
    const std::string_view text = without_scheme(given);
    if (text.empty()) return bad_query(given, "names no port, path or process");
    if (text.starts_with('/') || text.starts_with('@')) {
        query.kind = PortQuery::Kind::path;
        query.path = text;
        return query;
    }
    if (digits(text)) {
        const auto value = number<std::uint32_t>(text);
        if (!value || *value == 0) return bad_query(given, "is neither a port (1 to 65535) nor a pid");
        query.kind = *value <= 65535 ? PortQuery::Kind::port : PortQuery::Kind::process;
        query.port = *value <= 65535 ? static_cast<std::uint16_t>(*value) : std::uint16_t{0};
        query.pid = *value;
        return query;
    }
    if (text.ends_with(']')) {  // kubelet[5714], but not [::1]
        const std::size_t open = text.rfind('[');
        const auto pid = number<std::uint32_t>(text.substr(open + 1, text.size() - open - 2));
        if (open != std::string_view::npos && open > 0 && pid && *pid != 0) {
            query.kind = PortQuery::Kind::process;
            query.name = text.substr(0, open);
            query.pid = *pid;
            return query;
        }
    }
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos) {
        const auto placed = take_place(text.substr(0, colon), text.substr(colon + 1), query);
        if (!placed) return unexpected(placed.error());
        if (*placed) return query;
    }
    if (IpAddress::parse(text)) return bad_query(given, "is an address without a port");
    query.kind = PortQuery::Kind::process;
    query.name = text;
    return query;
}

std::vector<const Verdict*> find_listeners(const PortQuery& query, const std::vector<Verdict>& verdicts,
                                           const SocketTable& table) {
    std::vector<const Verdict*> found;
    const auto take = [&](const auto& wanted) {
        for (const Verdict& verdict : verdicts)
            if (wanted(verdict)) found.push_back(&verdict);
    };
    const std::set<std::uint64_t> inodes = inodes_of_file(query, table);
    take([&](const Verdict& verdict) { return matches(query, verdict, inodes); });
    if (!found.empty()) {
        // The exact address says more than the listener on all addresses beside it.
        if (query.kind == PortQuery::Kind::endpoint)
            std::stable_sort(found.begin(), found.end(), [&](const Verdict* a, const Verdict* b) {
                return (a->local.address == *query.address) > (b->local.address == *query.address);
            });
        return found;
    }
    if (query.kind == PortQuery::Kind::port && query.pid != 0)
        take([&](const Verdict& verdict) { return owned_by(verdict, "", query.pid); });
    if (query.kind == PortQuery::Kind::process && query.pid == 0)
        take([&](const Verdict& verdict) {
            return is_unix(verdict.transport) && base_name(verdict.unix_path) == query.name;
        });
    return found;
}

NotListening explain_not_listening(const PortQuery& query, const std::vector<Verdict>& all, const SocketTable& table) {
    Told told;
    switch (query.kind) {
        case PortQuery::Kind::port:
        case PortQuery::Kind::endpoint: told = explain_port(query, all, table); break;
        case PortQuery::Kind::path: told = explain_path(query, all); break;
        case PortQuery::Kind::process: told = explain_process(query, table); break;
    }
    told.hints.emplace_back("hopscope ports --all --netns all lists every listener");
    NotListening answer{.why = std::move(told.why), .hint = {}};
    for (const std::string& hint : told.hints) answer.hint += (answer.hint.empty() ? "" : "\n") + hint;
    return answer;
}

}  // namespace hopscope::cli
