// The one JSON reader and writer. Reading is simdjson; the result is an owned tree that remembers
// where each value stood, so that every error can name line and column.
// Refused: duplicate keys, nesting beyond 64, numbers beyond range, invalid UTF-8, trailing text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace assay {

/// One JSON value. Integers that fit are exact `int64_t`; other numbers are `double`.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in the order of the text
  using Value =
      std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

  Json() = default;
  Json(std::nullptr_t) {}              // NOLINT(google-explicit-constructor): literals
  Json(bool value) : value_(value) {}  // NOLINT(google-explicit-constructor): literals
  Json(int value)
      : value_(static_cast<std::int64_t>(value)) {
  }                                            // NOLINT(google-explicit-constructor): literals
  Json(std::int64_t value) : value_(value) {}  // NOLINT(google-explicit-constructor): literals
  Json(std::size_t value)
      : value_(static_cast<std::int64_t>(value)) {
  }                                      // NOLINT(google-explicit-constructor): literals
  Json(double value) : value_(value) {}  // NOLINT(google-explicit-constructor): literals
  Json(const char* value)
      : value_(std::string(value)) {}  // NOLINT(google-explicit-constructor): literals
  Json(std::string value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): literals
  Json(std::string_view value)
      : value_(std::string(value)) {}               // NOLINT(google-explicit-constructor): literals
  Json(Array value) : value_(std::move(value)) {}   // NOLINT(google-explicit-constructor): literals
  Json(Object value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): literals

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(value_); }
  [[nodiscard]] bool is_int() const { return std::holds_alternative<std::int64_t>(value_); }
  [[nodiscard]] bool is_number() const {
    return is_int() || std::holds_alternative<double>(value_);
  }
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(value_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(value_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(value_); }
  /// "null", "boolean", "integer", "number", "string", "array" or "object".
  [[nodiscard]] std::string_view type_name() const;

  /// Typed access. Throws: Error(kInput) that names the type found and the byte offset.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_int() const;
  [[nodiscard]] double as_double() const;  // integers too
  [[nodiscard]] const std::string& as_string() const&;
  [[nodiscard]] const Array& as_array() const&;
  [[nodiscard]] const Object& as_object() const&;
  [[nodiscard]] Array& as_array() &;
  [[nodiscard]] Object& as_object() &;
  // Of a temporary the value itself, so that `for (... : parse_json(...).as_array())` is sound.
  [[nodiscard]] std::string as_string() &&;
  [[nodiscard]] Array as_array() &&;
  [[nodiscard]] Object as_object() &&;

  /// Member of an object, or nullptr (also when this is no object).
  [[nodiscard]] const Json* find(std::string_view key) const;
  /// Member of an object. Throws: Error(kInput) when it is missing.
  [[nodiscard]] const Json& at(std::string_view key) const;
  /// Adds or replaces a member; a null value becomes an object first.
  void set(std::string_view key, Json value);
  void push_back(Json value);  // a null value becomes an array first

  /// Byte offset of this value in the text it was read from; 0 for values made by the program.
  [[nodiscard]] std::size_t offset() const { return offset_; }

  /// Compact text. Finite doubles in the shortest form that reads back; NaN and infinity as null.
  [[nodiscard]] std::string dump() const;
  /// Two-space indentation, for people.
  [[nodiscard]] std::string dump_pretty() const;
  /// Keys sorted by bytes at every level: the form that digests are taken of.
  [[nodiscard]] std::string dump_canonical() const;

  friend bool operator==(const Json& a, const Json& b) { return a.value_ == b.value_; }

 private:
  friend class JsonParser;
  Value value_{nullptr};
  std::size_t offset_ = 0;
};

/// Writes an object member by member, without a tree of it: for texts that are made often. The keys
/// must differ, which nobody checks.
class JsonObjectText {
 public:
  /// `room`: bytes that it will hardly exceed.
  explicit JsonObjectText(std::size_t room = 256);
  void add(std::string_view key, const Json& value);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const std::string& value) { add(key, std::string_view(value)); }
  void add(std::string_view key, std::span<const std::int32_t> values);
  /// The text, as `Json::dump` would write it.
  [[nodiscard]] std::string take() &&;

 private:
  void begin(std::string_view key);
  std::string text_;
};

struct JsonLimits {
  std::size_t max_bytes = std::size_t{1} << 30;
  std::size_t max_depth = 64;
  bool allow_nan = false;  // unquoted NaN is never accepted; kept false
};

/// Parses strict JSON. `source` names the text in errors ("config.json", "responses.jsonl:12").
/// Throws: Error(kInput) "<source>:<line>:<column>: reason".
Json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits = {});

/// Parses JSON with // and /* */ comments and trailing commas: they are overwritten by blanks
/// first, so line and column stay true.
Json parse_jsonc(std::string_view text, std::string_view source, const JsonLimits& limits = {});

/// "line:column" (from 1; columns count bytes) of a byte offset.
std::string line_and_column(std::string_view text, std::size_t offset);

/// Text as a JSON string literal, quotes included. Bytes that are no UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace assay
