#include "base/check.h"

#include <fmt/format.h>

namespace assay {

void check_failed(const char* condition, std::string_view message, const char* file, int line) {
  std::string_view name(file);
  if (const auto slash = name.rfind('/'); slash != std::string_view::npos) {
    name.remove_prefix(slash + 1);
  }
  throw CheckFailure(fmt::format("{}:{}: check failed: {}: {}", name, line, condition, message));
}

}  // namespace assay
