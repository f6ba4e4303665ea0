#include "base/object_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace assay {

ObjectReader::ObjectReader(const Json& object, const JsonSource& source, std::string path)
    : object_(&object), source_(&source), path_(std::move(path)) {
  if (!object.is_object()) {
    fail(object, "", fmt::format("expected an object, found {}", object.type_name()));
  }
}

void ObjectReader::fail(const Json& at, std::string_view key, std::string_view reason) const {
  std::string place = path_;
  if (!key.empty()) place += (place.empty() ? "" : ".") + std::string(key);
  throw_input("{}:{}: {}{}{}", source_->name, line_and_column(source_->text, at.offset()), place,
              place.empty() ? "" : ": ", reason);
}

const Json* ObjectReader::optional(std::string_view key) {
  known_.emplace_back(key);
  return object_->find(key);
}

const Json& ObjectReader::required(std::string_view key) {
  const Json* value = optional(key);
  if (value == nullptr) fail(*object_, "", fmt::format("missing key \"{}\"", key));
  return *value;
}

std::string ObjectReader::string(std::string_view key, std::string_view fallback) {
  const Json* value = optional(key);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) fail(*value, key, "must be a string");
  return value->as_string();
}

std::string ObjectReader::required_string(std::string_view key) {
  const Json& value = required(key);
  if (!value.is_string()) fail(value, key, "must be a string");
  return value.as_string();
}

std::int64_t ObjectReader::integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                                   std::int64_t high) {
  const Json* value = optional(key);
  if (value == nullptr) return fallback;
  if (!value->is_int() || value->as_int() < low || value->as_int() > high) {
    fail(*value, key, fmt::format("must be an integer from {} to {}", low, high));
  }
  return value->as_int();
}

double ObjectReader::number(std::string_view key, double fallback) {
  const Json* value = optional(key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) fail(*value, key, "must be a number");
  return value->as_double();
}

bool ObjectReader::boolean(std::string_view key, bool fallback) {
  const Json* value = optional(key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) fail(*value, key, "must be true or false");
  return value->as_bool();
}

std::vector<std::string> ObjectReader::strings(std::string_view key) {
  const Json* value = optional(key);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->as_string()};
  if (!value->is_array()) fail(*value, key, "must be a string or a list of strings");
  std::vector<std::string> out;
  for (const Json& item : value->as_array()) {
    if (!item.is_string()) fail(item, key, "must hold strings only");
    out.push_back(item.as_string());
  }
  return out;
}

void ObjectReader::finish() const {
  for (const auto& [key, value] : object_->as_object()) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      fail(value, "", fmt::format("unknown key \"{}\"{}", escaped(key), suggestion(key, known_)));
    }
  }
}

}  // namespace assay
