// Checks JSON against the part of JSON Schema 2020-12 that our schema documents use.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace hopscope::exports::test {

class SchemaCheck {
public:
    explicit SchemaCheck(nlohmann::json schema) : schema_(std::move(schema)) {}

    // What is wrong with `value`, one sentence each. Members that the schema does not name are reported too: the schema
    // allows them for readers of newer versions, but what we write must be described.
    std::vector<std::string> problems(const nlohmann::json& value);
    // Members of the schema that no checked value has shown yet: "session.offered".
    [[nodiscard]] std::vector<std::string> never_seen() const;

private:
    using Names = std::set<std::string>;
    void check(const nlohmann::json& schema, const nlohmann::json& value, const std::string& where, Names& described);
    void check_object(const nlohmann::json& schema, const nlohmann::json& value, const std::string& where,
                      Names& described);
    const nlohmann::json& resolve(const nlohmann::json& schema);
    void problem(const std::string& where, const std::string& what) { problems_.push_back(where + ": " + what); }

    nlohmann::json schema_;
    std::vector<std::string> problems_;
    std::set<const nlohmann::json*> seen_;  // property schemas that were used
};

}  // namespace hopscope::exports::test
