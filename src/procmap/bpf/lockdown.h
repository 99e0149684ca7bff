// Which lockdown mode the kernel is in (LSM "lockdown", Linux 5.4; lockdown= of its command line). "integrity" leaves
// eBPF alone; "confidentiality" refuses every program that reads kernel memory when it is loaded (bpf_probe_read_kernel
// is no known helper then, EINVAL), and so all of ours. Programs loaded before keep running.
#pragma once

#include <string>
#include <string_view>

namespace hopscope::procmap {

// "none", "integrity" or "confidentiality"; empty: securityfs is not mounted, or the kernel has no lockdown.
std::string lockdown_mode();
// Of the file's text: "none [integrity] confidentiality" → "integrity".
std::string lockdown_mode_in(std::string_view text);
// Whether this is why the kernel refused to load a program with this errno.
bool is_refused_by_lockdown(int error);
// What to do about it.
inline constexpr const char* kLockdownRemedy = "a kernel without lockdown=confidentiality (integrity is no hindrance)";

}  // namespace hopscope::procmap
