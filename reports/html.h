// HTML that cannot be built from unescaped text: `Html` comes from `text()`, from literals of this
// program, or from other `Html`. Nothing a model or a file says can become markup.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace assay::reports {

class Html {
 public:
  Html() = default;
  /// Markup of this program's own; the argument must be a literal.
  template <std::size_t N>
  explicit Html(const char (&literal)[N]) : text_(literal) {}

  Html& operator+=(const Html& other) {
    text_ += other.text_;
    return *this;
  }
  friend Html operator+(Html a, const Html& b) {
    a += b;
    return a;
  }
  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  friend Html text(std::string_view plain);
  friend Html json_block(std::string_view json);
  friend Html asset(std::string_view content);
  std::string text_;
};

/// Plain text for element content and quoted attributes: & < > " ' escaped, invalid UTF-8 replaced,
/// control, bidirectional and zero-width characters shown as visible marks.
Html text(std::string_view plain);

/// Valid JSON for a <script type="application/json"> block: <, >, & and U+2028/9 as \uXXXX.
Html json_block(std::string_view json);

/// The program's own style sheet or script, whose digest the page's policy names.
Html asset(std::string_view content);

/// Markup literal: "<b>"_html.
inline namespace literals {
inline Html operator""_html(const char* literal, std::size_t size) {
  return asset(std::string_view(literal, size));
}
}  // namespace literals

/// <tag class="...">content</tag>; `tag` and `css_class` are names of this program's own.
Html element(std::string_view tag, std::string_view css_class, const Html& content);

/// "sha256-<base64>" of a style sheet or script, for the Content-Security-Policy.
std::string csp_digest(std::string_view content);

/// Embedded files of reports/assets/.
extern const std::string_view kReportCss;
extern const std::string_view kReportJs;
extern const std::string_view kPublishedScores;

}  // namespace assay::reports
