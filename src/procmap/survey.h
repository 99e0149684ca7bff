// The whole of what hopscope knows of a node at one moment: socket table, configuration of the components, names of the
// containers, running execs, and (asked for only) answers of listeners to harmless requests.
#pragma once

#include <functional>
#include <memory>

#include "core/node.h"
#include "core/result.h"
#include "procmap/table/reader.h"

namespace hopscope::procmap {

struct SurveyOptions {
    bool ask_runtimes = true;  // small CRI and Docker calls that only read (Version, ListPodSandbox, ListContainers)
    bool probe = false;        // harmless requests to listeners on loopback, 1 s each: those of `probe_choice`
    // Which TCP listeners are worth asking, by the rest of the picture, the most worth first; null: each of a
    // component. Of these the survey asks what loopback reaches, limits::kProbesMax at most, and says among
    // Node::limits how many it did not ask, and why.
    std::function<std::vector<Endpoint>(const Node&)> probe_choice = nullptr;
    std::int64_t runtime_timeout_ms = 300;
    std::vector<std::string> socket_paths;  // on the host: looked at beside the usual ones, whatever lies there
};

class Survey {
public:
    Survey(ReaderOptions reader, SurveyOptions options);
    ~Survey();
    Survey(const Survey&) = delete;
    Survey& operator=(const Survey&) = delete;

    // Again: with everything that did not change (configuration files by their times, names by id) from the last time.
    Result<Node> take();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
