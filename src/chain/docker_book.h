// What the Docker Engine API told of its execs: whose they are, what they run, which session carries them.
//
// An exec is made by one request, started by another whose connection then carries its streams, resized and asked for
// its exit code by further ones, each maybe on a connection of its own: its id is what joins them. Bounded by
// limits::kDockerBookExecsMax; the oldest is forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.h"
#include "core/untrusted.h"

namespace hopscope::chain {

struct DockerExec {
    Untrusted container_id;  // or the container's name, as the client wrote it
    std::vector<Untrusted> command;
    bool known = false;  // its making was seen
    bool tty = false;
    std::uint32_t session = 0;  // 0: not started, or by a connection that was not seen
    std::uint32_t slot = 0;     // of the connection that carries it
};

class DockerBook {
public:
    // What is known of this exec; made if it is new. Valid until the next call.
    DockerExec& exec(std::string_view id);

private:
    std::unordered_map<std::string, DockerExec> execs_;
    std::deque<std::string> order_;
};

// A request that was granted and whose connection now carries a stream.
struct DockerStart {
    bool attach = false;
    std::string exec_id, container_id;
    bool tty = false;
    std::uint16_t status = 0;
    std::uint64_t answer_frame = 0;
};

}  // namespace hopscope::chain
