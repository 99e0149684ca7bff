#include "export/schema_check.h"

#include <regex>

namespace hopscope::exports::test {

using nlohmann::json;

namespace {

bool has_type(const json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return false;
}

}  // namespace

const json& SchemaCheck::resolve(const json& schema) {
    if (!schema.contains("$ref")) return schema;
    const std::string ref = schema.at("$ref");
    return schema_.at(json::json_pointer(ref.substr(1)));
}

std::vector<std::string> SchemaCheck::problems(const json& value) {
    problems_.clear();
    Names described;
    check(schema_, value, "$", described);
    return problems_;
}

void SchemaCheck::check(const json& given, const json& value, const std::string& where, Names& described) {
    const json& schema = resolve(given);
    if (schema.contains("type") && !has_type(value, schema.at("type")))
        return problem(
            where, "is no " + schema.at("type").get<std::string>() + ": " + value.dump(-1, ' ', true).substr(0, 80));
    if (schema.contains("const") && schema.at("const") != value) problem(where, "is not the one value allowed");
    if (schema.contains("enum")) {
        const json& allowed = schema.at("enum");
        if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
            problem(where, "is none of " + allowed.dump());
    }
    if (schema.contains("minimum") && value.is_number() && value < schema.at("minimum")) problem(where, "is too small");
    if (schema.contains("pattern") &&
        !std::regex_search(value.get<std::string>(), std::regex(schema.at("pattern").get<std::string>())))
        problem(where, "does not look right: " + value.dump());
    if (value.is_array() && schema.contains("items")) {
        std::size_t index = 0;
        for (const json& item : value) {
            Names names;
            check(schema.at("items"), item, where + "[" + std::to_string(index++) + "]", names);
        }
    }
    if (value.is_object()) check_object(schema, value, where, described);
}

void SchemaCheck::check_object(const json& schema, const json& value, const std::string& where, Names& described) {
    if (schema.contains("required"))
        for (const json& name : schema.at("required"))
            if (!value.contains(name.get<std::string>())) problem(where, "has no " + name.get<std::string>());
    if (schema.contains("properties")) {
        for (const auto& [name, member] : schema.at("properties").items()) {
            if (!value.contains(name)) continue;
            described.insert(name);
            seen_.insert(&member);
            Names names;
            check(member, value.at(name), where + "." + name, names);
        }
    }
    if (schema.contains("allOf")) {
        for (const json& part : schema.at("allOf")) {
            const std::string kind = part.at("if").at("properties").at("kind").at("const");
            if (value.contains("kind") && value.at("kind") == kind)
                check_object(resolve(part.at("then")), value, where, described);
        }
    }
    const bool top = &schema == &schema_ || !schema_.contains("allOf") || !where.ends_with("$");
    if (!top) return;  // the parts of the top object are judged together
    for (const auto& [name, member] : value.items()) {
        if (described.contains(name)) continue;
        if (schema.contains("additionalProperties")) {
            Names names;
            check(schema.at("additionalProperties"), member, where + "." + name, names);
        } else {
            problem(where, "has a member that the schema does not name: " + name);
        }
    }
}

std::vector<std::string> SchemaCheck::never_seen() const {
    std::vector<std::string> names;
    const auto look = [&](const std::string& owner, const json& schema) {
        if (!schema.contains("properties")) return;
        for (const auto& [name, member] : schema.at("properties").items())
            if (!seen_.contains(&member)) names.push_back(owner + "." + name);
    };
    look("$", schema_);
    for (const auto& [name, definition] : schema_.at("$defs").items()) look(name, definition);
    return names;
}

}  // namespace hopscope::exports::test
