// The rows of `hopscope doctor` that a survey of the node and the terminal fill. Pure: tests build the Node.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "chain/verdict.h"
#include "core/node.h"
#include "export/doctor.h"

namespace hopscope::cli {

struct TerminalFacts {
    bool is_terminal = false;
    std::size_t columns = 0, rows = 0;
    bool utf8 = false;
    std::string name;  // TERM; hostile
};

// K8S-01 kubelet, K8S-02 container runtime, K8S-03 streaming server, TLS-02 port 10250.
std::vector<exports::DoctorRow> node_rows(const Node& node, const chain::Judgement& judgement);
// TTY-01.
exports::DoctorRow terminal_row(const TerminalFacts& facts);

}  // namespace hopscope::cli
