// Text for people that quotes what came from outside.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/text.h"

namespace assay::cli {

/// Every line with its control characters and escape sequences shown, as by `escaped`.
inline std::string escaped_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += escaped(text.substr(0, end), text.size());
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace assay::cli
