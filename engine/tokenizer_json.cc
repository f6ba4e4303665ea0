#include "engine/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/tokenizer_bpe.h"
#include "engine/tokenizer_models.h"
#include "engine/tokenizer_split.h"

namespace assay::engine {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 22;
constexpr std::size_t kFreeIds = 65536;  // an id may lie so far beyond twice the number of tokens
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581
constexpr std::size_t kBytes = 256;

/// The character that stands for each byte in files of byte-level BPE (as GPT-2 chose them):
/// printable Latin-1 stands for itself, the others are moved to U+0100 and up, in order.
class ByteAlphabet {
 public:
  ByteAlphabet() {
    char32_t moved = 0x100;
    bytes_.fill(-1);
    for (int byte = 0; byte < static_cast<int>(kBytes); ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
      const char32_t character = printable ? static_cast<char32_t>(byte) : moved++;
      bytes_[character] = byte;
    }
  }
  /// The bytes that `token` stands for, or nothing when it has other characters.
  [[nodiscard]] std::optional<std::string> to_bytes(std::string_view token) const {
    std::string out;
    for (const char32_t character : to_code_points(token)) {
      if (character >= bytes_.size() || bytes_[character] < 0) return std::nullopt;
      out += static_cast<char>(bytes_[character]);
    }
    return out;
  }

 private:
  std::array<int, 0x144> bytes_{};
};

/// "<0x0A>" is byte 10.
std::optional<std::size_t> byte_of_piece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  std::size_t byte = 0;
  for (const char c : piece.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'A' || c > 'F')) return std::nullopt;
    byte = byte * 16 + static_cast<std::size_t>(digit ? c - '0' : c - 'A' + 10);
  }
  return byte;
}

enum class Scheme { kByteLevel, kSentencePiece };

class Reader {
 public:
  Reader(std::string_view text, const std::string& source)
      : text_(text),
        source_(source),
        json_(parse_json(text, source, {.max_bytes = kMaxFileBytes})) {}

  std::unique_ptr<Tokenizer> read() {
    if (!json_.is_object()) fail(json_, "expected an object");
    // Truncation and padding describe batches of the writer's program, not the tokens.
    only_keys(json_, "",
              {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
               "post_processor", "decoder", "model"});
    const Json& model = object(json_, "model");
    check_model(model);
    const Scheme scheme = read_scheme(model);
    limit_ids(object(model, "vocab"));
    read_added_tokens(scheme);
    read_vocabulary(object(model, "vocab"), scheme);
    read_post_processor(json_.find("post_processor"));
    MergeTable merges = read_merges(model);
    if (scheme == Scheme::kByteLevel) {
      const Json* whole_words = model.find("ignore_merges");
      return std::make_unique<ByteLevelTokenizer>(
          std::move(table_), std::move(merges),
          whole_words != nullptr && *whole_words == Json(true));
    }
    for (const AddedToken& token : table_.added) pieces_[static_cast<std::size_t>(token.id)] = "";
    return std::make_unique<SentencePieceTokenizer>(std::move(table_), std::move(pieces_),
                                                    std::move(byte_ids_), std::move(merges));
  }

 private:
  [[noreturn]] void fail(const Json& at, std::string_view reason) const {
    throw_input("{}:{}: {}", source_, line_and_column(text_, at.offset()), reason);
  }

  void only_keys(const Json& value, std::string_view where,
                 std::initializer_list<std::string_view> known) const {
    for (const auto& [key, member] : value.as_object()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(member, fmt::format("{}{}\"{}\" is not supported", where, where.empty() ? "" : ": ",
                                 escaped(key, 60)));
      }
    }
  }

  const Json& object(const Json& parent, std::string_view key) const {
    const Json* value = parent.find(key);
    if (value == nullptr || !value->is_object()) {
      fail(value == nullptr ? parent : *value, fmt::format("\"{}\" must be an object", key));
    }
    return *value;
  }

  static bool absent(const Json* value) { return value == nullptr || value->is_null(); }

  [[nodiscard]] std::string type_of(const Json& component) const {
    const Json* type = component.find("type");
    if (type == nullptr || !type->is_string()) fail(component, "a component without a \"type\"");
    return type->as_string();
  }

  [[noreturn]] void refuse(const Json& component, std::string_view what) const {
    fail(component, fmt::format("{} {} is not supported", what, escaped(component.dump(), 160)));
  }

  void check_model(const Json& model) const {
    only_keys(model, "model",
              {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
               "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
    const Json* type = model.find("type");
    if (type != nullptr && !(*type == Json("BPE"))) {
      fail(*type,
           fmt::format("model type {} is not supported, only BPE is", escaped(type->dump(), 60)));
    }
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* value = model.find(key);
      const bool off =
          absent(value) || *value == Json("") || (value->is_number() && value->as_double() == 0);
      if (!off) fail(*value, fmt::format("model: {} is not supported", key));
    }
  }

  /// The two sets of components that are implemented.
  Scheme read_scheme(const Json& model) const {
    const Json* fallback = model.find("byte_fallback");
    const Json* pre_tokenizer = json_.find("pre_tokenizer");
    if (fallback != nullptr && *fallback == Json(true)) {
      if (!absent(pre_tokenizer)) refuse(*pre_tokenizer, "pre_tokenizer with byte_fallback");
      const Json* whole_words = model.find("ignore_merges");
      if (whole_words != nullptr && *whole_words == Json(true)) {
        fail(*whole_words, "ignore_merges with byte_fallback is not supported");
      }
      check_blank_normalizer(object(json_, "normalizer"));
      check_blank_decoder(object(json_, "decoder"));
      return Scheme::kSentencePiece;
    }
    const Json* normalizer = json_.find("normalizer");
    if (!absent(normalizer)) refuse(*normalizer, "normalizer");
    check_llama3_pre_tokenizer(object(json_, "pre_tokenizer"));
    const Json& decoder = object(json_, "decoder");
    if (type_of(decoder) != "ByteLevel") refuse(decoder, "decoder");
    return Scheme::kByteLevel;
  }

  /// Sequence of Split by the pattern and ByteLevel without anything of its own.
  void check_llama3_pre_tokenizer(const Json& pre_tokenizer) const {
    const Json* parts = pre_tokenizer.find("pretokenizers");
    if (type_of(pre_tokenizer) != "Sequence" || absent(parts) || !parts->is_array() ||
        parts->as_array().size() != 2) {
      refuse(pre_tokenizer, "pre_tokenizer");
    }
    const Json& split = parts->as_array()[0];
    const Json& bytes = parts->as_array()[1];
    const Json* pattern = split.find("pattern");
    const Json* regex = pattern == nullptr ? nullptr : pattern->find("Regex");
    const Json* behavior = split.find("behavior");
    const Json* invert = split.find("invert");
    if (type_of(split) != "Split" || regex == nullptr || behavior == nullptr ||
        !(*behavior == Json("Isolated")) || (invert != nullptr && !(*invert == Json(false)))) {
      refuse(split, "pre_tokenizer");
    }
    if (!(*regex == Json(kLlama3Pattern))) refuse(*regex, "pre_tokenizer pattern");
    const Json* prefix = bytes.find("add_prefix_space");
    const Json* use_regex = bytes.find("use_regex");
    if (type_of(bytes) != "ByteLevel" || prefix == nullptr || !(*prefix == Json(false)) ||
        use_regex == nullptr || !(*use_regex == Json(false))) {
      refuse(bytes, "pre_tokenizer");
    }
  }

  void check_blank_normalizer(const Json& normalizer) const {
    const Json expected =
        parse_json(R"([{"type":"Prepend","prepend":"\u2581"},)"
                   R"({"type":"Replace","pattern":{"String":" "},"content":"\u2581"}])",
                   "normalizer");
    const Json* parts = normalizer.find("normalizers");
    if (type_of(normalizer) != "Sequence" || parts == nullptr || !same(*parts, expected)) {
      refuse(normalizer, "normalizer");
    }
  }

  void check_blank_decoder(const Json& decoder) const {
    const Json expected =
        parse_json(R"([{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},)"
                   R"({"type":"ByteFallback"},{"type":"Fuse"},)"
                   R"({"type":"Strip","content":" ","start":1,"stop":0}])",
                   "decoder");
    const Json* parts = decoder.find("decoders");
    if (type_of(decoder) != "Sequence" || parts == nullptr || !same(*parts, expected)) {
      refuse(decoder, "decoder");
    }
  }

  static bool same(const Json& a, const Json& b) {
    return a.dump_canonical() == b.dump_canonical();
  }

  /// Ids may leave gaps, but a few tokens with huge ids must not ask for huge tables.
  void limit_ids(const Json& vocab) {
    const Json* added = json_.find("added_tokens");
    std::size_t tokens = vocab.as_object().size();
    if (added != nullptr && added->is_array()) tokens += added->as_array().size();
    most_ids_ = std::min(kMaxTokens, static_cast<std::int64_t>(2 * tokens + kFreeIds));
  }

  /// Grows the tables to hold `id`, which must be free. `at` is where the id stands.
  std::size_t claim(std::int64_t id, std::string_view token, const Json& at) {
    if (id < 0 || id >= most_ids_) {
      fail(at, fmt::format("token \"{}\": id {} is not between 0 and {}", escaped(token, 60), id,
                           most_ids_ - 1));
    }
    const auto index = static_cast<std::size_t>(id);
    if (index >= used_.size()) {
      used_.resize(index + 1, false);
      table_.bytes.resize(index + 1);
      pieces_.resize(index + 1);
    }
    if (used_[index]) {
      fail(at, fmt::format("token \"{}\": its id {} is taken", escaped(token, 60), id));
    }
    used_[index] = true;
    return index;
  }

  void read_added_tokens(Scheme scheme) {
    const Json* list = json_.find("added_tokens");
    if (absent(list)) return;
    if (!list->is_array()) fail(*list, "\"added_tokens\" must be a list");
    std::vector<std::string> names;
    for (const Json& token : list->as_array()) {
      add_token(token, scheme);
      names.push_back(table_.added.back().text);
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) {
      fail(*list, fmt::format("added token \"{}\" stands twice", escaped(*twice, 60)));
    }
  }

  void add_token(const Json& token, Scheme scheme) {
    if (!token.is_object()) fail(token, "an added token must be an object");
    only_keys(token, "added token",
              {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    const Json* id = token.find("id");
    const Json* content = token.find("content");
    if (id == nullptr || !id->is_int() || content == nullptr || !content->is_string()) {
      fail(token, "an added token needs an integer \"id\" and a text \"content\"");
    }
    const std::string& name = content->as_string();
    if (name.empty() || name.size() > kMaxTokenBytes) {
      fail(token, "an added token must have from 1 to 4096 bytes");
    }
    for (const char* key : {"single_word", "lstrip", "rstrip"}) {
      const Json* flag = token.find(key);
      if (flag != nullptr && !(*flag == Json(false))) {
        fail(*flag, fmt::format("added token \"{}\": {} is not supported", escaped(name, 60), key));
      }
    }
    const Json* special = token.find("special");
    const bool is_special = special != nullptr && *special == Json(true);
    const Json* normalized = token.find("normalized");
    // Special tokens are parsed in text that a template owns only, where both readings agree.
    if (scheme == Scheme::kSentencePiece && !is_special && normalized != nullptr &&
        *normalized == Json(true)) {
      fail(*normalized,
           fmt::format("added token \"{}\": normalized is not supported", escaped(name, 60)));
    }
    const std::size_t index = claim(id->as_int(), name, token);
    if (!is_special) table_.bytes[index] = name;
    table_.added.push_back({static_cast<TokenId>(index), name, is_special});
  }

  [[nodiscard]] bool is_added(const std::string& name, std::int64_t id) const {
    return std::any_of(table_.added.begin(), table_.added.end(), [&](const AddedToken& token) {
      return token.id == id && token.text == name;
    });
  }

  void read_vocabulary(const Json& vocab, Scheme scheme) {
    if (scheme == Scheme::kSentencePiece) byte_ids_.assign(kBytes, -1);
    if (static_cast<std::int64_t>(vocab.as_object().size()) > kMaxTokens) {
      fail(vocab, "too many tokens");
    }
    for (const auto& [token, id] : vocab.as_object()) {
      if (!id.is_int()) fail(id, fmt::format("token \"{}\": no integer id", escaped(token, 60)));
      if (token.size() > kMaxTokenBytes) fail(id, "a token longer than 4096 bytes");
      const auto index = static_cast<std::size_t>(id.as_int());
      if (index < used_.size() && used_[index] && is_added(token, id.as_int())) {
        pieces_[index] = token;
        continue;
      }
      add_vocabulary_token(token, id, scheme);
    }
    check_alphabet(vocab, scheme);
  }

  void add_vocabulary_token(const std::string& token, const Json& id, Scheme scheme) {
    const std::size_t index = claim(id.as_int(), token, id);
    if (token.empty()) fail(id, "an empty token");
    pieces_[index] = token;
    if (scheme == Scheme::kByteLevel) {
      const std::optional<std::string> bytes = alphabet_.to_bytes(token);
      if (!bytes) {
        fail(id, fmt::format("token \"{}\" has characters outside the byte alphabet",
                             escaped(token, 60)));
      }
      table_.bytes[index] = *bytes;
    } else if (const auto byte = byte_of_piece(token)) {
      byte_ids_[*byte] = static_cast<TokenId>(index);
      table_.bytes[index] = std::string(1, static_cast<char>(*byte));
    } else {
      table_.bytes[index] = replace_all(token, kBlank, " ");
    }
  }

  void check_alphabet(const Json& vocab, Scheme scheme) const {
    if (scheme == Scheme::kSentencePiece) {
      const auto missing = std::find(byte_ids_.begin(), byte_ids_.end(), -1);
      if (missing != byte_ids_.end()) {
        fail(vocab, fmt::format("no token for byte 0x{:02X}", missing - byte_ids_.begin()));
      }
      return;
    }
    std::array<bool, kBytes> found{};
    for (const std::string& bytes : table_.bytes) {
      if (bytes.size() == 1) found[static_cast<unsigned char>(bytes[0])] = true;
    }
    const auto* const missing = std::find(found.begin(), found.end(), false);
    if (missing != found.end()) {
      fail(vocab, fmt::format("no token for byte 0x{:02X}", missing - found.begin()));
    }
  }

  /// "a b", or ["a", "b"] as newer writers have it.
  std::pair<std::string_view, std::string_view> merge_parts(const Json& merge) const {
    if (merge.is_string()) {
      const std::string_view text = merge.as_string();
      const std::size_t blank = text.find(' ');
      if (blank != std::string_view::npos && text.find(' ', blank + 1) == std::string_view::npos) {
        return {text.substr(0, blank), text.substr(blank + 1)};
      }
    } else if (merge.is_array() && merge.as_array().size() == 2 &&
               merge.as_array()[0].is_string() && merge.as_array()[1].is_string()) {
      return {merge.as_array()[0].as_string(), merge.as_array()[1].as_string()};
    }
    fail(merge, fmt::format("merge {} is no pair of tokens", escaped(merge.dump(), 80)));
  }

  MergeTable read_merges(const Json& model) const {
    const Json* list = model.find("merges");
    if (list == nullptr || !list->is_array()) fail(model, "\"merges\" must be a list");
    const TextIndex index(pieces_);
    MergeTable merges(list->as_array().size());
    std::int32_t rank = 0;
    std::string joined;
    for (const Json& merge : list->as_array()) {
      const auto [left, right] = merge_parts(merge);
      joined.assign(left);
      joined += right;
      const TokenId left_id = index.find(left);
      const TokenId right_id = index.find(right);
      const TokenId joined_id = index.find(joined);
      if (left_id < 0 || right_id < 0 || joined_id < 0) {
        const std::string_view unknown = left_id < 0 ? left : right_id < 0 ? right : joined;
        fail(merge, fmt::format("merge {}: \"{}\" is not in the vocabulary",
                                escaped(merge.dump(), 80), escaped(unknown, 60)));
      }
      if (!merges.add(left_id, right_id, {rank++, joined_id})) {
        fail(merge, fmt::format("merge {} stands twice", escaped(merge.dump(), 80)));
      }
    }
    return merges;
  }

  void read_post_processor(const Json* processor) {
    if (absent(processor)) return;
    const std::string type = type_of(*processor);
    if (type == "Sequence") {
      const Json* parts = processor->find("processors");
      if (parts == nullptr || !parts->is_array()) refuse(*processor, "post_processor");
      for (const Json& part : parts->as_array()) read_post_processor(&part);
    } else if (type == "TemplateProcessing") {
      read_template(*processor);
    } else if (type != "ByteLevel") {  // ByteLevel only moves offsets
      refuse(*processor, "post_processor");
    }
  }

  /// BOS and then the text, or the text alone.
  void read_template(const Json& processor) {
    const Json* single = processor.find("single");
    if (single == nullptr || !single->is_array()) refuse(processor, "post_processor");
    const Json::Array& parts = single->as_array();
    const bool begins_with_special = !parts.empty() && parts[0].find("SpecialToken") != nullptr;
    const std::size_t text_at = begins_with_special ? 1 : 0;
    if (parts.size() != text_at + 1 || parts[text_at].find("Sequence") == nullptr) {
      refuse(*single, "post_processor template");
    }
    if (!begins_with_special) return;
    const Json* name = parts[0].find("SpecialToken")->find("id");
    for (const AddedToken& token : table_.added) {
      if (name != nullptr && *name == Json(token.text)) table_.bos = token.id;
    }
    if (!table_.bos) fail(parts[0], "the template begins with a token that is no added token");
  }

  std::string_view text_;
  const std::string& source_;
  Json json_;
  std::int64_t most_ids_ = 0;
  ByteAlphabet alphabet_;
  TokenTable table_;
  std::vector<std::string> pieces_;  // by id, as they stand in the file
  std::vector<bool> used_;           // by id
  std::vector<TokenId> byte_ids_;    // kSentencePiece
};

}  // namespace

std::unique_ptr<Tokenizer> read_tokenizer_json(std::string_view text, const std::string& source) {
  return Reader(text, source).read();
}

}  // namespace assay::engine
