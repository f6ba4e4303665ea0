// Messages for people, on stderr. No prompts, answers or keys at the default level.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace assay {

enum class LogLevel { kQuiet, kWarning, kInfo, kDebug };

/// Process-wide; set once at start.
void set_log_level(LogLevel level);
LogLevel log_level();
/// One line on stderr, written whole; any thread.
void log_line(LogLevel level, std::string_view message);

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_level() >= LogLevel::kInfo) {
    log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  if (log_level() >= LogLevel::kWarning) {
    log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace assay
