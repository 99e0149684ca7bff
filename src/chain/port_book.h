// Which servers were seen streaming, and how sure that is: the ports of a report that comes from traffic alone.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "chain/cri_book.h"
#include "chain/model.h"

namespace hopscope::chain {

// Bounded: limits::kPortFactsMax servers.
class PortBook {
public:
    explicit PortBook(Model& model) : model_(model) {}

    // A request to a streaming path was answered.
    void answered(const Session& session);
    // A CRI answer named this server in a streaming URL.
    void named_by_cri(const CriCall& call, const std::string& runtime_name);
    // True if a streaming request to `server` was seen in `file`: its port was captured there.
    [[nodiscard]] bool was_captured(const Endpoint& server, std::uint16_t file) const;

private:
    struct Server {
        std::size_t fact = 0;        // position in model.ports
        std::uint64_t accepted = 0;  // 101 answers
        std::size_t traffic_evidence = SIZE_MAX;
        bool by_cri = false;
        std::vector<std::uint16_t> files;  // where its streaming requests were seen; few
    };

    Server* server_of(const Endpoint& endpoint, const char* role);
    static void saw(PortFact& fact, Timestamp& last_of_kind, Timestamp at);

    Model& model_;
    std::map<Endpoint, Server> servers_;
};

}  // namespace hopscope::chain
