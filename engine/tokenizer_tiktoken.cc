#include "engine/tokenizer_tiktoken.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "engine/tokenizer_bpe.h"
#include "engine/tokenizer_models.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kMaxRanks = std::int64_t{1} << 22;
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::size_t kSpecials = 256;
constexpr TokenId kEndOfText = 1;  // offset from the first special id

std::array<int, 256> base64_values() {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<int, 256> out{};
  out.fill(-1);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    out[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
  }
  return out;
}

/// Padded base64 (RFC 4648), nothing for anything else.
std::optional<std::string> decode_base64(std::string_view text) {
  static const std::array<int, 256> kValues = base64_values();
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const bool pad = last && i >= 4 - padding;
      const int value = pad ? 0 : kValues[static_cast<unsigned char>(text[at + i])];
      if (value < 0) return std::nullopt;
      bits = bits << 6 | static_cast<std::uint32_t>(value);
    }
    const std::size_t count = last ? 3 - padding : 3;
    for (std::size_t i = 0; i < count; ++i) out += static_cast<char>(bits >> (16 - 8 * i) & 0xffU);
  }
  return out;
}

/// Tokens by rank.
std::vector<std::string> read_ranks(std::string_view text, const std::string& source) {
  std::vector<std::string> tokens;
  std::int64_t line_number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++line_number;
    if (trim_ascii(line).empty()) continue;
    const std::size_t blank = line.find(' ');
    const auto rank = blank == std::string_view::npos
                          ? std::nullopt
                          : parse_int(trim_ascii(line.substr(blank + 1)));
    auto token = decode_base64(line.substr(0, std::min(blank, line.size())));
    if (!rank || !token || token->size() > kMaxTokenBytes) {
      throw_input("{}:{}: expected \"base64 rank\", found \"{}\"{}", source, line_number,
                  escaped(line, 60),
                  line_number == 1 ? " (a SentencePiece tokenizer.model is not read: use "
                                     "tokenizer.json)"
                                   : "");
    }
    if (*rank != static_cast<std::int64_t>(tokens.size()) || *rank >= kMaxRanks) {
      throw_input("{}:{}: rank {} where {} was expected", source, line_number, *rank,
                  tokens.size());
    }
    tokens.push_back(std::move(*token));
  }
  return tokens;
}

void check_tokens(const std::vector<std::string>& tokens, const TextIndex& index,
                  const std::string& source) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (index.find({&c, 1}) < 0) throw_input("{}: no token for byte 0x{:02X}", source, byte);
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (index.find(tokens[id]) != static_cast<TokenId>(id)) {
      throw_input("{}: ranks {} and {} are the same token", source, index.find(tokens[id]), id);
    }
  }
}

/// Joining by lowest rank of the joined bytes, as a list of pairs: every way to cut a token in two.
MergeTable merges_of(const std::vector<std::string>& tokens, const TextIndex& index) {
  struct Found {
    TokenId left;
    TokenId right;
    TokenId joined;
  };
  std::vector<Found> found;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    for (std::size_t cut = 1; cut < token.size(); ++cut) {
      const TokenId left = index.find(token.substr(0, cut));
      const TokenId right = left < 0 ? -1 : index.find(token.substr(cut));
      if (right >= 0) found.push_back({left, right, static_cast<TokenId>(id)});
    }
  }
  MergeTable merges(found.size());
  for (const Found& merge : found) {
    merges.add(merge.left, merge.right, {.rank = merge.joined, .id = merge.joined});
  }
  return merges;
}

/// The named ids; all others are reserved tokens, counted in order.
std::vector<std::pair<std::size_t, const char*>> named_specials(SpecialNames names) {
  std::vector<std::pair<std::size_t, const char*>> out = {{0, "<|begin_of_text|>"},
                                                          {1, "<|end_of_text|>"},
                                                          {6, "<|start_header_id|>"},
                                                          {7, "<|end_header_id|>"},
                                                          {9, "<|eot_id|>"}};
  if (names != SpecialNames::kLlama30) {
    out.insert(out.end(),
               {{4, "<|finetune_right_pad_id|>"}, {8, "<|eom_id|>"}, {10, "<|python_tag|>"}});
  }
  if (names == SpecialNames::kMeta) out.insert(out.end(), {{5, "<|step_id|>"}, {11, "<|image|>"}});
  return out;
}

void add_specials(SpecialNames names, TokenTable& table) {
  const auto named = named_specials(names);
  const auto first = static_cast<TokenId>(table.bytes.size());
  std::size_t reserved = 0;
  for (std::size_t i = 0; i < kSpecials; ++i) {
    const auto found =
        std::find_if(named.begin(), named.end(), [&](const auto& row) { return row.first == i; });
    std::string name = found != named.end()
                           ? found->second
                           : fmt::format("<|reserved_special_token_{}|>", reserved++);
    table.added.push_back({first + static_cast<TokenId>(i), std::move(name), true});
  }
  table.bytes.resize(table.bytes.size() + kSpecials);
  table.bos = first;
  table.eos = first + kEndOfText;
}

}  // namespace

SpecialNames special_names_from(std::string_view name) {
  if (name == "llama-3.1") return SpecialNames::kLlama31;
  if (name == "llama-3.0") return SpecialNames::kLlama30;
  if (name == "meta") return SpecialNames::kMeta;
  throw_input("special token names \"{}\": expected llama-3.1, llama-3.0 or meta",
              escaped(name, 60));
}

std::unique_ptr<Tokenizer> read_tokenizer_model(std::string_view text, const std::string& source,
                                                SpecialNames names) {
  TokenTable table;
  table.bytes = read_ranks(text, source);
  const TextIndex index(table.bytes);
  check_tokens(table.bytes, index, source);
  MergeTable merges = merges_of(table.bytes, index);
  add_specials(names, table);
  return std::make_unique<ByteLevelTokenizer>(std::move(table), std::move(merges), true);
}

}  // namespace assay::engine
