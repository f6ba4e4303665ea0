// Checks for our own bugs. Always on; user input never reaches them.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace assay {

/// A broken invariant: exit code 70. Carries file, line and the message.
class CheckFailure : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void check_failed(const char* condition, std::string_view message, const char* file,
                               int line);

}  // namespace assay

#define ASSAY_CHECK(condition, message)                                 \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::assay::check_failed(#condition, (message), __FILE__, __LINE__); \
  } while (false)
