#include "export/watch_lines.h"

#include "export/human.h"
#include "export/json_model.h"
#include "export/ports_json.h"
#include "export/ports_text.h"

namespace hopscope::exports {
namespace {

std::string who(const ProcessId& id, const Untrusted& comm, Glyphs glyphs) {
    if (id.pid == 0) return "?";
    return (comm.empty() ? "?" : display(comm, glyphs)) + "[" + std::to_string(id.pid) + "]";
}

void end_member(JsonWriter& json, std::string_view key, const ProcessId& id, const Untrusted& comm) {
    if (id.pid == 0) return;
    json.begin_object(key);
    json.number("pid", id.pid);
    json.text_if("comm", comm);
    json.end_object();
}

}  // namespace

void WatchLines::begin(JsonWriter& json, std::string_view kind, Timestamp at) {
    json.begin_object();
    json.text("schema", "hopscope.watch/v1");
    json.text("kind", kind);
    json.time_if("ts", at);
    json.number("seq", ++sequence_);
}

void WatchLines::line(const std::string& text) {
    out_.append(style_.columns == 0 ? text : elide_end(text, style_.columns, style_.glyphs));
    out_.append('\n');
    out_.flush();
}

void WatchLines::start(const Start& start) {
    if (!ndjson_) {
        for (const std::string& limit : start.limits)
            line(style_.paint("# " + display(limit, style_.glyphs), Tone::faint));
        return;
    }
    JsonWriter json(out_);
    begin(json, "watch.start", start.at);
    json.text("version", HOPSCOPE_VERSION);
    json.text("method", start.method);
    json.seconds("interval_s", start.interval);
    if (!start.limits.empty()) {
        json.begin_array("limits");
        for (const std::string& limit : start.limits) json.item(display(limit));
        json.end_array();
    }
    json.end_object();
    line("");
}

void WatchLines::port(Port what, const chain::Verdict& verdict, Timestamp at) {
    if (ndjson_) {
        JsonWriter json(out_);
        begin(json, what == Port::there ? "port" : what == Port::opened ? "port.open" : "port.close", at);
        port_member(json, "port", verdict);
        json.end_object();
        line("");
        return;
    }
    const char* mark = what == Port::there ? "=" : what == Port::opened ? "+" : "-";
    std::string text = clock_ms(at) + " " + mark + " " + listens_on(verdict, style_.glyphs) + "  " +
                       owner_words(verdict, style_.glyphs);
    if (what != Port::closed) {
        text += "  " + display(role_name(verdict.role), style_.glyphs);
        if (!verdict.confidence.empty()) text += " (" + verdict.confidence + ")";
    } else {
        text += "  no longer listens";
    }
    line(text);
}

void WatchLines::connection(const SocketLife& life, std::string_view path) {
    if (life.kind != SocketLife::Kind::opened && life.kind != SocketLife::Kind::closed) return;
    const bool closed = life.kind == SocketLife::Kind::closed;
    if (ndjson_) {
        JsonWriter json(out_);
        begin(json, closed ? "connection.close" : "connection.open", life.at);
        if (life.client.port != 0) endpoint_member(json, "client", life.client);
        if (life.server.port != 0) endpoint_member(json, "server", life.server);
        json.text_if("path", path);
        end_member(json, "from", life.client_owner, life.client_comm);
        end_member(json, "to", life.server_owner, life.server_comm);
        json.number_if("client_inode", life.client_inode);
        json.number_if("server_inode", life.server_inode);
        if (closed && life.lived.ns > 0) json.seconds("lived_s", life.lived);
        json.end_object();
        line("");
        return;
    }
    const std::string arrow(style_.arrow());
    std::string text = clock_ms(life.at) + (closed ? " x " : " > ");
    if (path.empty()) {
        const bool same = life.client.address == life.server.address;
        text += to_string(life.client) + " " + arrow + " " +
                (same ? ":" + std::to_string(life.server.port) : to_string(life.server));
    } else {
        text += "unix inode " + std::to_string(life.client_inode) + " " + arrow + " " + display(path, style_.glyphs);
    }
    text += "  " + who(life.client_owner, life.client_comm, style_.glyphs) + " " + arrow + " " +
            who(life.server_owner, life.server_comm, style_.glyphs);
    if (closed && life.lived.ns > 0) text += "  lived " + short_duration(life.lived);
    line(text);
}

void WatchLines::end(Timestamp at, std::uint64_t lost) {
    if (!ndjson_) {
        if (lost != 0) line("# " + grouped(lost) + " events lost");
        return;
    }
    JsonWriter json(out_);
    begin(json, "watch.end", at);
    json.number("lost", lost);
    json.end_object();
    line("");
}

}  // namespace hopscope::exports
