// Collects findings: tells the observer of each, keeps the first ones, counts all.
#pragma once

#include "chain/builder.h"
#include "chain/model.h"
#include "chain/observer.h"

namespace hopscope::chain {

class FindingBook {
public:
    // All borrowed; `observer` may be null.
    FindingBook(Model& model, std::size_t findings_max, Observer* observer)
        : model_(model), findings_max_(findings_max), observer_(observer) {}

    void add(Finding finding) {
        ++model_.findings_seen;
        if (observer_) observer_->finding(finding);
        if (model_.findings.size() < findings_max_)
            model_.findings.push_back(std::move(finding));
        else if (findings_max_ > 0)
            model_.loss.add(LossPlace::limit_memory);
    }

private:
    Model& model_;
    std::size_t findings_max_;
    Observer* observer_;
};

}  // namespace hopscope::chain
