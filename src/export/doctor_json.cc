#include "export/doctor.h"
#include "export/json_writer.h"

namespace hopscope::exports {

void write_doctor_json(Output& out, const DoctorPage& page) {
    JsonWriter json(out);
    json.begin_object();
    json.text("schema", "hopscope.doctor/v1");
    json.newline();
    json.text("version", page.version);
    json.text("kernel", page.kernel);
    json.text_if("system", page.system);
    json.number("uid", page.uid);
    json.boolean("usable", usable(page));
    json.newline();
    json.begin_array("rows");
    for (const DoctorRow& row : page.rows) {
        json.newline();
        json.begin_object();
        json.text("code", row.code);
        json.text("state", to_string(row.state));
        json.boolean("needed", row.needed);
        json.text("title", row.title);
        json.text_if("says", row.says);
        json.text_if("lost", row.lost);
        json.text_if("fix", row.fix);
        json.end_object();
    }
    json.end_array();
    json.newline();
    json.begin_array("features");
    for (const DoctorFeature& feature : page.features) {
        json.newline();
        json.begin_object();
        json.text("name", feature.name);
        json.text("state", to_string(feature.state));
        json.end_object();
    }
    json.end_array();
    json.end_object();
    out.append('\n');
}

void write_codes_json(Output& out, std::span<const CodePage> pages) {
    JsonWriter json(out);
    json.begin_object();
    json.text("schema", "hopscope.codes/v1");
    json.newline();
    json.begin_array("codes");
    for (const CodePage& page : pages) {
        json.newline();
        json.begin_object();
        json.text("code", page.code);
        json.text("title", page.title);
        json.text("text", page.text);
        json.text_if("remedy", page.remedy);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    out.append('\n');
}

}  // namespace hopscope::exports
