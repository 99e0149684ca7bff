// The methods of the CRI services and what their messages hold (k8s.io/cri-api, api.proto of v1 and v1alpha2).
#pragma once

#include <cstdint>
#include <string_view>

namespace hopscope::decode::grpc {

// What a message's body is read as.
enum class CriBody : std::uint8_t {
    none,  // nothing in it is told: counted only, never held in memory
    container_id,
    sandbox_id,
    streaming_url,
    version,
    status,
    exec,
    attach,
    port_forward,
    exec_sync,
    exec_sync_result,
    run_sandbox,
    create_container,
    container_filter,
    container_stats_filter,
    sandbox_filter,
    sandboxes,
    sandbox_status,
    containers,
    container_status,
    container_event,
    container_stats,
    sandbox_stats,
};

struct CriMethod {
    std::string_view name;
    CriBody request = CriBody::none;
    CriBody response = CriBody::none;
};

// A call as its path names it.
struct CriPath {
    std::string_view version;          // "v1" or "v1alpha2"; empty: not one of the CRI services
    std::string_view method;           // text of the path
    const CriMethod* known = nullptr;  // null: a method that hopscope does not know yet
};

// "/runtime.v1.RuntimeService/Exec", "/runtime.v1alpha2.ImageService/PullImage" …
CriPath parse_cri_path(std::string_view path);

// Null if there is none of this name.
const CriMethod* find_cri_method(std::string_view name);

}  // namespace hopscope::decode::grpc
