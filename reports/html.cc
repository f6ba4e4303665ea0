#include "reports/html.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "base/digest.h"
#include "base/text.h"

namespace assay::reports {
namespace {

bool is_invisible(char32_t c) {
  return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || c == 0xAD ||
         c == 0x061C || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE0FFF);
}

void append_escaped(std::string& out, char32_t c) {
  switch (c) {
    case '&':
      out += "&amp;";
      return;
    case '<':
      out += "&lt;";
      return;
    case '>':
      out += "&gt;";
      return;
    case '"':
      out += "&quot;";
      return;
    case '\'':
      out += "&#39;";
      return;
    default:
      break;
  }
  if (is_invisible(c)) {
    fmt::format_to(std::back_inserter(out), "\u27E8U+{:04X}\u27E9", static_cast<unsigned>(c));
  } else {
    append_utf8(out, c);
  }
}

std::string base64(const std::array<std::uint8_t, 32>& bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (i + k < bytes.size() ? bytes[i + k] : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kDigits[(group >> (18 - 6 * k)) & 63U];
    }
  }
  return out;
}

}  // namespace

Html text(std::string_view plain) {
  Html out;
  for (const char32_t c : to_code_points(plain)) append_escaped(out.text_, c);
  return out;
}

Html json_block(std::string_view json) {
  Html out;
  if (is_valid_utf8(json) && json.find("\u2028") == json.npos && json.find("\u2029") == json.npos) {
    // The usual case, without a detour over code points: pages hold megabytes of responses.
    out.text_.reserve(json.size() + json.size() / 16);
    for (const char c : json) {
      if (c == '<' || c == '>' || c == '&') {
        fmt::format_to(std::back_inserter(out.text_), "\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out.text_ += c;
      }
    }
    return out;
  }
  for (const char32_t c : to_code_points(json)) {
    if (c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029) {
      fmt::format_to(std::back_inserter(out.text_), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      append_utf8(out.text_, c);
    }
  }
  return out;
}

Html asset(std::string_view content) {
  Html out;
  out.text_ = content;
  return out;
}

Html element(std::string_view tag, std::string_view css_class, const Html& content) {
  Html out = asset(css_class.empty() ? fmt::format("<{}>", tag)
                                     : fmt::format("<{} class=\"{}\">", tag, css_class));
  out += content;
  out += asset(fmt::format("</{}>", tag));
  return out;
}

std::string csp_digest(std::string_view content) {
  Sha256 digest;
  digest.update(content);
  return "sha256-" + base64(digest.bytes());
}

}  // namespace assay::reports
