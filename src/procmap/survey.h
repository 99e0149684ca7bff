// The whole of what hopscope knows of a node at one moment: socket table, configuration of the components, names of the
// containers, running execs, and (asked for only) answers of listeners to harmless requests.
#pragma once

#include <memory>

#include "core/node.h"
#include "core/result.h"
#include "procmap/table/reader.h"

namespace hopscope::procmap {

struct SurveyOptions {
    bool ask_runtimes = true;  // small CRI and Docker calls that only read (Version, ListPodSandbox, ListContainers)
    bool probe = false;        // one connection per unknown loopback listener, harmless requests, 1 s each
    std::vector<Endpoint> probe_only;  // with probe: these listeners; empty: each of a component that loopback reaches
    std::int64_t runtime_timeout_ms = 300;
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
