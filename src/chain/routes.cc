#include "chain/routes.h"

#include <algorithm>

#include "chain/url.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// A path with its escapes undone segment by segment, so that an escaped slash cannot make two segments of one.
struct DecodedPath {
    std::vector<std::string> segments;  // the last PathSegments::kSegmentsMax
    std::size_t count = 0;              // of the whole path

    [[nodiscard]] bool whole() const { return segments.size() == count; }
    [[nodiscard]] const std::string& from_end(std::size_t n) const { return segments[segments.size() - n]; }
};

DecodedPath decode_path(std::string_view path) {
    const PathSegments raw = split_path(path);
    DecodedPath decoded;
    decoded.count = raw.count;
    const std::size_t kept = std::min(raw.count, PathSegments::kSegmentsMax);
    decoded.segments.reserve(kept);
    for (std::size_t n = kept; n > 0; --n) decoded.segments.push_back(percent_decoded(raw.from_end(n), Plus::is_plus));
    return decoded;
}

// Most requests are no streaming requests: they are told apart without taking their path to pieces.
bool may_be_streaming(std::string_view path) {
    return path.find("exec") != std::string_view::npos || path.find("attach") != std::string_view::npos ||
           path.find("ortforward") != std::string_view::npos || path.find("ortForward") != std::string_view::npos ||
           path.find('%') != std::string_view::npos;
}

Op op_of(std::string_view word) {
    if (word == "exec") return Op::exec;
    if (word == "attach") return Op::attach;
    if (word == "portforward") return Op::portforward;
    return Op::unknown;
}

// The kubelet writes portForward with a capital letter, everybody else does not.
Op kubelet_op_of(std::string_view word) {
    if (word == "portForward") return Op::portforward;
    const Op op = op_of(word);
    return op == Op::portforward ? Op::unknown : op;
}

// The last `arguments` + 1 segments as a path of the kubelet.
bool take_kubelet_path(const DecodedPath& path, std::size_t arguments, Route& route) {
    if (path.segments.size() < arguments + 1) return false;
    const Op op = kubelet_op_of(path.from_end(arguments + 1));
    const std::size_t names = op == Op::portforward ? 2 : 3;  // namespace, pod and, but for port-forward, container
    if (op == Op::unknown || (arguments != names && arguments != names + 1)) return false;
    for (std::size_t n = 1; n <= arguments; ++n) {
        if (path.from_end(n).empty()) return false;
    }
    route.op = op;
    route.namespace_ = path.from_end(arguments);
    route.pod = path.from_end(arguments - 1);
    if (arguments == names + 1) route.uid = path.from_end(arguments - 2);
    if (op != Op::portforward) route.container = path.from_end(1);
    return true;
}

bool take_apiserver_pod_path(const DecodedPath& path, Route& route) {
    if (path.segments.size() < 7) return false;
    const Op op = op_of(path.from_end(1));
    if (op == Op::unknown || path.from_end(3) != "pods" || path.from_end(5) != "namespaces" ||
        path.from_end(6) != "v1" || path.from_end(7) != "api" || path.from_end(2).empty() || path.from_end(4).empty())
        return false;
    route.op = op;
    route.pod = path.from_end(2);
    route.namespace_ = path.from_end(4);
    return true;
}

bool take_node_proxy_path(const DecodedPath& path, Route& route) {
    for (std::size_t arguments = 2; arguments <= 4; ++arguments) {
        const std::size_t proxy = arguments + 2;
        if (path.segments.size() < proxy + 4) return false;
        if (path.from_end(proxy) == "proxy" && path.from_end(proxy + 2) == "nodes" &&
            path.from_end(proxy + 3) == "v1" && path.from_end(proxy + 4) == "api" &&
            take_kubelet_path(path, arguments, route))
            return true;
    }
    return false;
}

bool take_runtime_path(const DecodedPath& path, Route& route) {
    if (path.segments.size() < 2) return false;
    const Op op = op_of(path.from_end(2));
    const std::string& token = path.from_end(1);
    if (op == Op::unknown || token.empty()) return false;
    // Any word is a token where the path is the runtime's own; below a prefix of somebody's choice it must look like
    // one.
    const bool own = path.count == 2 || (path.count == 3 && path.from_end(3) == "cri");
    const bool api = path.whole() && (path.segments.front() == "api" || path.segments.front() == "apis");
    if (!own && (api || !has_token_form(token))) return false;
    route.op = op;
    route.token = token;
    return true;
}

// The API server takes true and 1, the kubelet 1; a key alone means true to both.
bool is_true(std::string_view value) { return !(value == "0" || equal_ignoring_case(value, "false")); }

void read_query(std::string_view query, Route& route) {
    route.tty = false;
    QueryReader reader(query);
    while (reader.next()) {
        const std::string key = percent_decoded(reader.key(), Plus::is_space);
        if (key == "command" && route.op == Op::exec) {
            if (route.command.size() < limits::kCommandWordsMax)
                route.command.push_back(percent_decoded(reader.value(), Plus::is_space));
        } else if (key == "container" && route.container.empty()) {
            route.container = percent_decoded(reader.value(), Plus::is_space);
        } else if (key == "tty") {
            route.tty = is_true(reader.value());
        }
    }
    if (route.op == Op::portforward) route.tty.reset();
}

}  // namespace

std::string_view PathSegments::from_end(std::size_t n) const {
    if (n == 0 || n > count || n > kSegmentsMax) return {};
    return last[(count - n) % kSegmentsMax];
}

PathSegments split_path(std::string_view path) {
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    PathSegments segments;
    while (!path.empty()) {
        const auto slash = std::min(path.find('/'), path.size());
        segments.last[segments.count++ % PathSegments::kSegmentsMax] = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return segments;
}

bool has_token_form(std::string_view text) {
    return text.size() == 8 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
           });
}

std::optional<Route> parse_route(std::string_view target) {
    const UrlParts url = split_target(target);
    if (!may_be_streaming(url.path)) return std::nullopt;
    const DecodedPath path = decode_path(url.path);
    Route route;
    if (take_apiserver_pod_path(path, route) || take_node_proxy_path(path, route)) {
        route.hop = HopKind::apiserver;
    } else if (path.whole() && path.count > 0 && take_kubelet_path(path, path.count - 1, route)) {
        route.hop = HopKind::kubelet;
    } else if (take_runtime_path(path, route)) {
        route.hop = HopKind::runtime;
        return route;  // the token stands for everything: a query is ignored
    } else {
        return std::nullopt;
    }
    read_query(url.query, route);
    return route;
}

}  // namespace hopscope::chain
