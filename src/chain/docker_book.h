// What the Docker Engine API told of its execs and containers: whose they are, what they run, which sessions carry
// them.
//
// An exec is made by one request, started by another whose connection then carries its streams, resized and asked for
// its exit code by further ones, each maybe on a connection of its own: its id is what joins them. An attach is a
// request to a container, by id or by name; that it has a terminal is told where the container is made or looked at,
// its exit code to whoever waits for the container. Bounded by limits::kDockerBook…; the oldest is forgotten.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
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

struct DockerContainer {
    std::optional<bool> tty;             // unset: neither its making was seen nor anybody's look at it
    std::deque<std::uint32_t> attached;  // sessions, the latest last
};

class DockerBook {
public:
    // What is known of this exec; made if it is new. Valid until the next call.
    DockerExec& exec(std::string_view id);
    // The exec that this session carries; empty: none.
    [[nodiscard]] std::string exec_of(std::uint32_t session) const;
    void carries(std::string_view exec_id, std::uint32_t session, std::uint32_t slot);

    // By id, made if it is new. Valid until the next call.
    DockerContainer& container(const std::string& id);
    void name(std::string_view name, std::string_view id);
    // The id of what a client wrote: an id, a name; what is not known stays as it is.
    [[nodiscard]] std::string id_of(std::string_view written) const;

private:
    template <typename Key, typename Value>
    struct Table {
        std::unordered_map<Key, Value> by_key;
        std::deque<Key> order;
        Value& entry(const Key& key, std::size_t at_most);  // made if it is new
    };

    Table<std::string, DockerExec> execs_;
    Table<std::string, DockerContainer> containers_;
    Table<std::string, std::string> names_;
    Table<std::uint32_t, std::string> sessions_;  // by number: the exec
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
