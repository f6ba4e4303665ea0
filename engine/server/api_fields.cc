#include "engine/server/api_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "engine/server/http.h"

namespace assay::engine {

ApiFields::ApiFields(const Json& object, std::string path)
    : object_(&object), path_(std::move(path)) {
  if (!object.is_object()) {
    throw ApiError(400,
                   fmt::format("{} must be an object, not {}", path_.empty() ? "the body" : path_,
                               object.type_name()),
                   path_);
  }
}

std::string ApiFields::place(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void ApiFields::fail(std::string_view key, const std::string& reason) const {
  const std::string name = place(key);
  throw ApiError(400, fmt::format("'{}' {}", escaped(name, 100), reason), name);
}

const Json* ApiFields::get(std::string_view key) {
  known_.emplace_back(key);
  const Json* value = object_->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::int64_t> ApiFields::integer(std::string_view key, std::int64_t low,
                                               std::int64_t high) {
  const Json* value = get(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_int() || value->as_int() < low || value->as_int() > high) {
    fail(key, fmt::format("must be an integer from {} to {}", low, high));
  }
  return value->as_int();
}

double ApiFields::number(std::string_view key, double fallback, double low, double high) {
  const Json* value = get(key);
  if (value == nullptr) return fallback;
  const bool fits = value->is_number() && std::isfinite(value->as_double()) &&
                    value->as_double() >= low && value->as_double() <= high;
  if (!fits) fail(key, fmt::format("must be a number from {} to {}", low, high));
  return value->as_double();
}

bool ApiFields::boolean(std::string_view key, bool fallback) {
  const Json* value = get(key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) fail(key, "must be true or false");
  return value->as_bool();
}

std::string ApiFields::text(std::string_view key, std::size_t max_bytes) {
  const Json* value = get(key);
  if (value == nullptr) return "";
  if (!value->is_string() || value->as_string().size() > max_bytes) {
    fail(key, fmt::format("must be a string of at most {} bytes", max_bytes));
  }
  return value->as_string();
}

std::vector<std::string> ApiFields::texts(std::string_view key, std::size_t max_count,
                                          std::size_t max_bytes) {
  const Json* value = get(key);
  if (value == nullptr) return {};
  std::vector<std::string> out;
  if (value->is_string()) {
    out.push_back(value->as_string());
  } else if (value->is_array()) {
    for (const Json& item : value->as_array()) {
      if (!item.is_string()) fail(key, "must be a string or a list of strings");
      out.push_back(item.as_string());
    }
  } else {
    fail(key, "must be a string or a list of strings");
  }
  if (out.size() > max_count) fail(key, fmt::format("holds more than {} strings", max_count));
  for (const std::string& text : out) {
    if (text.empty() || text.size() > max_bytes) {
      fail(key, fmt::format("must hold strings of 1 to {} bytes", max_bytes));
    }
  }
  return out;
}

void ApiFields::ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) known_.emplace_back(key);
}

void ApiFields::only(std::string_view key, std::initializer_list<Json> values) {
  const Json* value = get(key);
  if (value == nullptr) return;
  const bool same = std::any_of(values.begin(), values.end(), [&](const Json& neutral) {
    return neutral == *value ||
           (neutral.is_number() && value->is_number() && neutral.as_double() == value->as_double());
  });
  if (!same) fail(key, "is not supported by this server");
}

void ApiFields::finish() const {
  for (const auto& [key, value] : object_->as_object()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    throw ApiError(400,
                   fmt::format("Unrecognized request argument supplied: {}{}",
                               escaped(place(key), 100), suggestion(key, known_)),
                   place(key), "unknown_parameter");
  }
}

}  // namespace assay::engine
