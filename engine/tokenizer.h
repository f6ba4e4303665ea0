// Text to token ids and back. Implementations: byte-level BPE (Llama 3) and SentencePiece-style BPE
// with byte fallback (Llama 2 and small models); engine/tokenizer_load.h makes them from files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace assay::engine {

/// A token that is found in text by its name instead of by merging.
struct AddedToken {
  TokenId id = 0;
  std::string text;     // not empty
  bool special = true;  // matched only where special tokens are parsed, hidden when decoding
};

/// What every tokenizer knows. Made by the readers, which check it.
struct TokenTable {
  std::vector<std::string> bytes;  // by id: what the token adds to the text; "" for special ones
  std::vector<AddedToken> added;   // unique names, unique ids
  std::optional<TokenId> bos;      // the id that begins every prompt
  std::optional<TokenId> eos;      // the tokenizer's own end of text
};

/// A part of a text: a token found by its name, or text between such tokens.
struct TextPart {
  std::optional<TokenId> id;
  std::string_view text;  // the name, or the text; never empty
};

struct DecodeOptions {
  bool show_special = false;  // write special tokens by their names
  bool continues = false;  // the ids follow others: keep a leading blank that the start would lose
};

/// Immutable after construction: any number of threads may use one.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  Tokenizer(Tokenizer&&) = delete;
  Tokenizer& operator=(Tokenizer&&) = delete;

  /// Ids of `text` without BOS. With `parse_special`, names of special tokens become their ids;
  /// without it they are text like any other.
  /// Throws: Error(kInput) when `text` is not valid UTF-8.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool parse_special) const;

  /// Cuts `text` at the tokens that `encode` finds by name.
  [[nodiscard]] std::vector<TextPart> split_added(std::string_view text, bool parse_special) const;

  /// Bytes of the ids, perhaps not valid UTF-8 (generated ids may cut a character).
  /// Throws: Error(kInput) for an id outside the vocabulary.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids,
                                   const DecodeOptions& options = {}) const;

  /// What one token adds to the text; "" for special tokens. Throws as `decode`.
  [[nodiscard]] const std::string& token_bytes(TokenId id) const;

  /// Ids are 0 to vocab_size() - 1; some may be unused.
  [[nodiscard]] std::int64_t vocab_size() const {
    return static_cast<std::int64_t>(table_.bytes.size());
  }
  [[nodiscard]] std::optional<TokenId> bos() const { return table_.bos; }
  [[nodiscard]] std::optional<TokenId> eos() const { return table_.eos; }
  /// For readers of tokenizer_config.json, before the tokenizer is shared between threads.
  void set_bos(TokenId id) { table_.bos = id; }
  void set_eos(TokenId id) { table_.eos = id; }
  /// The id of an added token, by its name.
  [[nodiscard]] std::optional<TokenId> added_id(std::string_view name) const;
  [[nodiscard]] bool is_special(TokenId id) const;
  [[nodiscard]] std::span<const AddedToken> added_tokens() const { return table_.added; }

 protected:
  explicit Tokenizer(TokenTable table);
  [[nodiscard]] const TokenTable& table() const { return table_; }
  /// Appends the ids of text in which no added token is looked for. Valid UTF-8.
  virtual void encode_plain(std::string_view text, std::vector<TokenId>& out) const = 0;
  /// Whether decoding from the start drops one leading blank, as encoding adds one.
  [[nodiscard]] virtual bool drops_leading_blank() const { return false; }

 private:
  struct Match {
    std::size_t begin;
    std::size_t size;
    TokenId id;
  };
  [[nodiscard]] std::optional<Match> next_added(std::string_view text, std::size_t from,
                                                bool parse_special) const;
  [[nodiscard]] const AddedToken* added_named(std::string_view name) const;

  TokenTable table_;
  std::vector<std::size_t> by_name_;       // indices into table_.added, sorted by name
  std::vector<std::size_t> name_lengths_;  // distinct, longest first
  std::vector<const AddedToken*> by_id_;   // nullptr for ordinary tokens
  std::string first_bytes_;                // of all names, distinct
};

/// Turns ids into text one by one, holding back bytes until a character is complete. All pieces
/// together are the decoded bytes with invalid parts as U+FFFD.
class StreamDecoder {
 public:
  /// `continues`: see DecodeOptions; true for text generated after a prompt.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool continues = true);
  /// The text that `id` completes, valid UTF-8; often "".
  std::string push(TokenId id);
  /// What was held back.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::string held_;
  bool at_start_;
};

}  // namespace assay::engine
