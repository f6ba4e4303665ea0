#include "cli/store_path.h"

#include <cstdlib>

#include "base/error.h"
#include "base/log.h"

namespace assay::cli {

namespace fs = std::filesystem;

fs::path store_path(const std::string& given, bool for_writing) {
  if (!given.empty()) return given;
  std::error_code code;
  fs::path path = "assay.db";
  if (!fs::exists(path, code)) {
    const char* data = std::getenv("XDG_DATA_HOME");
    const char* home = std::getenv("HOME");
    if (data == nullptr && home == nullptr) throw_input("no --db given and HOME is not set");
    const fs::path base = data != nullptr ? fs::path(data) : fs::path(home) / ".local/share";
    path = base / "assay" / "assay.db";
    if (for_writing) fs::create_directories(path.parent_path(), code);
    if (code)
      throw_environment("{}: cannot be made: {}", path.parent_path().string(), code.message());
  }
  log_info("result store: {}", path.string());
  return path;
}

}  // namespace assay::cli
