#include "record/docker_masker.h"

#include <algorithm>
#include <span>
#include <vector>

#include "decode/grpc/docker_target.h"
#include "record/json_words.h"

namespace hopscope::record {
namespace {

// One object or array that is open, and the key of what comes next in it.
struct Level {
    bool array = false;
    std::string_view key;
};

// The text that stands there stays: ids of the outermost object, and the labels that the kubelet gives. Whoever makes a
// container may use the same keys elsewhere.
bool stays(const std::vector<Level>& open) {
    if (open.empty() || open.back().array) return false;
    const std::string_view key = open.back().key;
    if (open.size() == 1) return key == "Id" || key == "ID" || key == "ContainerID";
    return open[open.size() - 2].key == "Labels" &&
           (key == "io.kubernetes.pod.name" || key == "io.kubernetes.pod.namespace" || key == "io.kubernetes.pod.uid" ||
            key == "io.kubernetes.container.name");
}
bool is_command(std::string_view key) {
    return key == "Cmd" || key == "Entrypoint" || key == "entrypoint" || key == "arguments";
}

}  // namespace

bool has_docker_bodies(std::string_view method, std::string_view target) {
    using decode::grpc::DockerOperation;
    const decode::grpc::DockerTarget docker = decode::grpc::parse_docker_target(method, target);
    if (!docker.docker) return false;
    switch (docker.operation) {
        case DockerOperation::exec_create:
        case DockerOperation::exec_start:
        case DockerOperation::exec_inspect:
        case DockerOperation::create:
        case DockerOperation::wait:
        case DockerOperation::inspect: return true;
        case DockerOperation::exec_resize:
        case DockerOperation::start:
        case DockerOperation::attach:
        case DockerOperation::resize:
        case DockerOperation::other: break;
    }
    return false;
}

void mask_docker_body(std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts) {
    // Keys are read from a copy: what stands in the body changes.
    const std::string original = body;
    std::vector<Level> open;
    for (std::size_t at = 0; at < body.size();) {
        const char c = original[at];
        if (c == '{' || c == '[') open.push_back({c == '[', {}});
        if ((c == '}' || c == ']') && !open.empty()) open.pop_back();
        if (c != '"') {
            ++at;
            continue;
        }
        const std::size_t end = end_of_literal(original, at);
        const bool whole = end - at >= 2 && original[end - 1] == '"';
        const std::string_view text = std::string_view(original).substr(at + 1, whole ? end - at - 2 : end - at - 1);
        const std::span<char> literal = std::span(body).subspan(at, end - at);
        at = end;
        if (whole && !open.empty() && !open.back().array && is_key(original, end)) {
            open.back().key = text;
            continue;
        }
        // The key that an array stands under is that of the object around it.
        std::string_view key;
        if (!open.empty() && !open.back().array) key = open.back().key;
        if (open.size() > 1 && open.back().array) key = open[open.size() - 2].key;
        if (whole && is_command(key)) {
            put_stand_in(literal, pseudonyms, 'z');
            ++counts.commands;
        } else if (!whole || !stays(open)) {
            std::fill(literal.begin() + 1, whole ? literal.end() - 1 : literal.end(), 'x');
        }
    }
}

}  // namespace hopscope::record
