#include "engine/chat.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"llama-3.0", "llama-3.1", "llama-3.2", "plain"};
constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "ipython"};

struct KnownTemplate {
  std::string_view digest;  // SHA-256 of the text without comments and white space
  ChatFormat format;
};

// Of Meta-Llama-3-Instruct (three revisions), Llama-3.1 and 3.3-Instruct, Llama-3.2-Instruct, and
// of the demonstration model (scripts/train_mini/export.py).
constexpr KnownTemplate kTemplates[] = {
    {"2b6fa15138c961d2718c1ec8f5c278676c99455a39df8a4b1fb98bffe4cd7030", ChatFormat::kLlama30},
    {"84c5e3b41276fd5188183acf1474b6cd9e2623b82403e696f468f8235f7270cf", ChatFormat::kLlama30},
    {"0bc6ceab8f4fe89d9ea3e4751f4e4c2d1c60491c87921e156d056045cf2c06af", ChatFormat::kLlama30},
    {"d5dc0c3d6d48448914379b0a89e399fcc32bbac3bd810d1baae6adbe280397b8", ChatFormat::kLlama31},
    {"9701c58644aad58b65d22184e9887d933e811ad53dd6fd34406bc69e268c128d", ChatFormat::kLlama32},
    {"b07a4aeeaf14d85340244a2f3c1f094c5551a7e6d3fa8d759abb541cadbd2f94", ChatFormat::kLlama30},
};

/// Without {# comments #} and ASCII white space: published copies differ in those only.
std::string bare_template(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("{#")) {
      const std::size_t end = text.find("#}", at + 2);
      if (end == std::string_view::npos) return "";
      at = end + 1;
    } else if (trim_ascii(text.substr(at, 1)).size() == 1) {
      out += text[at];
    }
  }
  return out;
}

/// White space to Python: Unicode's property and the four ASCII separators.
bool is_python_space(char32_t c) {
  return (c >= 0x1c && c <= 0x1f) || u_isUWhiteSpace(static_cast<UChar32>(c)) != 0;
}

std::size_t utf8_size(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

std::string_view stripped(std::string_view text) {
  text.remove_suffix(trailing_white_space(text));
  while (!text.empty()) {
    // White space takes at most three bytes, so four are enough to see the first character.
    const std::u32string first = to_code_points(text.substr(0, 4));
    if (first.empty() || !is_python_space(first[0])) break;
    text.remove_prefix(utf8_size(first[0]));
  }
  return text;
}

/// Collects parts; texts that meet become one.
class Parts {
 public:
  void special(std::string_view name) { parts_.push_back({true, std::string(name)}); }
  void text(std::string_view text) {
    if (text.empty()) return;
    if (parts_.empty() || parts_.back().special) parts_.push_back({false, ""});
    parts_.back().text += text;
  }
  void header(std::string_view role) {
    special("<|start_header_id|>");
    text(role);
    special("<|end_header_id|>");
    text("\n\n");
  }
  [[nodiscard]] std::vector<ChatPart> take() { return std::move(parts_); }

 private:
  std::vector<ChatPart> parts_;
};

void check_roles(std::span<const ChatMessage> messages) {
  for (const ChatMessage& message : messages) {
    if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end()) {
      throw_input("chat role \"{}\": expected system, user, assistant or ipython",
                  escaped(message.role, 60));
    }
  }
}

std::vector<ChatPart> render_plain(std::span<const ChatMessage> messages,
                                   const ChatOptions& options) {
  Parts parts;
  for (const ChatMessage& message : messages) {
    parts.text(stripped(message.content));
    parts.text("\n\n");
  }
  parts.text(options.assistant_prefix);
  return parts.take();
}

}  // namespace

std::string_view chat_format_name(ChatFormat format) {
  return kNames[static_cast<std::size_t>(format)];
}

ChatFormat chat_format_from(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<ChatFormat>(i);
  }
  throw_input("chat format \"{}\": expected auto, llama-3.0, llama-3.1, llama-3.2 or plain",
              escaped(name, 60));
}

std::optional<ChatFormat> recognise_template(std::string_view chat_template) {
  const std::string digest = sha256_hex(bare_template(chat_template));
  for (const KnownTemplate& known : kTemplates) {
    if (known.digest == digest) return known.format;
  }
  return std::nullopt;
}

std::vector<ChatPart> render_chat(std::span<const ChatMessage> messages,
                                  const ChatOptions& options) {
  check_roles(messages);
  if (options.format == ChatFormat::kPlain) return render_plain(messages, options);
  Parts parts;
  if (options.format != ChatFormat::kLlama30 && options.system_block) {
    parts.header("system");
    parts.text("Cutting Knowledge Date: December 2023\nToday Date: ");
    parts.text(options.date);
    parts.text("\n\n");
    if (!messages.empty() && messages.front().role == "system") {
      parts.text(stripped(messages.front().content));
      messages = messages.subspan(1);
    }
    parts.special("<|eot_id|>");
  }
  for (const ChatMessage& message : messages) {
    parts.header(message.role);
    parts.text(stripped(message.content));
    parts.special("<|eot_id|>");
  }
  parts.header("assistant");
  parts.text(options.assistant_prefix);
  return parts.take();
}

std::size_t trailing_white_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0U) == 0x80U) --begin;
    const std::u32string last = to_code_points(text.substr(begin, end - begin));
    if (last.size() != 1 || !is_python_space(last[0])) break;
    end = begin;
  }
  return text.size() - end;
}

}  // namespace assay::engine
