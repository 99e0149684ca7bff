// What settings and version say of the CRI streaming server of one process: whether it has one, and where it is to be.
// Internal to the verdicts; pure. Which of its listeners that is, is not decided here (verdict_streaming.cc).
//
// Sources: containerd's and CRI-O's configuration (stream_server_port, stream_port), cri-dockerd's
// --streaming-bind-addr, and pkg/kubelet/dockershim of Kubernetes 1.11 to 1.23.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chain/node_index.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"

namespace hopscope::chain {

struct StreamingPlan {
    enum class State { none, fixed, random, possible } state = State::possible;
    std::string says;                  // none: why there is none
    std::uint16_t port = 0;            // fixed
    std::optional<ListenPlace> place;  // where its address is to be; none: unknown
    const ConfigValue* setting = nullptr;
    std::vector<Evidence> evidence;
    std::string assumed;          // why the setting may not be in force: not all of them could be read; empty: it is
    bool version = false;         // its version has one
    bool settings_known = false;  // all of them: what they do not explain nothing explains
    bool tls = false;
    std::string tls_words;
};

// False: the CRI plugin of this containerd is off, and `says` is why. True also where nothing is known.
bool has_cri(const ComponentConfig* config, std::string* says);
// Borrows the settings of the node.
StreamingPlan streaming_plan(const hopscope::Process& process, const StreamingRule& rule, const NodeIndex& index);

}  // namespace hopscope::chain
