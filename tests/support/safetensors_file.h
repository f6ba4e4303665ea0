// Safetensors files made by hand, good and bad.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay::test {

/// Length, header text as given, data.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    out += static_cast<char>((static_cast<std::uint64_t>(header.size()) >> (8 * i)) & 0xff);
  }
  out += header;
  out += data;
  return out;
}

}  // namespace assay::test
