// What the CRI socket told: which call issued which token, and which pod a container or sandbox belongs
// to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "chain/model.h"
#include "chain/observer.h"
#include "chain/shared_texts.h"
#include "chain/tokens.h"
#include "core/limits.h"
#include "core/node.h"

namespace hopscope::chain {

// Who talks on the connection that carries calls to a runtime or a shim: a unix socket, or its bytes as synthetic TCP.
struct CriConnection {
    Endpoint client, server;
    std::optional<UnixEndpoint> unix_socket;
    std::uint32_t client_pid = 0, server_pid = 0;  // 0: unknown
};

// A hop over this connection: its place and who is at its ends, by pid only.
Hop hop_over(const CriConnection& connection, HopKind kind, const char* proto);

// One Exec, Attach or PortForward that was answered with a URL.
struct CriCall {
    Op op = Op::unknown;
    Untrusted container_id, sandbox_id;
    std::vector<Untrusted> command;
    bool request_seen = false;  // false: only the answer is in the capture
    bool tty = false;
    std::uint32_t token = 0;            // number; 0: none left
    std::optional<Endpoint> streaming;  // host and port of the URL, where it names them
    FlowId flow = 0;
    CriConnection connection;
    Timestamp asked, answered;
    std::uint64_t asked_frame = 0, answered_frame = 0;
    std::uint16_t file = 0;
    std::uint32_t request_bytes = 0, answer_bytes = 0;
};

class CriBook {
public:
    // Both borrowed.
    CriBook(TokenTable& tokens, SharedTexts& texts) : tokens_(tokens), texts_(texts) {}

    // A token that has just been issued, or null.
    const CriCall* on(const CriMessage& message, const Place& place, const CriConnection& connection);
    void on(const CriDone& done, const Place& place);
    // Names known from elsewhere.
    void remember(const ContainerNames& names);
    // The connection is over: calls that were not answered are forgotten.
    void flow_ended(FlowId flow);

    [[nodiscard]] const CriCall* call_of(std::uint32_t token_number);
    // Oldest first, limits::kCriCallsMax at most: a live run has no end. Beyond it the oldest goes by itself.
    [[nodiscard]] const std::deque<CriCall>& calls() const { return calls_; }
    [[nodiscard]] bool is_full() const { return calls_.size() >= limits::kCriCallsMax; }
    // There must be one.
    void forget_oldest();
    // What call_of() still finds after the call or its token is forgotten: `call` is that of a session that is open or
    // may still be joined.
    void keep(const CriCall& call, std::uint32_t session);
    // Now and then throws away what was kept for sessions that are not there any more; cheap to call often.
    void keep_only(const std::function<bool(std::uint32_t session)>& is_there);
    // Adds to `session` what the call and the lists say about it; never replaces what is known already.
    void complete(Session& session, const CriCall& call) const;
    void complete_names(Session& session) const;
    [[nodiscard]] const std::string& runtime_name() const { return runtime_name_; }

private:
    struct Names {
        K8sNames k8s;
        Untrusted sandbox_id;
        Timestamp listed;  // last
    };
    struct NameTable {
        std::unordered_map<std::string, Names> by_id;
        Timestamp looked_through;  // for names that are gone
    };

    void remember_names(const CriMessage& message);
    [[nodiscard]] bool room_for_name(NameTable& table) const;
    void remember(NameTable& table, std::string_view id, std::string_view name, std::string_view sandbox_id,
                  std::string_view pod, std::string_view namespace_, std::string_view uid);
    void remember_request(const CriMessage& message, const Place& place);
    const CriCall* remember_answer(const CriMessage& message, const Place& place, const CriConnection& connection);

    struct Kept {
        CriCall call;
        std::uint32_t session = 0;
    };

    TokenTable& tokens_;
    SharedTexts& texts_;
    std::deque<CriCall> calls_;
    std::uint32_t forgotten_ = 0;                         // calls before the first one here
    std::unordered_map<std::uint32_t, Kept> kept_;        // of long sessions, by token number
    std::size_t kept_unseen_ = 0;                         // calls of keep_only() that did nothing
    std::unordered_map<std::uint64_t, CriCall> waiting_;  // by flow and HTTP/2 stream
    NameTable containers_, sandboxes_;
    Timestamp now_;  // of the last message
    std::string runtime_name_;
};

}  // namespace hopscope::chain
