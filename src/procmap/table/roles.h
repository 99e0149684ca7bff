// Which part of a node a process is, by what its executable contains; names alone prove nothing.
//
// Proof is the path of a Go program's main package (or, without it, packages that are compiled into one program only),
// conmon's own texts, and for programs that are several in one (k3s, hyperkube, kubelite) the argument that chooses.
// Not recognised: components written anew in another language, and executables packed with UPX.
#pragma once

#include "core/process.h"
#include "procmap/table/go_program.h"

namespace hopscope::procmap {

struct ProgramSource {
    // Where the program was read from: the executable itself, or (where that may not be read) the file that the first
    // argument names, which the process chose itself.
    enum class Kind { executable, first_argument, unreadable } kind = Kind::unreadable;
    std::string why_not;  // unreadable: "Permission denied"
};

// Fills role, role_proof, role_doubt and version from the other fields of `process`. `monitor`: its cgroup is conmon's.
void give_role(Process& process, const Program& program, const ProgramSource& source, bool monitor);

// True if a name of the process is that of a component: only then is it worth a doubt, or a look beyond the cheap.
bool is_named_like_component(const Process& process);

// Adds "listens on …" where a unix socket of the process has the usual place of its role.
void add_socket_proof(Process& process, const std::vector<std::string>& listening_paths);

}  // namespace hopscope::procmap
