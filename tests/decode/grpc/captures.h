// The raw bytes of the CRI and Docker unix sockets in testdata, as Conversations in the order in which they were read.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/cut_anywhere.h"

namespace hopscope::tests {

inline std::string capture_path(const std::string& name) {
    return std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures/" + name;
}

inline std::string read_capture(const std::string& name) {
    std::ifstream in(capture_path(name), std::ios::binary);
    EXPECT_TRUE(in.good()) << name;
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

inline nlohmann::json read_truth(const std::string& name) { return nlohmann::json::parse(read_capture(name)); }

inline std::size_t size_of_talk(const Conversation& talk) {
    std::size_t out = 0;
    for (const Turn& turn : talk) out += turn.bytes.size();
    return out;
}

struct RawConnection {
    std::string name;  // "grpc_misc.c3"
    Conversation talk;
};

// All connections of grpc/NAME.*.
inline std::vector<RawConnection> raw_connections(const std::string& name) {
    std::map<int, RawConnection> found;
    std::map<std::string, std::string> files;
    std::istringstream index(read_capture("grpc/" + name + ".grpc.index.jsonl"));
    for (std::string line; std::getline(index, line);) {
        const auto entry = nlohmann::json::parse(line);
        if (!entry.contains("dir")) continue;
        const int number = entry["conn"];
        const std::string dir = entry["dir"];
        RawConnection& connection = found[number];
        connection.name = name + ".c" + std::to_string(number);
        const std::string file = "grpc/" + connection.name + ".grpc." + dir;
        if (!files.contains(file)) files[file] = read_capture(file);
        if (!entry.contains("len")) continue;
        const std::string bytes = files[file].substr(entry["off"], entry["len"]);
        EXPECT_EQ(bytes.size(), entry["len"].get<std::size_t>()) << file;
        connection.talk.push_back(dir == "c2s" ? client(bytes) : server(bytes));
    }
    std::vector<RawConnection> out;
    for (auto& [number, connection] : found) out.push_back(std::move(connection));
    return out;
}

// The CRI connections of grpc/ (the others speak HTTP/1.1 to dockerd).
inline std::vector<RawConnection> cri_connections() {
    std::vector<RawConnection> out;
    for (const char* name : {"attach_stdin_stdout", "dk_exec_exit3", "exec_exit3", "exec_stdout_stderr", "execsync",
                             "grpc_misc", "portforward_conc6"})
        for (RawConnection& connection : raw_connections(name)) out.push_back(std::move(connection));
    return out;
}

// The connections of node/cri_uds_small.pcap: synthetic TCP without loss, raw IPv4, classic pcap.
inline std::vector<RawConnection> cri_uds_connections() {
    const std::string file = read_capture("node/cri_uds_small.pcap");
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.data());
    std::map<int, RawConnection> found;
    for (std::size_t at = 24; at + 16 <= file.size();) {
        const std::size_t size = read_le32(bytes + at + 8);
        const std::uint8_t* ip = bytes + at + 16;
        at += 16 + size;
        const std::uint8_t* tcp = ip + (ip[0] & 15) * 4;
        const std::size_t head = static_cast<std::size_t>(tcp - ip) + (tcp[12] >> 4) * 4U;
        const int from = read_be16(tcp), to = read_be16(tcp + 2);
        const bool to_server = to == 50051;
        RawConnection& connection = found[to_server ? from : to];
        connection.name = "cri_uds_small." + std::to_string(to_server ? from : to);
        const std::string payload(reinterpret_cast<const char*>(ip) + head, read_be16(ip + 2) - head);
        if (!payload.empty()) connection.talk.push_back(to_server ? client(payload) : server(payload));
    }
    std::vector<RawConnection> out;
    for (auto& [port, connection] : found) out.push_back(std::move(connection));
    return out;
}

}  // namespace hopscope::tests
