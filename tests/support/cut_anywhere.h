// Proves that a decoder tells the same events however its bytes are cut.
//
//     Conversation talk = {client("GET / HTTP/1.1\r\n\r\n"), server("HTTP/1.1 204 No Content\r\n\r\n"), server_end()};
//     const EventLog log = expect_cut_anywhere([] { return decode::stream::make_http1(); }, talk);
//     EXPECT_THAT(log.lines(), ElementsAre("request 0 …", "response 0 …", …));
//
// A Conversation is what happens on one connection, in order: bytes of a side, a gap in a side, the end of a side.
// expect_cut_anywhere() feeds it through a decode::Road whole, byte by byte, cut in two at single places (up to
// `single_cuts` of them), and cut at random places (fixed seeds), and compares the logs with ADD_FAILURE at the first
// difference. It returns the log of the whole run, for further checks. run_whole() and run_cut() are there for tests
// that want only a part of it.
//
// How logs are compared: StreamData and HttpBody pieces of one stream and direction that follow each other count as
// one, as the contract of Decoder allows. What one direction tells must come in the same order; events of the two
// directions may change places with each other, because an answered upgrade frees held bytes at once. Events without a
// direction are compared per stream. See lane_of() in event_log.h.
//
// Not checked here: memory. Use Road::held_bytes() for that (Runner::road).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "decode/road.h"
#include "support/event_log.h"

namespace hopscope::tests {

struct Turn {
    enum class Kind { bytes, gap, end };
    Kind kind = Kind::bytes;
    Direction direction{};
    std::string bytes;
    std::uint64_t missing = 0;
};
using Conversation = std::vector<Turn>;

inline Turn client(std::string_view bytes) { return {Turn::Kind::bytes, Direction::to_server, std::string(bytes), 0}; }
inline Turn server(std::string_view bytes) { return {Turn::Kind::bytes, Direction::to_client, std::string(bytes), 0}; }
inline Turn client_gap(std::uint64_t missing) { return {Turn::Kind::gap, Direction::to_server, {}, missing}; }
inline Turn server_gap(std::uint64_t missing) { return {Turn::Kind::gap, Direction::to_client, {}, missing}; }
inline Turn client_end() { return {Turn::Kind::end, Direction::to_server, {}, 0}; }
inline Turn server_end() { return {Turn::Kind::end, Direction::to_client, {}, 0}; }

// Bytes from "80030001 00000029"; anything that is no hexadecimal digit is skipped.
inline std::string from_hex(std::string_view hex) {
    std::string out;
    int high = -1;
    for (const char c : hex) {
        int digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            out += static_cast<char>(high << 4 | digit);
            high = -1;
        }
    }
    return out;
}

using MakeDecoder = std::function<std::unique_ptr<decode::Decoder>()>;
// Says how many of the `left` (> 0) bytes come next.
using Cutter = std::function<std::size_t(std::size_t left)>;

inline void feed(decode::Road& road, const Conversation& talk, const Cutter& cutter, EventSink& sink) {
    for (const Turn& turn : talk) {
        switch (turn.kind) {
            case Turn::Kind::gap: road.gap(turn.direction, turn.missing, sink); break;
            case Turn::Kind::end: road.end(turn.direction, sink); break;
            case Turn::Kind::bytes:
                for (std::size_t at = 0; at < turn.bytes.size();) {
                    const std::size_t size =
                        std::clamp<std::size_t>(cutter(turn.bytes.size() - at), 1, turn.bytes.size() - at);
                    // A copy of its own for every piece: reads past its end are seen by the address sanitizer.
                    const std::vector<std::uint8_t> piece(turn.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                                          turn.bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
                    road.feed(turn.direction, piece, sink);
                    at += size;
                }
                break;
        }
    }
}

inline EventLog run_cut(const MakeDecoder& make, const Conversation& talk, const Cutter& cutter) {
    EventLog log;
    decode::Road road(make());
    feed(road, talk, cutter, log);
    return log;
}

inline EventLog run_whole(const MakeDecoder& make, const Conversation& talk) {
    return run_cut(make, talk, [](std::size_t left) { return left; });
}

inline EventLog expect_cut_anywhere(const MakeDecoder& make, const Conversation& talk, unsigned random_runs = 24,
                                    std::uint32_t seed = 20261121, std::size_t single_cuts = 400) {
    const EventLog whole = run_whole(make, talk);
    const auto compare = [&](const EventLog& cut, const std::string& how) {
        const std::string difference = first_difference(whole, cut);
        if (difference.empty()) return true;
        ADD_FAILURE() << "events change when the bytes are cut " << how << "\n" << difference;
        return false;
    };
    if (!compare(run_cut(make, talk, [](std::size_t) { return std::size_t{1}; }), "byte by byte")) return whole;

    std::size_t total = 0;
    for (const Turn& turn : talk) total += turn.bytes.size();
    const std::size_t stride = std::max<std::size_t>(1, total / single_cuts);
    for (std::size_t cut_at = 1; cut_at < total; cut_at += stride) {
        // One cut, `cut_at` bytes into all that is said.
        std::size_t said = 0;
        const Cutter once = [&](std::size_t left) {
            const std::size_t size = said < cut_at && cut_at < said + left ? cut_at - said : left;
            said += size;
            return size;
        };
        if (!compare(run_cut(make, talk, once), "once after " + std::to_string(cut_at) + " bytes")) return whole;
    }
    for (unsigned run = 0; run < random_runs; ++run) {
        std::mt19937 random(seed + run);
        // Mostly crumbs, sometimes large pieces: both kinds of trouble in one run.
        const std::size_t largest = run % 3 == 0 ? 8 : run % 3 == 1 ? 64 : 4096;
        const Cutter crumbs = [&](std::size_t) { return 1 + random() % largest; };
        if (!compare(run_cut(make, talk, crumbs), "at random, seed " + std::to_string(seed + run))) return whole;
    }
    return whole;
}

}  // namespace hopscope::tests
