// `hopscope ports` and `hopscope why` for people: the table of listeners, and the page that explains one of them.
//
// Everything that comes from the node (names, paths) passes display(); sentences of the verdict pass it, too, because
// they quote the node.
#pragma once

#include "chain/verdict.h"
#include "export/output.h"
#include "export/style.h"

namespace hopscope::exports {

struct PortsTextOptions {
    Style style;
    bool header = true;               // false: rows only, for scripts: no titles, no sentences below
    std::size_t listening = 0;        // listeners there are in all, shown or not
    std::size_t findings_hidden = 0;  // of listeners that are not shown
    bool since_boot = false;          // a column: how long after the boot the owner was started
    Timestamp booted;                 // 0: unknown
};

// One row per verdict, then how many were left out and what was found.
void write_ports_text(Output& out, const chain::Judgement& shown, const PortsTextOptions& options);
// The page of one listener; of `findings` those that are about it.
void write_why_text(Output& out, const chain::Verdict& verdict, const std::vector<chain::Finding>& findings,
                    const Style& style);

// Pieces that other views share.
std::string listens_on(const chain::Verdict& verdict, Glyphs glyphs);     // "127.0.0.1:35751" "*:10250" "/run/x.sock"
std::string process_words(const chain::Process& process, Glyphs glyphs);  // "kubelet[10107]"; "-" for none
// "kubelet[10107]", "systemd[1] +1" when several processes hold it.
std::string owner_words(const chain::Verdict& verdict, Glyphs glyphs);
Tone confidence_tone(std::string_view confidence);

}  // namespace hopscope::exports
