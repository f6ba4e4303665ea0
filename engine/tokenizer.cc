#include "engine/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"

namespace assay::engine {

Tokenizer::Tokenizer(TokenTable table) : table_(std::move(table)) {
  by_id_.resize(table_.bytes.size(), nullptr);
  for (std::size_t i = 0; i < table_.added.size(); ++i) {
    const AddedToken& token = table_.added[i];
    ASSAY_CHECK(!token.text.empty() && static_cast<std::size_t>(token.id) < by_id_.size(),
                "added tokens have names and ids inside the vocabulary");
    by_name_.push_back(i);
    by_id_[static_cast<std::size_t>(token.id)] = &token;
    name_lengths_.push_back(token.text.size());
    if (first_bytes_.find(token.text[0]) == std::string::npos) first_bytes_ += token.text[0];
  }
  std::sort(by_name_.begin(), by_name_.end(), [&](std::size_t a, std::size_t b) {
    return table_.added[a].text < table_.added[b].text;
  });
  std::sort(name_lengths_.rbegin(), name_lengths_.rend());
  name_lengths_.erase(std::unique(name_lengths_.begin(), name_lengths_.end()), name_lengths_.end());
}

const AddedToken* Tokenizer::added_named(std::string_view name) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](std::size_t i, std::string_view n) { return table_.added[i].text < n; });
  if (found == by_name_.end() || table_.added[*found].text != name) return nullptr;
  return &table_.added[*found];
}

std::optional<TokenId> Tokenizer::added_id(std::string_view name) const {
  const AddedToken* token = added_named(name);
  return token == nullptr ? std::nullopt : std::optional(token->id);
}

bool Tokenizer::is_special(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  return id >= 0 && index < by_id_.size() && by_id_[index] != nullptr && by_id_[index]->special;
}

/// The leftmost added token from `from` on; of several at one place the longest.
std::optional<Tokenizer::Match> Tokenizer::next_added(std::string_view text, std::size_t from,
                                                      bool parse_special) const {
  for (std::size_t at = text.find_first_of(first_bytes_, from); at != std::string_view::npos;
       at = text.find_first_of(first_bytes_, at + 1)) {
    for (const std::size_t length : name_lengths_) {
      if (length > text.size() - at) continue;
      const AddedToken* token = added_named(text.substr(at, length));
      if (token != nullptr && (parse_special || !token->special)) {
        return Match{at, length, token->id};
      }
    }
  }
  return std::nullopt;
}

std::vector<TextPart> Tokenizer::split_added(std::string_view text, bool parse_special) const {
  std::vector<TextPart> out;
  std::size_t from = 0;
  while (const auto match = next_added(text, from, parse_special)) {
    if (match->begin > from) out.push_back({std::nullopt, text.substr(from, match->begin - from)});
    out.push_back({match->id, text.substr(match->begin, match->size)});
    from = match->begin + match->size;
  }
  if (from < text.size()) out.push_back({std::nullopt, text.substr(from)});
  return out;
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special) const {
  if (!is_valid_utf8(text)) throw_input("text to be tokenized is not valid UTF-8");
  std::vector<TokenId> out;
  for (const TextPart& part : split_added(text, parse_special)) {
    if (part.id) {
      out.push_back(*part.id);
    } else {
      encode_plain(part.text, out);
    }
  }
  return out;
}

const std::string& Tokenizer::token_bytes(TokenId id) const {
  if (id < 0 || id >= vocab_size()) {
    throw_input("token id {} is outside the vocabulary of {} tokens", id, vocab_size());
  }
  return table_.bytes[static_cast<std::size_t>(id)];
}

std::string Tokenizer::decode(std::span<const TokenId> ids, const DecodeOptions& options) const {
  std::string out;
  for (const TokenId id : ids) {
    const std::string& bytes = token_bytes(id);
    if (!is_special(id)) {
      out += bytes;
    } else if (options.show_special) {
      out += by_id_[static_cast<std::size_t>(id)]->text;
    }
  }
  if (!options.continues && drops_leading_blank() && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool continues)
    : tokenizer_(&tokenizer), at_start_(!continues) {}

namespace {

/// Where an incomplete last character begins, or the size. A cut before a leading byte never
/// divides an invalid part, so cutting here does not change how many U+FFFD there will be.
std::size_t complete_prefix(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xc0U) == 0x80U) continue;
    const std::size_t need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return need > back ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

}  // namespace

std::string StreamDecoder::push(TokenId id) {
  const std::string bytes =
      tokenizer_->decode(std::span(&id, 1), {.show_special = false, .continues = !at_start_});
  if (!tokenizer_->token_bytes(id).empty()) at_start_ = false;
  held_ += bytes;
  const std::size_t ready = complete_prefix(held_);
  std::string out = replace_invalid_utf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return out;
}

std::string StreamDecoder::finish() { return replace_invalid_utf8(std::exchange(held_, {})); }

}  // namespace assay::engine
