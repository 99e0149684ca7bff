// The parts of a verdict beside its role: who can reach it, who is connected, what is wrong with it.
// Internal to the verdicts.
#pragma once

#include <string>
#include <vector>

#include "chain/verdict_draft.h"

namespace hopscope::chain {

// Verdict::reach and the sentence for it.
struct Reach {
    std::string word, sentence;
};
Reach reach_of(const Listener& listener, const Node& node);

// Whatever its user, a process may connect.
bool is_open_to_all(const SocketAccess& access);
// "srw-rw---- root:docker", as ls -l tells it; numbers where the host has no names.
std::string mode_words(const SocketAccess& access);

// At most limits::kVerdictPeersMax, sorted.
std::vector<Peer> peers_of(const Socket& listener, const NodeIndex& index);

// The execs whose FIFOs one of these owners holds open. At most limits::kVerdictPeersMax, sorted.
std::vector<OpenExec> execs_of(const std::vector<Owner>& owners, const NodeIndex& index);

// Adds one finding about this listener; its code to the verdict, with the remedy where the verdict has none.
void add_finding(Verdict& verdict, const char* code, Severity severity, std::string says, std::string remedy,
                 Timestamp at, std::vector<Finding>& findings);
// Adds what is wrong with one listener; its code to the verdict, with a remedy where the verdict has none.
void find_trouble(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings);
// Unix: that the file does not lie where it was bound and clients look for it, and that a stranger listens where a
// component's socket belongs. In the title, in who can reach it, and as findings.
void tell_place(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings);
// A stranger's listener at the path that the settings or the rules have for this draft's component.
bool is_usurped(const Draft& draft, const Listener& listener, const NodeIndex& index);
// Of the whole node: execs whose client is gone.
void find_left_behind(const std::vector<Verdict>& verdicts, const NodeIndex& index, std::vector<Finding>& findings);

}  // namespace hopscope::chain
