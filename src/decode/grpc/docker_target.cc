#include "decode/grpc/docker_target.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "decode/grpc/grpc.h"

namespace hopscope::decode::grpc {
namespace {

// Cuts the next "/segment" off `path`.
std::string_view next_segment(std::string_view& path) {
    if (!path.starts_with('/')) return {};
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "v1.41"
bool is_version(std::string_view text) {
    if (!text.starts_with('v')) return false;
    const std::size_t dot = text.find('.');
    return dot != std::string_view::npos && is_digits(text.substr(1, dot - 1)) && is_digits(text.substr(dot + 1));
}

bool is_exec_id(std::string_view text) {
    return text.size() >= 12 && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

constexpr std::array<std::string_view, 16> kTopics = {
    "_ping", "auth",   "build", "commit",   "configs", "containers", "distribution", "events",
    "exec",  "images", "info",  "networks", "plugins", "system",     "version",      "volumes"};

std::string_view value_of(std::string_view query, std::string_view key) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (pair.starts_with(key) && pair.substr(key.size(), 1) == "=") return pair.substr(key.size() + 1);
    }
    return {};
}

std::uint16_t number_of(std::string_view query, std::string_view key) {
    const std::string_view value = value_of(query, key);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    return error == std::errc() && end == value.data() + value.size() ? number : std::uint16_t{0};
}

void take_size(DockerTarget& target, std::string_view query) {
    target.height = number_of(query, "h");
    target.width = number_of(query, "w");
}

struct ContainerPath {
    std::string_view id, verb, rest, query;
};

DockerTarget of_container(std::string_view method, const ContainerPath& path) {
    DockerTarget out{.docker = true};
    const bool post = method == "POST", whole = path.rest.empty();
    // "/containers/json" and "/containers/create" name no container.
    if (path.verb.empty() && (path.id == "json" || path.id == "create" || path.id == "prune")) {
        if (path.id != "create" || !post || !whole) return out;
        out.operation = DockerOperation::create;
        out.container_id = value_of(path.query, "name");
        return out;
    }
    out.container_id = path.id;
    if (path.verb == "exec" && post && whole) out.operation = DockerOperation::exec_create;
    if (path.verb == "attach") out.operation = DockerOperation::attach;
    if (path.verb == "json" && method == "GET" && whole) out.operation = DockerOperation::inspect;
    if (path.verb == "start" && post && whole) out.operation = DockerOperation::start;
    if (path.verb == "wait" && post && whole) out.operation = DockerOperation::wait;
    if (path.verb == "resize" && post && whole) {
        out.operation = DockerOperation::resize;
        take_size(out, path.query);
    }
    return out;
}

DockerTarget of_exec(std::string_view id, std::string_view verb, std::string_view query) {
    DockerTarget out{.docker = true, .exec_id = id};
    if (verb == "start") out.operation = DockerOperation::exec_start;
    if (verb == "json") out.operation = DockerOperation::exec_inspect;
    if (verb == "resize") {
        out.operation = DockerOperation::exec_resize;
        take_size(out, query);
    }
    return out;
}

}  // namespace

std::string_view to_string(DockerOperation operation) {
    switch (operation) {
        case DockerOperation::exec_create: return "exec-create";
        case DockerOperation::exec_start: return "exec-start";
        case DockerOperation::exec_resize: return "exec-resize";
        case DockerOperation::exec_inspect: return "exec-inspect";
        case DockerOperation::create: return "create";
        case DockerOperation::start: return "start";
        case DockerOperation::attach: return "attach";
        case DockerOperation::resize: return "resize";
        case DockerOperation::wait: return "wait";
        case DockerOperation::inspect: return "inspect";
        case DockerOperation::other: return "other";
    }
    return "other";
}

DockerTarget parse_docker_target(std::string_view method, std::string_view target) {
    const std::size_t question = target.find('?');
    const std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
    std::string_view path = target.substr(0, question);
    std::string_view topic = next_segment(path);
    const bool versioned = is_version(topic);
    if (versioned) topic = next_segment(path);
    const std::string_view id = next_segment(path);
    const std::string_view verb = next_segment(path);

    // Without a version the paths look like those of other servers ("/exec/…" of the kubelet and of CRI runtimes,
    // "/version" of the API server): only what cannot be theirs is taken.
    if (topic == "containers" && (versioned || !id.empty())) return of_container(method, {id, verb, path, query});
    if (topic == "exec" && is_exec_id(id) && (verb == "start" || verb == "json" || verb == "resize") && path.empty())
        return of_exec(id, verb, query);
    if (topic == "_ping" && id.empty()) return {.docker = true};
    if (versioned && std::find(kTopics.begin(), kTopics.end(), topic) != kTopics.end()) return {.docker = true};
    return {};
}

bool is_docker_target(std::string_view target) { return parse_docker_target({}, target).docker; }

}  // namespace hopscope::decode::grpc
