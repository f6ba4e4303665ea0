#include "engine/tokenizer_models.h"

#include <utility>

#include "base/check.h"
#include "engine/tokenizer_split.h"

namespace assay::engine {
namespace {

constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581
constexpr std::size_t kBytes = 256;

/// Length of the character that starts with this byte, in valid UTF-8.
std::size_t character_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

}  // namespace

ByteLevelTokenizer::ByteLevelTokenizer(TokenTable table_in, MergeTable merges, bool whole_words)
    : Tokenizer(std::move(table_in)),
      index_(table().bytes),
      merges_(std::move(merges)),
      whole_words_(whole_words) {
  for (std::size_t byte = 0; byte < kBytes; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_.push_back(index_.find(std::string_view(&c, 1)));
    ASSAY_CHECK(byte_ids_.back() >= 0, "the readers check that every byte is a token");
  }
}

void ByteLevelTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  std::vector<TokenId> word_ids;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = llama3_word_end(text, at);
    encode_word(text.substr(at, end - at), word_ids, out);
    at = end;
  }
}

void ByteLevelTokenizer::encode_word(std::string_view word, std::vector<TokenId>& word_ids,
                                     std::vector<TokenId>& out) const {
  if (whole_words_) {
    const TokenId whole = index_.find(word);
    if (whole >= 0) {
      out.push_back(whole);
      return;
    }
  }
  word_ids.clear();
  for (const char c : word) word_ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  merge_pairs(merges_, word_ids);
  out.insert(out.end(), word_ids.begin(), word_ids.end());
}

SentencePieceTokenizer::SentencePieceTokenizer(TokenTable table_in, std::vector<std::string> pieces,
                                               std::vector<TokenId> byte_ids, MergeTable merges)
    : Tokenizer(std::move(table_in)),
      pieces_(std::move(pieces)),
      index_(pieces_),
      merges_(std::move(merges)),
      byte_ids_(std::move(byte_ids)) {
  ASSAY_CHECK(byte_ids_.size() == kBytes, "one token for each byte");
}

void SentencePieceTokenizer::append_character(std::string_view character,
                                              std::vector<TokenId>& ids) const {
  const TokenId id = index_.find(character);
  if (id >= 0) {
    ids.push_back(id);
    return;
  }
  for (const char c : character) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
}

void SentencePieceTokenizer::encode_plain(std::string_view text, std::vector<TokenId>& out) const {
  if (text.empty()) return;
  std::vector<TokenId> ids;
  append_character(kBlank, ids);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text[at]);
    const std::string_view character = text.substr(at, size);
    append_character(character == " " ? kBlank : character, ids);
    at += size;
  }
  merge_pairs(merges_, ids);
  out.insert(out.end(), ids.begin(), ids.end());
}

}  // namespace assay::engine
