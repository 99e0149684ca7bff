// Builds the Model from events. Pure: no clock, no I/O; the same events give the same model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "chain/model.h"
#include "chain/observer.h"
#include "core/limits.h"
#include "core/node.h"

namespace hopscope::chain {

// How much of closed sessions stays in memory.
struct Retention {
    std::size_t sessions_max = SIZE_MAX;              // kept after their end; further ones only count
    std::size_t memory_bytes_max = 256 << 20;         // --mem: oldest closed sessions go first, counted as limit_memory
    std::size_t findings_max = limits::kFindingsMax;  // 0: they are told only, none is kept and none lost
    // Live, where a run has no end: tokens, CRI calls and names that nothing has named for so long are forgotten.
    // Offline they are needed for the chains at the end.
    std::int64_t forget_after_ns = INT64_MAX;
};

struct FlowInfo {
    FlowId id = 0;
    std::uint32_t slot = 0;  // as in Place
    Endpoint client, server;
    std::uint16_t file = 0;
    bool handshake_seen = false;
    // A unix socket has no addresses but these; the listening end is the server.
    bool is_unix = false;
    UnixEndpoint unix_server;
    std::uint64_t unix_client_inode = 0;           // 0: unknown
    std::uint32_t client_pid = 0, server_pid = 0;  // 0: unknown
};

// Asked before a chain is made of these sessions, which belong together (by number).
using ChainWanted = std::function<bool(std::span<const Session* const> members)>;

class Builder {
public:
    explicit Builder(Retention retention = {}, Observer* observer = nullptr);
    ~Builder();
    Builder(const Builder&) = delete;
    Builder& operator=(const Builder&) = delete;

    // A connection begins or turns out to be the other way round. Called before its first event.
    void flow(const FlowInfo& flow);
    // The processes at the ends of a unix socket, or its path, are known better by now.
    void peers(const FlowInfo& flow);
    void on(const Event& event, const Place& place);
    // What the system tells about a session that is open (or over, while it is kept); also from within Observer's
    // session_opened, for that session.
    void name_ends(std::uint32_t session, Ends ends);
    // What is known of a session that was joined late, from elsewhere than its bytes: it is one of the runtime's
    // streaming server. What it says itself stays.
    struct LateFacts {
        Op op = Op::unknown;
        std::string container_id;  // empty: unknown
        std::string says;          // why; empty: nothing to say
    };
    void know_late(std::uint32_t session, const LateFacts& facts);
    // Names of containers that are known from elsewhere than the CRI calls of the capture.
    void name_container(const ContainerNames& names);
    // The same, of the container or Pod of a session that has begun.
    void name_container(std::uint32_t session, const ContainerNames& names);
    // From now on a session makes a chain also where nothing is joined with it: live, where what is missing is told.
    void chain_single_sessions();
    // Live: joins what is there so far; model().chains is made anew, numbered from 1. `wanted`: only chains of such
    // sessions are made; joining is cheap, writing down what a chain says is not.
    void join(const ChainWanted& wanted = {});
    // The process that a shim told to have started for this session, while it runs or after; none where it told
    // nothing, or where two could be meant.
    [[nodiscard]] std::optional<StartedProcess> started(const Session& session) const;
    // Answers of shims that started something, so far: whoever waits for one need not look before it has changed.
    [[nodiscard]] std::uint64_t shim_starts() const;
    // Adds to a chain what is joined only when it is told: the hop to the shim. After finish() all chains have it.
    void complete(Chain& chain) const;
    // The capture is over: every open session is ended and told, chains are joined. Call once.
    void finish(Timestamp at);

    [[nodiscard]] Model& model();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::chain
