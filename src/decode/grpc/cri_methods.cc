#include "decode/grpc/cri_methods.h"

#include <algorithm>
#include <array>

namespace hopscope::decode::grpc {
namespace {

using B = CriBody;

// Sorted by name. RuntimeService and ImageService have no name in common.
constexpr std::array kMethods = {
    CriMethod{"Attach", B::attach, B::streaming_url},
    CriMethod{"CheckpointContainer", B::container_id, B::none},
    CriMethod{"ContainerStats", B::container_id, B::container_stats},
    CriMethod{"ContainerStatus", B::container_id, B::container_status},
    CriMethod{"CreateContainer", B::create_container, B::container_id},
    CriMethod{"Exec", B::exec, B::streaming_url},
    CriMethod{"ExecSync", B::exec_sync, B::exec_sync_result},
    CriMethod{"GetContainerEvents", B::none, B::container_event},
    CriMethod{"ImageFsInfo", B::none, B::none},
    CriMethod{"ImageStatus", B::none, B::none},
    CriMethod{"ListContainerStats", B::container_stats_filter, B::container_stats},
    CriMethod{"ListContainers", B::container_filter, B::containers},
    CriMethod{"ListImages", B::none, B::none},
    CriMethod{"ListMetricDescriptors", B::none, B::none},
    CriMethod{"ListPodSandbox", B::sandbox_filter, B::sandboxes},
    CriMethod{"ListPodSandboxMetrics", B::none, B::none},
    CriMethod{"ListPodSandboxStats", B::sandbox_filter, B::sandbox_stats},
    CriMethod{"PodSandboxStats", B::sandbox_id, B::sandbox_stats},
    CriMethod{"PodSandboxStatus", B::sandbox_id, B::sandbox_status},
    CriMethod{"PortForward", B::port_forward, B::streaming_url},
    CriMethod{"PullImage", B::none, B::none},  // its request holds credentials
    CriMethod{"RemoveContainer", B::container_id, B::none},
    CriMethod{"RemoveImage", B::none, B::none},
    CriMethod{"RemovePodSandbox", B::sandbox_id, B::none},
    CriMethod{"ReopenContainerLog", B::container_id, B::none},
    CriMethod{"RunPodSandbox", B::run_sandbox, B::sandbox_id},
    CriMethod{"RuntimeConfig", B::none, B::none},
    CriMethod{"StartContainer", B::container_id, B::none},
    CriMethod{"Status", B::none, B::status},
    CriMethod{"StopContainer", B::container_id, B::none},
    CriMethod{"StopPodSandbox", B::sandbox_id, B::none},
    CriMethod{"StreamContainerStats", B::container_stats_filter, B::container_stats},
    CriMethod{"StreamContainers", B::container_filter, B::containers},
    CriMethod{"StreamImages", B::none, B::none},
    CriMethod{"StreamPodSandboxMetrics", B::none, B::none},
    CriMethod{"StreamPodSandboxStats", B::sandbox_filter, B::sandbox_stats},
    CriMethod{"StreamPodSandboxes", B::sandbox_filter, B::sandboxes},
    CriMethod{"UpdateContainerResources", B::container_id, B::none},
    CriMethod{"UpdatePodSandboxResources", B::sandbox_id, B::none},
    CriMethod{"UpdateRuntimeConfig", B::none, B::none},
    CriMethod{"Version", B::none, B::version},
};
static_assert(std::is_sorted(kMethods.begin(), kMethods.end(),
                             [](const CriMethod& a, const CriMethod& b) { return a.name < b.name; }));

}  // namespace

const CriMethod* find_cri_method(std::string_view name) {
    const auto* at =
        std::lower_bound(kMethods.begin(), kMethods.end(), name,
                         [](const CriMethod& method, std::string_view text) { return method.name < text; });
    return at != kMethods.end() && at->name == name ? at : nullptr;
}

CriPath parse_cri_path(std::string_view path) {
    // Texts of the program, not of the wire: they outlive the header block.
    for (const std::string_view version : {std::string_view("v1"), std::string_view("v1alpha2")}) {
        for (const std::string_view service : {std::string_view("RuntimeService"), std::string_view("ImageService")}) {
            std::string_view rest = path;
            const auto skip = [&rest](std::string_view text) {
                if (!rest.starts_with(text)) return false;
                rest.remove_prefix(text.size());
                return true;
            };
            if (skip("/runtime.") && skip(version) && skip(".") && skip(service) && skip("/") && !rest.empty())
                return {version, rest, find_cri_method(rest)};
        }
    }
    return {};
}

}  // namespace hopscope::decode::grpc
