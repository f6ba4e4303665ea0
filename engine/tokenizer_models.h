// The two kinds of tokenizers. Their readers are in engine/tokenizer_json.h and
// engine/tokenizer_tiktoken.h.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "engine/tokenizer.h"
#include "engine/tokenizer_bpe.h"

namespace assay::engine {

/// Byte-level BPE: text is cut into words by Llama 3's pattern; each word is a list of bytes whose
/// neighbours join.
class ByteLevelTokenizer : public Tokenizer {
 public:
  /// `whole_words`: a word that is a token is that token, without merging ("ignore_merges").
  /// REQUIRES: `table` holds all 256 single bytes.
  ByteLevelTokenizer(TokenTable table, MergeTable merges, bool whole_words);

 private:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  void encode_word(std::string_view word, std::vector<TokenId>& word_ids,
                   std::vector<TokenId>& out) const;

  TextIndex index_;
  MergeTable merges_;
  std::vector<TokenId> byte_ids_;  // [256]
  bool whole_words_;
};

/// SentencePiece-style BPE: a blank is put before the text, blanks become U+2581, characters
/// without a token become byte tokens, and neighbours join over the whole text.
class SentencePieceTokenizer : public Tokenizer {
 public:
  /// `pieces[id]` is the token's text with U+2581 for blanks, "" for byte and special tokens;
  /// `byte_ids[b]` is the token of byte b.
  SentencePieceTokenizer(TokenTable table, std::vector<std::string> pieces,
                         std::vector<TokenId> byte_ids, MergeTable merges);

 private:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override;
  [[nodiscard]] bool drops_leading_blank() const override { return true; }
  void append_character(std::string_view character, std::vector<TokenId>& ids) const;

  std::vector<std::string> pieces_;
  TextIndex index_;
  MergeTable merges_;
  std::vector<TokenId> byte_ids_;  // [256]
};

}  // namespace assay::engine
