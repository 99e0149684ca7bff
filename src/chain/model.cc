#include "chain/model.h"

namespace hopscope::chain {

std::string_view to_string(Op op) {
    switch (op) {
        case Op::unknown: return "";
        case Op::exec: return "exec";
        case Op::attach: return "attach";
        case Op::portforward: return "portforward";
    }
    return "";
}

std::string_view to_string(SessionState state) {
    switch (state) {
        case SessionState::open: return "open";
        case SessionState::closed: return "closed";
        case SessionState::refused: return "refused";
        case SessionState::reset: return "reset";
        case SessionState::cut: return "cut";
    }
    return "";
}

std::string_view to_string(Proto proto) {
    switch (proto) {
        case Proto::unknown: return "";
        case Proto::http11: return "http/1.1";
        case Proto::spdy31: return "spdy/3.1";
        case Proto::websocket: return "websocket";
    }
    return "";
}

std::string_view to_string(HopKind hop) {
    switch (hop) {
        case HopKind::unknown: return "";
        case HopKind::apiserver: return "apiserver";
        case HopKind::kubelet: return "kubelet";
        case HopKind::cri: return "cri";
        case HopKind::runtime: return "runtime";
        case HopKind::shim: return "shim";
        case HopKind::process: return "process";
    }
    return "";
}

std::string_view to_string(Severity severity) {
    switch (severity) {
        case Severity::info: return "info";
        case Severity::notice: return "notice";
        case Severity::warning: return "warning";
        case Severity::error: return "error";
    }
    return "";
}

}  // namespace hopscope::chain
