#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <string>

#include "base/secret.h"

namespace assay {
namespace {
std::atomic<LogLevel> current_level{LogLevel::kInfo};
}

void set_log_level(LogLevel level) { current_level = level; }
LogLevel log_level() { return current_level; }

void log_line(LogLevel level, std::string_view message) {
  if (level > current_level) return;
  std::string line = level == LogLevel::kWarning ? "warning: " : "";
  line += without_secrets(std::string(message));
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace assay
