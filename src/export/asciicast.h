// Terminal recordings in the asciicast v2 format (docs.asciinema.org/manual/asciicast/v2): a header line, then one
// JSON array per event: [seconds since the start, code, data].
//
// "o" is stdout and stderr, "i" stdin (only when revealed by name: typed passwords are there), "r" a resize, "m" a
// marker. Times are those of the capture: idle time is not shortened. A character cut by a frame border waits for its
// rest; bytes that are no UTF-8 become U+FFFD, because the format has no way to carry them (raw extraction keeps them).
#pragma once

#include <array>
#include <string>

#include "chain/model.h"
#include "chain/reveal.h"
#include "export/json_writer.h"

namespace hopscope::exports {

struct CastHeader {
    std::uint16_t width = 80, height = 24;
    bool size_known = false;  // false: 80x24 is an assumption
    Timestamp start;
    std::string title;    // printable
    std::string command;  // printable; empty: not told
};

// Size of the first resize, title "exec default/web-0 nginx", the command only when revealed.
CastHeader cast_header(const chain::Session& session, const chain::Reveal& reveal);

// Without a known size the header waits: events are held until the first resize tells it, or until it is clear that
// none will come soon. So one pass over a capture is enough.
inline constexpr std::size_t kCastHeldBytes = 64 * 1024;
inline constexpr std::int64_t kCastHeldSeconds = 2;  // clients send the size as soon as the streams are there

class CastWriter {
public:
    // Writes the header at once when header.size_known.
    CastWriter(Output& out, const CastHeader& header, const chain::Reveal& reveal);

    // Pieces of stdout, stderr and (when revealed) stdin; other kinds are left out.
    void data(StreamKind kind, Bytes piece, Timestamp at);
    void resize(std::uint16_t width, std::uint16_t height, Timestamp at);
    // `label` is our own sentence, without secrets.
    void marker(std::string_view label, Timestamp at);
    // The session is over: what waits for its rest is written, then a marker with how it came out.
    void finish(const chain::Session& session);

    // What the header says; final after finish().
    [[nodiscard]] const CastHeader& header() const { return header_; }
    [[nodiscard]] std::uint64_t output_events() const { return output_events_; }
    [[nodiscard]] bool left_out_stdin() const { return left_out_stdin_; }

private:
    // A character of which at most three bytes have come.
    struct Waiting {
        std::array<char, 4> bytes{};
        std::size_t size = 0;
    };

    void event(char code, std::string_view text, Timestamp at);
    void write_header();
    void write_events();
    Waiting& waiting_of(StreamKind kind);

    Output& out_;
    CastHeader header_;
    chain::Reveal reveal_;
    Timestamp last_;
    bool header_written_ = false;
    std::array<Waiting, 3> waiting_{};  // stdin, stdout, stderr
    std::string text_;                  // of the event in hand
    std::string events_;                // lines not written yet
    std::uint64_t output_events_ = 0;
    bool err_begun_ = false;
    bool left_out_stdin_ = false;
};

// How many bytes at the end of `text` begin a character that is not complete (0 to 3).
std::size_t incomplete_tail(std::string_view text);

}  // namespace hopscope::exports
