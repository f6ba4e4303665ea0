// What fuzz targets of readers share.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"

namespace assay::fuzz {

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The part up to the first separator is taken off `rest`; all of it when there is none.
inline std::string take_part(std::string_view& rest, std::string_view separator = "\n===\n") {
  const std::size_t end = rest.find(separator);
  std::string part(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + separator.size());
  return part;
}

/// Whether `read` takes the input. A refusal is Error(kInput), bounded; all else is a finding.
template <typename Read>
bool accepted(const Read& read) {
  set_log_level(LogLevel::kQuiet);
  try {
    read();
    return true;
  } catch (const Error& error) {
    const std::string_view message = error.what();
    ASSAY_CHECK(error.kind() == ErrorKind::kInput, message);
    ASSAY_CHECK(!message.empty(), "a refusal without a reason");
    return false;
  }
}

/// A folder of this process, in memory where the system has such a place; kept until its end.
class InputFolder {
 public:
  InputFolder() {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string pattern = std::string(memory ? "/dev/shm" : "/tmp") + "/assay-fuzz-XXXXXX";
    ASSAY_CHECK(mkdtemp(pattern.data()) != nullptr, "no folder for inputs");
    path_ = pattern;
  }
  ~InputFolder() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  InputFolder(const InputFolder&) = delete;
  InputFolder& operator=(const InputFolder&) = delete;
  InputFolder(InputFolder&&) = delete;
  InputFolder& operator=(InputFolder&&) = delete;

  /// Path of the file `name` with these bytes.
  [[nodiscard]] std::filesystem::path file(std::string_view name, std::string_view bytes) const {
    std::filesystem::path path = path_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The folder of a target, which every input uses again.
inline const InputFolder& input_folder() {
  static const InputFolder kFolder;
  return kFolder;
}

}  // namespace assay::fuzz
