// Reads the fields of an API request: each is checked for type and range, and one that nothing
// asked for is refused, because a parameter that is ignored would change results unseen.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay::engine {

/// Call the getters, then `finish`. A field that is null counts as absent. All throw
/// ApiError(400) that names the field.
class ApiFields {
 public:
  /// `object` must outlive it. `path` is where it stands: "" or "stream_options".
  explicit ApiFields(const Json& object, std::string path = "");

  /// The value, or nullptr where it is absent or null.
  const Json* get(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high);
  double number(std::string_view key, double fallback, double low, double high);
  bool boolean(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::size_t max_bytes);
  /// A string or a list of strings, none of them empty.
  std::vector<std::string> texts(std::string_view key, std::size_t max_count,
                                 std::size_t max_bytes);
  /// Fields that do not change an answer.
  void ignore(std::initializer_list<std::string_view> keys);
  /// A field that this server does not have: only values that change nothing are accepted.
  void only(std::string_view key, std::initializer_list<Json> values);

  /// Throws for a field that nothing asked for.
  void finish() const;
  [[noreturn]] void fail(std::string_view key, const std::string& reason) const;

 private:
  [[nodiscard]] std::string place(std::string_view key) const;

  const Json* object_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace assay::engine
