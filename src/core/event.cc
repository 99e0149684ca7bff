#include "core/event.h"

namespace hopscope {

std::string_view to_string(StreamKind kind) {
    switch (kind) {
        case StreamKind::unknown: return "unknown";
        case StreamKind::error: return "error";
        case StreamKind::in: return "stdin";
        case StreamKind::out: return "stdout";
        case StreamKind::err: return "stderr";
        case StreamKind::resize: return "resize";
        case StreamKind::data: return "data";
    }
    return "";
}

}  // namespace hopscope
