#include "decode/grpc/json_pick.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace hopscope::decode::grpc {
namespace {

using Json = nlohmann::json;

class Picker final : public nlohmann::json_sax<Json> {
public:
    Picker(const JsonPick& pick, PickedJson& out) : pick_(pick), out_(out) {}

    bool null() override { return put(nullptr), true; }
    bool boolean(bool value) override { return put(value), true; }
    bool number_integer(number_integer_t value) override { return put(value), true; }
    bool number_unsigned(number_unsigned_t value) override { return put(value), true; }
    bool number_float(number_float_t value, const string_t&) override { return put(value), true; }
    bool string(string_t& value) override { return put(std::move(value)), true; }
    bool binary(binary_t&) override { return true; }  // there is none in text
    bool start_object(std::size_t) override { return begin(Json::object()), true; }
    bool end_object() override { return end(), true; }
    bool start_array(std::size_t) override { return begin(Json::array()), true; }
    bool end_array() override { return end(), true; }
    bool key(string_t& name) override {
        if (passed_over_ > 0) return true;
        const bool wanted = std::ranges::find(pick_.members, name) != pick_.members.end();
        // A later member takes the place of an earlier one even where it is too deep to be kept.
        member_ = wanted && !out_.is_cut ? &(*open_.back())[name] : nullptr;
        if (member_) *member_ = nullptr;
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
        out_.value = Json(Json::value_t::discarded);
        return false;
    }

private:
    // Null: it is not kept. What was kept stays where it is while anything inside it is read.
    Json* put(Json value) {
        if (passed_over_ > 0) return nullptr;
        const bool in_object = !open_.empty() && open_.back()->is_object();
        if (in_object && !member_) return nullptr;
        if (out_.is_cut || ++values_ > pick_.values_max) {
            out_.is_cut = true;
            return nullptr;
        }
        if (open_.empty()) return &(out_.value = std::move(value));
        if (in_object) return &(*std::exchange(member_, nullptr) = std::move(value));
        open_.back()->push_back(std::move(value));
        return &open_.back()->back();
    }
    void begin(Json empty) {
        Json* kept = open_.size() < pick_.depth_max ? put(std::move(empty)) : nullptr;
        if (kept)
            open_.push_back(kept);
        else
            ++passed_over_;
    }
    void end() {
        if (passed_over_ > 0)
            --passed_over_;
        else
            open_.pop_back();
    }

    const JsonPick& pick_;
    PickedJson& out_;
    std::vector<Json*> open_;      // the object or array that is read, and those around it
    Json* member_ = nullptr;       // where the next value of an object goes; null: nowhere
    std::size_t passed_over_ = 0;  // objects and arrays that are open and not kept
    std::size_t values_ = 0;
};

}  // namespace

PickedJson pick_json(std::string_view text, const JsonPick& pick) {
    PickedJson out;
    Picker picker(pick, out);
    Json::sax_parse(text, &picker);
    return out;
}

}  // namespace hopscope::decode::grpc
