#include "base/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace assay {
namespace {

constexpr std::size_t kSmallText = 64 << 10;
constexpr std::size_t kFewMembers = 16;  // compared one with each other: cheaper than sorting
// A tree takes some 50 bytes a value, a text like [0,0,0] two: what is accepted must not become a
// large multiple of itself. The largest real file, a tokenizer, has 1.3 million.
constexpr std::size_t kMaxValues = std::size_t{1} << 23;

[[noreturn]] void wrong_type(const Json& value, std::string_view wanted) {
  throw_input("expected {}, found {} (byte {})", wanted, value.type_name(), value.offset());
}

template <typename T>
const T& get_as(const Json::Value& value, const Json& self, std::string_view wanted) {
  const T* held = std::get_if<T>(&value);
  if (held == nullptr) wrong_type(self, wanted);
  return *held;
}

}  // namespace

std::string_view Json::type_name() const {
  static constexpr std::string_view kNames[] = {"null",   "boolean", "integer", "number",
                                                "string", "array",   "object"};
  return kNames[value_.index()];
}

bool Json::as_bool() const { return get_as<bool>(value_, *this, "a boolean"); }
std::int64_t Json::as_int() const { return get_as<std::int64_t>(value_, *this, "an integer"); }
const std::string& Json::as_string() const& {
  return get_as<std::string>(value_, *this, "a string");
}
const Json::Array& Json::as_array() const& { return get_as<Array>(value_, *this, "an array"); }
const Json::Object& Json::as_object() const& { return get_as<Object>(value_, *this, "an object"); }
Json::Array& Json::as_array() & { return const_cast<Array&>(std::as_const(*this).as_array()); }
Json::Object& Json::as_object() & { return const_cast<Object&>(std::as_const(*this).as_object()); }
std::string Json::as_string() && {
  return std::move(const_cast<std::string&>(std::as_const(*this).as_string()));
}
Json::Array Json::as_array() && { return std::move(as_array()); }
Json::Object Json::as_object() && { return std::move(as_object()); }
double Json::as_double() const {
  if (is_int()) return static_cast<double>(std::get<std::int64_t>(value_));
  return get_as<double>(value_, *this, "a number");
}

const Json* Json::find(std::string_view key) const {
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  for (const auto& member : *object) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  if (!is_object()) wrong_type(*this, fmt::format("an object with the key \"{}\"", key));
  const Json* member = find(key);
  if (member == nullptr) throw_input("missing key \"{}\" (object at byte {})", key, offset_);
  return *member;
}

void Json::set(std::string_view key, Json value) {
  if (is_null()) value_ = Object{};
  for (auto& member : as_object()) {
    if (member.first == key) {
      member.second = std::move(value);
      return;
    }
  }
  as_object().emplace_back(std::string(key), std::move(value));
}

void Json::push_back(Json value) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(value));
}

namespace {

/// What parsing works with. For small texts it is kept: making it costs more than using it.
struct ParserBuffers {
  explicit ParserBuffers(std::size_t most_bytes) : parser(most_bytes) {}
  simdjson::ondemand::parser parser;
  std::string text;  // with the room behind it that simdjson reads into
  // Of the arrays and objects that are being read, the innermost last: each gets exactly the memory
  // that it needs when it is complete, and none grows step by step.
  Json::Array items;
  Json::Object members;
};

/// The elements from `begin` on, which leave `stack`.
template <typename T>
std::vector<T> take_from(std::vector<T>& stack, std::size_t begin) {
  const auto first = stack.begin() + static_cast<std::ptrdiff_t>(begin);
  std::vector<T> out(std::make_move_iterator(first), std::make_move_iterator(stack.end()));
  stack.erase(first, stack.end());
  return out;
}

}  // namespace

/// Builds the owned tree from simdjson's on-demand walk.
class JsonParser {
 public:
  JsonParser(std::string_view text, std::string_view source, const JsonLimits& limits)
      : text_(text), source_(source), limits_(limits) {}

  Json parse() {
    namespace od = simdjson::ondemand;
    if (text_.size() > limits_.max_bytes) {
      throw_input("{}: {} bytes of JSON, at most {} are accepted", source_, text_.size(),
                  limits_.max_bytes);
    }
    thread_local ParserBuffers small(simdjson::SIMDJSON_MAXSIZE_BYTES);
    std::optional<ParserBuffers> large;
    if (text_.size() > kSmallText) large.emplace(limits_.max_bytes);
    buffers_ = large ? &*large : &small;
    buffers_->items.clear();  // an error may have left some there
    buffers_->members.clear();
    buffers_->text.reserve(text_.size() + simdjson::SIMDJSON_PADDING);
    buffers_->text = text_;
    try {
      od::document document = buffers_->parser.iterate(
          simdjson::padded_string_view(buffers_->text, buffers_->text.capacity()));
      Json root = read_document(document);
      const std::size_t end = position(document);
      if (end < text_.size()) fail(end, "text after the end of the JSON value");
      return root;
    } catch (const simdjson::simdjson_error& error) {
      fail(last_offset_, std::string("invalid JSON near here: ") + error.what());
    }
  }

 private:
  [[noreturn]] void fail(std::size_t offset, const std::string& reason) const {
    throw_input("{}:{}: {}", source_, line_and_column(text_, offset), reason);
  }

  [[nodiscard]] std::size_t offset_of(const char* where) const {
    return static_cast<std::size_t>(where - buffers_->text.data());
  }

  std::size_t position(simdjson::ondemand::document& document) const {
    const char* where = nullptr;
    if (document.current_location().get(where) != simdjson::SUCCESS) return text_.size();
    return offset_of(where);
  }

  Json read_document(simdjson::ondemand::document& document) {
    simdjson::ondemand::json_type type = document.type();
    if (type == simdjson::ondemand::json_type::array ||
        type == simdjson::ondemand::json_type::object) {
      simdjson::ondemand::value root = document;
      return read(root, 1);
    }
    return read_scalar(document, type);
  }

  template <typename Value>
  Json read_scalar(Value& value, simdjson::ondemand::json_type type) {
    switch (type) {
      case simdjson::ondemand::json_type::string:
        return Json(std::string_view(value.get_string()));
      case simdjson::ondemand::json_type::number:
        return read_number(value);
      case simdjson::ondemand::json_type::boolean:
        return Json(bool(value.get_bool()));
      default:
        if (!value.is_null()) fail(last_offset_, "unknown word");
        return Json();
    }
  }

  template <typename Value>
  Json read_number(Value& value) {
    simdjson::ondemand::number number = value.get_number();
    if (number.is_int64()) return Json(number.get_int64());
    return Json(number.as_double());
  }

  Json read(simdjson::ondemand::value value, std::size_t depth) {
    const std::string_view token = value.raw_json_token();
    last_offset_ = offset_of(token.data());
    const std::size_t offset = last_offset_;
    if (depth > limits_.max_depth) {
      fail(offset, fmt::format("nested deeper than {} levels", limits_.max_depth));
    }
    if (++values_ > kMaxValues) fail(offset, fmt::format("more than {} values", kMaxValues));
    Json out = read_value(value, depth);
    out.offset_ = offset;
    return out;
  }

  Json read_value(simdjson::ondemand::value& value, std::size_t depth) {
    const simdjson::ondemand::json_type type = value.type();
    if (type == simdjson::ondemand::json_type::array) return read_array(value, depth);
    if (type == simdjson::ondemand::json_type::object) return read_object(value, depth);
    return read_scalar(value, type);
  }

  Json read_array(simdjson::ondemand::value value, std::size_t depth) {
    Json::Array& stack = buffers_->items;
    const std::size_t begin = stack.size();
    for (simdjson::ondemand::value item : value.get_array()) {
      stack.push_back(read(item, depth + 1));
    }
    return Json(take_from(stack, begin));
  }

  Json read_object(simdjson::ondemand::value value, std::size_t depth) {
    const std::size_t offset = last_offset_;
    Json::Object& stack = buffers_->members;
    const std::size_t begin = stack.size();
    for (auto field : value.get_object()) {
      std::string key(std::string_view(field.unescaped_key()));
      stack.emplace_back(std::move(key), read(field.value(), depth + 1));
    }
    refuse_duplicates(std::span(stack).subspan(begin), offset);
    return Json(take_from(stack, begin));
  }

  void refuse_duplicates(std::span<const Json::Member> members, std::size_t offset) const {
    if (members.size() <= kFewMembers) {
      for (std::size_t i = 1; i < members.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
          if (members[k].first == members[i].first) refuse(members[i].first, offset);
        }
      }
      return;
    }
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const auto& member : members) keys.emplace_back(member.first);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) refuse(*twice, offset);
  }

  [[noreturn]] void refuse(std::string_view twice, std::size_t offset) const {
    fail(offset, fmt::format("key \"{}\" stands twice", escaped(twice)));
  }

  ParserBuffers* buffers_ = nullptr;  // while it parses
  std::string_view text_;
  std::string_view source_;
  JsonLimits limits_;
  std::size_t last_offset_ = 0;
  std::size_t values_ = 0;
};

Json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits) {
  return JsonParser(text, source, limits).parse();
}

namespace {

/// Index after a string literal that starts at `i`.
std::size_t skip_string(std::string_view text, std::size_t i) {
  for (++i; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return text.size();
}

/// Blanks a comment that starts at `i`, keeping its line ends; returns the index after it.
std::size_t blank_comment(std::string& text, std::size_t i) {
  const bool block = text[i + 1] == '*';
  const std::size_t end = block ? text.find("*/", i + 2) : text.find('\n', i);
  const std::size_t stop = end == std::string::npos ? text.size() : end + (block ? 2 : 0);
  for (std::size_t k = i; k < stop; ++k) {
    if (text[k] != '\n') text[k] = ' ';
  }
  return stop;
}

}  // namespace

Json parse_jsonc(std::string_view text, std::string_view source, const JsonLimits& limits) {
  std::string plain(text);
  std::size_t comma = std::string::npos;  // last comma with only blanks after it so far
  for (std::size_t i = 0; i < plain.size();) {
    const char c = plain[i];
    if (c == '"') {
      i = skip_string(plain, i);
      comma = std::string::npos;
    } else if (c == '/' && i + 1 < plain.size() && (plain[i + 1] == '/' || plain[i + 1] == '*')) {
      i = blank_comment(plain, i);
    } else {
      if ((c == ']' || c == '}') && comma != std::string::npos) plain[comma] = ' ';
      if (c == ',') {
        comma = i;
      } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
        comma = std::string::npos;
      }
      ++i;
    }
  }
  return parse_json(plain, source, limits);
}

std::string line_and_column(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const std::size_t column = last == std::string_view::npos ? offset + 1 : offset - last;
  return fmt::format("{}:{}", lines + 1, column);
}

}  // namespace assay
