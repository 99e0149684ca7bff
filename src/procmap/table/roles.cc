#include "procmap/table/roles.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/node_words.h"

namespace hopscope::procmap {
namespace {

struct Verdict {
    ProcessRole role = ProcessRole::unknown;
    std::string proof;
};

// What a text says of a process, where it stands at the right place.
struct Sign {
    std::string_view text;
    ProcessRole role;
};

// What the programs are called where nobody renamed them.
constexpr std::array kNames{
    Sign{"kubelet", ProcessRole::kubelet},
    Sign{"containerd", ProcessRole::containerd},
    Sign{"dockerd", ProcessRole::dockerd},
    Sign{"docker-proxy", ProcessRole::docker_proxy},
    Sign{"cri-dockerd", ProcessRole::cri_dockerd},
    Sign{"crio", ProcessRole::crio},
    Sign{"conmon", ProcessRole::conmon},
    Sign{"runc", ProcessRole::runc},
    Sign{"kube-proxy", ProcessRole::kube_proxy},
    Sign{"etcd", ProcessRole::etcd},
    Sign{"kube-apiserver", ProcessRole::apiserver},
    Sign{"kube-controller-manager", ProcessRole::controller_manager},
    Sign{"kube-scheduler", ProcessRole::scheduler},
};

// Products that are several programs in one, and what their main package's path holds. They have the name without being
// one role: k3s is also ctr and kubectl, and k0s and rke2 only start the others.
struct Product {
    std::string_view name, path;
    bool has_parts = false;  // also "k3s-server", "k3s-agent"
};
constexpr std::array<std::string_view, 4> kParts = {"-server", "-agent", "-controller", "-worker"};
constexpr std::array kProducts{
    Product{"k3s", "/k3s/cmd/", true},
    Product{"rke2", "rancher/rke2", true},
    Product{"k0s", "k0sproject/k0s", true},
    Product{"kubelite", "k8s.io/kubernetes/cmd/kubelite"},  // of microk8s, and its store
    Product{"k8s-dqlite", "canonical/k8s-dqlite"},
    Product{"hyperkube", "k8s.io/kubernetes/cmd/hyperkube"},
};
constexpr std::string_view kShimName = "containerd-shim";

// Main packages, without "/v2" and the like, in lower case.
constexpr std::array kMainPaths{
    Sign{"k8s.io/kubernetes/cmd/kubelet", ProcessRole::kubelet},
    Sign{"k8s.io/kubernetes/cmd/kube-proxy", ProcessRole::kube_proxy},
    Sign{"k8s.io/kubernetes/cmd/kube-apiserver", ProcessRole::apiserver},
    Sign{"k8s.io/kubernetes/cmd/kube-controller-manager", ProcessRole::controller_manager},
    Sign{"k8s.io/kubernetes/cmd/kube-scheduler", ProcessRole::scheduler},
    Sign{"github.com/containerd/containerd/cmd/containerd", ProcessRole::containerd},
    Sign{"github.com/docker/docker/cmd/dockerd", ProcessRole::dockerd},
    Sign{"github.com/moby/moby/cmd/dockerd", ProcessRole::dockerd},
    Sign{"github.com/docker/docker/cmd/docker-proxy", ProcessRole::docker_proxy},
    Sign{"github.com/moby/moby/cmd/docker-proxy", ProcessRole::docker_proxy},
    Sign{"github.com/docker/libnetwork/cmd/proxy", ProcessRole::docker_proxy},
    Sign{"github.com/mirantis/cri-dockerd", ProcessRole::cri_dockerd},
    Sign{"github.com/cri-o/cri-o/cmd/crio", ProcessRole::crio},
    Sign{"github.com/kubernetes-sigs/cri-o/cmd/crio", ProcessRole::crio},
    Sign{"github.com/kubernetes-incubator/cri-o/cmd/crio", ProcessRole::crio},
    Sign{"github.com/opencontainers/runc", ProcessRole::runc},
    Sign{"go.etcd.io/etcd", ProcessRole::etcd},
    Sign{"go.etcd.io/etcd/server", ProcessRole::etcd},
    Sign{"github.com/coreos/etcd", ProcessRole::etcd},
};

// Where a program has no module lines: what stands in its function table. The first that is there decides; the shims
// come after containerd, which holds their package as well.
constexpr std::array kPackageRoles{
    Sign{"cmd/kubelet/app.", ProcessRole::kubelet},
    Sign{"cmd/kube-proxy/app.", ProcessRole::kube_proxy},
    Sign{"cmd/kube-apiserver/app.", ProcessRole::apiserver},
    Sign{"cmd/kube-controller-manager/app.", ProcessRole::controller_manager},
    Sign{"cmd/kube-scheduler/app.", ProcessRole::scheduler},
    Sign{"etcdmain.", ProcessRole::etcd},
    Sign{"cri-dockerd/core.", ProcessRole::cri_dockerd},
    Sign{"cri-o/server.", ProcessRole::crio},
    Sign{"cmd/containerd/command.", ProcessRole::containerd},
    Sign{"docker/daemon.", ProcessRole::dockerd},
    Sign{"/shim.", ProcessRole::containerd_shim},
    Sign{"libcontainer.", ProcessRole::runc},
};

// Usual places of the sockets that a role listens on; a part of the path.
constexpr std::array kSocketPlaces{
    Sign{"containerd.sock", ProcessRole::containerd},
    Sign{"crio.sock", ProcessRole::crio},
    Sign{"docker.sock", ProcessRole::dockerd},
    Sign{"cri-dockerd.sock", ProcessRole::cri_dockerd},
    Sign{"kubelet.sock", ProcessRole::kubelet},
    Sign{"dockershim.sock", ProcessRole::kubelet},
    Sign{"/containerd/s/", ProcessRole::containerd_shim},
    Sign{"@/containerd-shim/", ProcessRole::containerd_shim},
};

// "github.com/containerd/containerd/v2/cmd/containerd" without "/v2", in lower case.
std::string plain_path(std::string_view path) {
    std::string plain;
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
        if (part.size() > 1 && part[0] == 'v' &&
            std::all_of(part.begin() + 1, part.end(), [](char c) { return c >= '0' && c <= '9'; }))
            continue;
        if (!plain.empty()) plain += '/';
        for (const char c : part) plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return plain;
}

std::string_view argument(const Process& process, std::size_t index) {
    return index < process.cmdline.size() ? std::string_view(process.cmdline[index].raw()) : std::string_view();
}

ProcessRole role_of_name(std::string_view name) {
    if (name.substr(0, kShimName.size()) == kShimName) return ProcessRole::containerd_shim;
    const auto found =
        std::find_if(kNames.begin(), kNames.end(), [&](const Sign& entry) { return entry.text == name; });
    return found == kNames.end() ? ProcessRole::unknown : found->role;
}

// Programs that are several in one: the name they are called by, or their first argument, chooses.
Verdict several_in_one(const Process& process, const std::string& path) {
    const std::string_view called = base_name(argument(process, 0)), first = argument(process, 1);
    if (path == "k8s.io/kubernetes/cmd/hyperkube") {
        ProcessRole role = role_of_name(called);
        std::string_view by = called;
        if (role == ProcessRole::unknown) role = role_of_name(by = first);
        if (role == ProcessRole::unknown && !first.empty()) role = role_of_name("kube-" + std::string(first));
        if (role == ProcessRole::unknown) return {};
        return {role, "exe is hyperkube, told by its arguments to be the " + std::string(to_string(role))};
    }
    if (path == "k8s.io/kubernetes/cmd/kubelite")
        return {ProcessRole::kubelet,
                "exe is kubelite of microk8s: kubelet, kube-proxy and the control plane in one process"};
    const bool k3s = path.find("/k3s/cmd/") != std::string::npos, rke2 = path.find("rancher/rke2") != std::string::npos;
    if (!k3s && !rke2) return {};
    const std::string product = k3s ? "k3s" : "rke2";
    const ProcessRole by_name = role_of_name(called);
    if (by_name == ProcessRole::containerd || by_name == ProcessRole::containerd_shim || by_name == ProcessRole::runc)
        return {by_name,
                "exe is " + product + ", which is " + std::string(to_string(by_name)) + " when it is called so"};
    if (rke2) return {};  // its kubelet and containerd are processes of their own
    // k3s sets its title: "/usr/local/bin/k3s server" is one argument then.
    const std::string_view title = argument(process, 0);
    const auto is = [&](std::string_view word) {
        return first == word || called == "k3s-" + std::string(word) ||
               title.find("k3s " + std::string(word)) != std::string_view::npos;
    };
    const bool without_agent = std::any_of(process.cmdline.begin(), process.cmdline.end(),
                                           [](const Untrusted& word) { return word == "--disable-agent"; });
    if (is("server") && without_agent)
        return {ProcessRole::apiserver, "exe is k3s, its arguments make it a server without kubelet"};
    if (is("server"))
        return {ProcessRole::kubelet,
                "exe is k3s, its arguments make it a server: kubelet and the control plane in one process"};
    if (is("agent"))
        return {ProcessRole::kubelet,
                "exe is k3s, its arguments make it an agent: kubelet and kube-proxy in one process"};
    return {};
}

Verdict role_of_go(const Process& process, const Program& program) {
    if (program.main_path.empty() || program.main_path == "command-line-arguments") {
        for (const auto& [part, role] : kPackageRoles)
            for (const std::string& package : program.packages)
                if (package.find(part) != std::string::npos) {
                    // Without module lines hyperkube holds the packages of all its parts.
                    const bool several =
                        std::count_if(program.packages.begin(), program.packages.end(),
                                      [](const std::string& name) { return name.find("k8s.io/kubernetes/") == 0; }) > 1;
                    if (several) return several_in_one(process, "k8s.io/kubernetes/cmd/hyperkube");
                    return {role,
                            "exe is a Go program that holds the package " + package.substr(0, package.rfind('.'))};
                }
        return {};
    }
    const std::string path = plain_path(program.main_path);
    const std::string proof = "exe is the Go program " + program.main_path;
    for (const Sign& known : kMainPaths)
        if (known.text == path) return {known.role, proof};
    // Shims of many makers (runc, kata, gVisor), each a command of its own.
    if (base_name(path).substr(0, kShimName.size()) == kShimName) return {ProcessRole::containerd_shim, proof};
    return several_in_one(process, path);
}

Verdict role_of_program(const Process& process, const Program& program) {
    if (program.kind == Program::Kind::go) return role_of_go(process, program);
    const auto has = [&](std::string_view text) {
        return std::find(program.texts.begin(), program.texts.end(), text) != program.texts.end();
    };
    if (has("conmon version ") && has("conmon-pidfile")) return {ProcessRole::conmon, "exe holds the texts of conmon"};
    return {};
}

const Product* product_of_name(std::string_view name) {
    const auto found = std::find_if(kProducts.begin(), kProducts.end(), [&](const Product& product) {
        if (!name.starts_with(product.name)) return false;
        const std::string_view rest = name.substr(product.name.size());
        return rest.empty() || (product.has_parts && std::find(kParts.begin(), kParts.end(), rest) != kParts.end());
    });
    return found == kProducts.end() ? nullptr : &*found;
}

// What a process is called, where that is the name of a component; both zero where it is none.
struct Named {
    ProcessRole role = ProcessRole::unknown;
    const Product* product = nullptr;
    std::string name = {};

    explicit operator bool() const { return role != ProcessRole::unknown || product; }
};

Named named(const Process& process) {
    // Not by argument 0, which anybody sets and nobody is shown.
    for (const std::string_view name : {std::string_view(process.comm.raw()), base_name(process.exe.raw())}) {
        if (const ProcessRole role = role_of_name(name); role != ProcessRole::unknown)
            return {.role = role, .name = std::string(to_string(role))};
        if (const Product* product = product_of_name(name)) return {.product = product, .name = std::string(name)};
    }
    return {};
}

// Without module lines a program that holds a component's packages is taken for its product: no more can be told.
bool is_of(const Product& product, const Program& program) {
    if (program.kind != Program::Kind::go) return false;
    if (program.main_path.empty() || program.main_path == "command-line-arguments") return !program.packages.empty();
    return plain_path(program.main_path).find(product.path) != std::string::npos;
}

std::string what_it_is(const Process& process, const Program& program) {
    const std::string exe = process.exe.empty() ? "its executable" : "its executable " + display(process.exe);
    switch (program.kind) {
        case Program::Kind::unreadable: return exe + " may not be read";
        case Program::Kind::not_elf: return exe + " is no ELF program";
        case Program::Kind::other_elf: return exe + " is not a Go program";
        case Program::Kind::go: break;
    }
    if (program.main_path.empty()) return exe + " is a Go program that holds none of its packages";
    return exe + " is the Go program " + display(program.main_path);
}

}  // namespace

bool is_named_like_component(const Process& process) { return static_cast<bool>(named(process)); }

void give_role(Process& process, const Program& program, const ProgramSource& source, bool monitor) {
    process.role = ProcessRole::unknown;
    process.role_proof.clear();
    process.role_doubt.clear();
    process.version.clear();
    const Named called = named(process);
    Verdict verdict = role_of_program(process, program);
    if (verdict.role != ProcessRole::unknown) {
        process.role = verdict.role;
        process.role_proof.push_back(std::move(verdict.proof));
        if (called.role == verdict.role) process.role_proof.push_back("it is named " + called.name);
        if (monitor && verdict.role == ProcessRole::conmon)
            process.role_proof.push_back("its cgroup is that of a container's monitor");
        if (source.kind == ProgramSource::Kind::first_argument) {
            process.role_proof.front() = "its first argument names a file that" + process.role_proof.front().substr(3);
            process.role_doubt =
                "its executable may not be read (need CAP_SYS_PTRACE); the role rests on its first argument";
        }
        process.version = !program.linked_version.empty()   ? program.linked_version
                          : !program.module_version.empty() ? program.module_version
                                                            : program.conmon_version;
        if (process.version.size() > 1 && process.version[0] == 'v' && process.version[1] >= '0' &&
            process.version[1] <= '9')
            process.version.erase(0, 1);
        return;
    }
    if (called && !(called.product && is_of(*called.product, program))) {
        process.role_doubt = "is named " + display(called.name) + ", but " + what_it_is(process, program);
        if (program.kind == Program::Kind::unreadable && !source.why_not.empty())
            process.role_doubt += ": " + source.why_not;
    }
    if (!process.container_id.empty()) {
        process.role = ProcessRole::in_container;
        process.role_proof.push_back("its cgroup is that of a container");
    }
}

void add_socket_proof(Process& process, const std::vector<std::string>& listening_paths) {
    for (const auto& [place, role] : kSocketPlaces) {
        if (role != process.role) continue;
        for (const std::string& path : listening_paths)
            if (path.find(place) != std::string::npos) process.role_proof.push_back("it listens on " + display(path));
    }
}

}  // namespace hopscope::procmap
