#include "core/loss.h"

namespace hopscope {

std::string_view to_string(LossPlace place) {
    switch (place) {
        case LossPlace::kernel: return "kernel";
        case LossPlace::ring: return "ring";
        case LossPlace::cut_packets: return "cut_packets";
        case LossPlace::reassembly: return "reassembly";
        case LossPlace::decoder: return "decoder";
        case LossPlace::fragments: return "fragments";
        case LossPlace::limit_flows: return "limit_flows";
        case LossPlace::limit_buffer: return "limit_buffer";
        case LossPlace::limit_streams: return "limit_streams";
        case LossPlace::limit_memory: return "limit_memory";
        case LossPlace::uncompared: return "uncompared";
        case LossPlace::file: return "file";
    }
    return "";
}

}  // namespace hopscope
