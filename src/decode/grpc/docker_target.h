// Request targets of the Docker Engine API (moby's api/swagger.yaml).
#pragma once

#include <cstdint>
#include <string_view>

namespace hopscope::decode::grpc {

enum class DockerOperation : std::uint8_t {
    exec_create,
    exec_start,
    exec_resize,
    exec_inspect,
    create,
    start,
    attach,
    resize,
    wait,
    inspect,
    other
};

// As in DockerCall::operation.
std::string_view to_string(DockerOperation operation);

struct DockerTarget {
    bool docker = false;  // false: not of this API; the rest is empty
    DockerOperation operation = DockerOperation::other;
    std::string_view container_id;  // or the container's name, as the client wrote it; create: the name it shall have
    std::string_view exec_id;
    std::uint16_t width = 0, height = 0;  // exec-resize, resize
};

DockerTarget parse_docker_target(std::string_view method, std::string_view target);

}  // namespace hopscope::decode::grpc
