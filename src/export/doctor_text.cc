#include <algorithm>

#include "export/doctor.h"
#include "export/sheet.h"

namespace hopscope::exports {
namespace {

std::string_view glyph(DoctorRow::State state, Glyphs glyphs) {
    const bool ascii = glyphs == Glyphs::ascii;
    switch (state) {
        case DoctorRow::State::ok: return ascii ? "*" : "●";
        case DoctorRow::State::limited: return ascii ? "!" : "▲";
        case DoctorRow::State::missing: return ascii ? "x" : "✖";
    }
    return "";
}

Tone tone(DoctorRow::State state) {
    switch (state) {
        case DoctorRow::State::ok: return Tone::good;
        case DoctorRow::State::limited: return Tone::look;
        case DoctorRow::State::missing: return Tone::bad;
    }
    return Tone::plain;
}

std::string_view feature_word(DoctorRow::State state) {
    switch (state) {
        case DoctorRow::State::ok: return "yes";
        case DoctorRow::State::limited: return "limited";
        case DoctorRow::State::missing: return "no";
    }
    return "";
}

}  // namespace

std::string_view to_string(DoctorRow::State state) {
    switch (state) {
        case DoctorRow::State::ok: return "ok";
        case DoctorRow::State::limited: return "limited";
        case DoctorRow::State::missing: return "missing";
    }
    return "";
}

bool usable(const DoctorPage& page) {
    return std::none_of(page.rows.begin(), page.rows.end(),
                        [](const DoctorRow& row) { return row.needed && row.state == DoctorRow::State::missing; });
}

void write_doctor_text(Output& out, const DoctorPage& page, const Style& style) {
    const auto add = [&](std::string_view text) {
        out.append(text);
        out.append('\n');
    };
    const auto mark = [&](DoctorRow::State state) {
        return style.paint(std::string(glyph(state, style.glyphs)), tone(state));
    };
    std::string head = "hopscope " + page.version + "  kernel " + display(page.kernel, style.glyphs);
    if (!page.system.empty()) head += "  " + display(page.system, style.glyphs);
    head += "  uid " + std::to_string(page.uid);
    const std::string legend = mark(DoctorRow::State::ok) + " ok  " + mark(DoctorRow::State::limited) +
                               " works with limits  " + mark(DoctorRow::State::missing) + " missing";
    constexpr std::size_t kLegendColumns = 35;
    if (style.columns == 0 || display_width(head) + 4 + kLegendColumns <= style.columns) {
        add(head + "    " + legend);
    } else {
        add(head);
        add(legend);
    }
    add("");
    std::size_t widest = 0;
    for (const DoctorRow& row : page.rows) widest = std::max(widest, display_width(row.title));
    for (const DoctorRow& row : page.rows) {
        std::string code = row.code, title = row.title;
        code.resize(std::max<std::size_t>(7, code.size()), ' ');
        title.append(widest - std::min(widest, display_width(title)), ' ');
        const std::size_t margin = 3 + display_width(code) + 1 + widest + 2;
        const std::size_t room =
            style.columns == 0 ? 0 : std::max<std::size_t>(30, style.columns - std::min(style.columns, margin));
        std::string lead = " ";
        lead.append(mark(row.state)).append(" ").append(code).append(" ").append(title).append("  ");
        const auto lines = [&](std::string_view label, const std::string& text) {
            if (text.empty()) return;
            const std::size_t inner = room == 0 ? 0 : std::max<std::size_t>(24, room - std::min(room, label.size()));
            std::string first(label);
            for (const std::string& piece : wrap(display(text, style.glyphs), inner)) {
                add(lead.append(first).append(piece));
                lead = std::string(margin, ' ');
                first = std::string(label.size(), ' ');
            }
        };
        lines("", row.says.empty() ? std::string(to_string(row.state)) : row.says);
        lines("lost: ", row.lost);
        lines("fix:  ", row.fix);
    }
    add("");
    const auto count = [&](DoctorRow::State state) {
        return std::count_if(page.rows.begin(), page.rows.end(),
                             [&](const DoctorRow& row) { return row.state == state; });
    };
    const auto limited = count(DoctorRow::State::limited);
    std::string foot = std::to_string(count(DoctorRow::State::ok) + limited) + " of " +
                       std::to_string(page.rows.size()) + " usable now";
    if (limited != 0) foot += ", " + std::to_string(limited) + " of them with limits";
    foot += ".";
    for (const DoctorFeature& feature : page.features)
        foot += "  " + feature.name + ": " + std::string(feature_word(feature.state));
    for (const std::string& line : wrap(foot, style.columns)) add(line);
}

}  // namespace hopscope::exports
