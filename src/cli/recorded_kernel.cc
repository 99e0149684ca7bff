#include "cli/recorded_kernel.h"

namespace hopscope::cli {

void RecordedKernel::on(const capture::UnixRecord& record, chain::Builder& builder) {
    std::visit(
        Overloaded{[](std::monostate) {}, [](const StreamChunk&) {}, [](const UnixLoss&) {},
                   [&](const ProcessEvent& event) { book_.on(event); }, [&](const Process& process) { know(process); },
                   [&](const SocketLife& life) { forwards_.on(life); },
                   [&](const ContainerNames& names) { builder.name_container(names); }},
        record);
}

void RecordedKernel::know(const Process& process) {
    book_.know(process);
    forwards_.know(process);
    if (processes_.size() >= limits::kBookParentsMax && !processes_.contains(process.id.pid)) return;
    processes_[process.id.pid] = {.pid = process.id.pid, .comm = process.comm, .exe = process.exe};
}

// `of_session`: a comment told its name; the file it runs is told here.
void RecordedKernel::name(std::optional<chain::Process>& process, bool of_session) const {
    if (!process) return;
    const auto known = processes_.find(process->pid);
    if (known == processes_.end()) return;
    if (process->comm.empty())
        *process = known->second;
    else if (of_session && process->exe.empty() && process->comm == known->second.comm)
        process->exe = known->second.exe;
}

void RecordedKernel::complete(chain::Builder& builder) {
    chain::Model& model = builder.model();
    for (chain::Chain& chain : model.chains) {
        book_.complete(chain, model.sessions);
        forwards_.complete(chain, model.sessions);
        for (chain::Hop& hop : chain.hops) {
            name(hop.from, hop.session != 0);
            name(hop.to, hop.session != 0);
        }
    }
}

}  // namespace hopscope::cli
