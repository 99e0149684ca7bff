// Takes the node's picture for ports, graph and doctor: which root, which way of reading sockets, which network
// namespace, and the notes about what could not be seen.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "core/node.h"
#include "core/result.h"
#include "procmap/host_root.h"
#include "procmap/scanner.h"
#include "procmap/survey.h"

namespace hopscope::cli {

struct NodeRequest {
    bool probe = false;
    std::function<std::vector<Endpoint>(const Node&)> probe_choice = nullptr;  // as procmap::SurveyOptions has it
    std::vector<std::string> socket_paths;                                     // of unix sockets that are asked for
    bool refreshed = false;           // read again and again (--watch): loading eBPF pays off
    bool all_net_namespaces = false;  // else the host's, unless --netns asks for another
    bool ask_runtimes = true;         // names of pods and containers
};

// Options of a command that reads the node: --netns, --ebpf (--host-root is global).
std::vector<OptionSpec> node_options();

// Where the host's files are: --host-root, else /host in a container that was given them, else /.
std::string host_directory(const Invocation& invocation);

class NodeReader {
public:
    // NOD-03 for a namespace that is not there; BPF-… with --ebpf require where it cannot be used.
    static Result<std::unique_ptr<NodeReader>> open(const Invocation& invocation, NodeRequest request);

    Result<Node> take();
    [[nodiscard]] const procmap::HostRoot& root() const { return root_; }
    // Is a socket of this namespace asked for?  0 (unknown) is.
    [[nodiscard]] bool shows_namespace(std::uint64_t net_namespace, const Node& node) const;

private:
    enum class Namespaces : std::uint8_t { host, one, all };
    explicit NodeReader(procmap::HostRoot root) : root_(std::move(root)) {}
    Status choose_namespace(const std::string& text);
    Status open_scanner(const std::string& when, bool refreshed);

    procmap::HostRoot root_;
    Namespaces which_ = Namespaces::host;
    std::uint64_t namespace_ = 0;  // one
    std::unique_ptr<procmap::SocketScanner> scanner_;
    std::unique_ptr<procmap::Survey> survey_;
};

// What could not be seen, as notes on stderr; with `about` only the sentences with this word.
void report_limits(const Node& node, std::string_view about = {});
std::vector<std::string> limits_of(const Node& node);

}  // namespace hopscope::cli
