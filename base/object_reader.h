// Reads a JSON object whose keys are all known: a misspelt key is an error with a suggestion.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

/// Where a JSON text came from, for errors "file:line:column: at path: reason".
struct JsonSource {
  std::string name;  // file name or other label
  std::string text;  // the text itself
};

/// Call the getters, then `finish()`. Every getter marks its key as known.
/// All of them throw Error(kInput) with file, line, column and the key's path.
class ObjectReader {
 public:
  /// `path` is the place of the object in the document, as in "tasks[2].sampling".
  ObjectReader(const Json& object, const JsonSource& source, std::string path);

  const Json* optional(std::string_view key);
  const Json& required(std::string_view key);
  std::string string(std::string_view key, std::string_view fallback);
  std::string required_string(std::string_view key);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  double number(std::string_view key, double fallback);
  bool boolean(std::string_view key, bool fallback);
  /// A string or an array of strings.
  std::vector<std::string> strings(std::string_view key);

  /// Throws for the first key that no getter asked for.
  void finish() const;
  [[noreturn]] void fail(const Json& at, std::string_view key, std::string_view reason) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const Json* object_;
  const JsonSource* source_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace assay
