// The writing half of json.h.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/text.h"

namespace assay {
namespace {

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    fmt::format_to(std::back_inserter(out), "{:.1f}", value);
    return;
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

void append_int(std::string& out, std::int64_t value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

struct WriteStyle {
  bool pretty = false;
  bool sorted = false;
};

void write(const Json& json, std::string& out, const WriteStyle& style, int depth);

/// Most texts need no escape.
void append_quoted(std::string& out, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
  });
  if (!plain) {
    out += json_quote(text);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void newline(std::string& out, const WriteStyle& style, int depth) {
  if (!style.pretty) return;
  out += '\n';
  out.append(static_cast<std::size_t>(depth) * 2, ' ');
}

void write_array(const Json::Array& array, std::string& out, const WriteStyle& style, int depth) {
  out += '[';
  bool first = true;
  for (const Json& item : array) {
    if (!first) out += ',';
    first = false;
    newline(out, style, depth + 1);
    write(item, out, style, depth + 1);
  }
  if (!array.empty()) newline(out, style, depth);
  out += ']';
}

void write_object(const Json::Object& object, std::string& out, const WriteStyle& style,
                  int depth) {
  const auto write_member = [&](const Json::Member& member, bool first) {
    if (!first) out += ',';
    newline(out, style, depth + 1);
    append_quoted(out, member.first);
    out += style.pretty ? ": " : ":";
    write(member.second, out, style, depth + 1);
  };
  out += '{';
  if (style.sorted) {
    std::vector<const Json::Member*> members;
    members.reserve(object.size());
    for (const auto& member : object) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    for (const auto* member : members) write_member(*member, member == members.front());
  } else {
    for (const auto& member : object) write_member(member, &member == &object.front());
  }
  if (!object.empty()) newline(out, style, depth);
  out += '}';
}

void write(const Json& json, std::string& out, const WriteStyle& style, int depth) {
  if (json.is_null()) {
    out += "null";
  } else if (json.is_bool()) {
    out += json.as_bool() ? "true" : "false";
  } else if (json.is_int()) {
    append_int(out, json.as_int());
  } else if (json.is_number()) {
    append_number(out, json.as_double());
  } else if (json.is_string()) {
    append_quoted(out, json.as_string());
  } else if (json.is_array()) {
    write_array(json.as_array(), out, style, depth);
  } else {
    write_object(json.as_object(), out, style, depth);
  }
}

}  // namespace

std::string Json::dump() const {
  std::string out;
  out.reserve(256);
  write(*this, out, {}, 0);
  return out;
}

JsonObjectText::JsonObjectText(std::size_t room) { text_.reserve(room); }

void JsonObjectText::begin(std::string_view key) {
  text_ += text_.empty() ? '{' : ',';
  append_quoted(text_, key);
  text_ += ':';
}

void JsonObjectText::add(std::string_view key, const Json& value) {
  begin(key);
  write(value, text_, {}, 0);
}

void JsonObjectText::add(std::string_view key, std::string_view value) {
  begin(key);
  append_quoted(text_, value);
}

void JsonObjectText::add(std::string_view key, std::span<const std::int32_t> values) {
  begin(key);
  text_ += '[';
  for (const std::int32_t& value : values) {
    if (&value != &values.front()) text_ += ',';
    append_int(text_, value);
  }
  text_ += ']';
}

std::string JsonObjectText::take() && {
  if (text_.empty()) text_ += '{';
  text_ += '}';
  return std::move(text_);
}

std::string Json::dump_pretty() const {
  std::string out;
  write(*this, out, {.pretty = true, .sorted = false}, 0);
  return out;
}

std::string Json::dump_canonical() const {
  std::string out;
  write(*this, out, {.pretty = false, .sorted = true}, 0);
  return out;
}

std::string json_quote(std::string_view text) {
  const std::string valid = is_valid_utf8(text) ? std::string() : replace_invalid_utf8(text);
  const std::string_view source = valid.empty() ? text : std::string_view(valid);
  std::string out = "\"";
  bool control = false;  // the byte before began U+0080 to U+009F, which terminals may obey
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    const auto byte = static_cast<unsigned char>(c);
    if (control) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
      control = false;
    } else if (byte == 0xc2 && static_cast<unsigned char>(source[i + 1]) < 0xa0) {
      control = true;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

}  // namespace assay
