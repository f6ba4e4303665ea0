#include "engine/tokenizer_tiktoken.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += at + i > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * i) & 63U];
    }
  }
  return out;
}

/// All bytes, then "ab", "bc", "abc".
std::string small_model() {
  std::string out;
  int rank = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    out += base64({&c, 1}) + " " + std::to_string(rank++) + "\n";
  }
  for (const char* token : {"bc", "ab", "abc"}) {
    out += base64(token) + " " + std::to_string(rank++) + "\n";
  }
  return out;
}

TEST(TokenizerModel, LowestRankJoinsFirst) {
  const auto tokenizer = read_tokenizer_model(small_model(), "m", SpecialNames::kLlama31);
  EXPECT_THAT(tokenizer->encode("abc", false), ElementsAre(258));
  EXPECT_THAT(tokenizer->encode("zabcz", false), ElementsAre('z', 258, 'z'));
  EXPECT_THAT(tokenizer->encode("zabbc", false), ElementsAre('z', 257, 256));
  EXPECT_EQ(tokenizer->bos(), 259);
  EXPECT_EQ(tokenizer->vocab_size(), 259 + 256);
}

TEST(TokenizerModel, SpecialNamesAreThoseOfTheRelease) {
  ASSAY_SHARED_OR_SKIP(path, "tokenizers/llama-3/special_tokens_variants.json");
  const Json variants = parse_json(read_file(path), "variants");
  const std::pair<SpecialNames, std::string_view> rows[] = {{SpecialNames::kLlama31, "llama-3.1+"},
                                                            {SpecialNames::kLlama30, "llama-3.0"},
                                                            {SpecialNames::kMeta, "meta"}};
  for (const auto& [names, prefix] : rows) {
    const auto tokenizer = read_tokenizer_model(small_model(), "m", names);
    for (const auto& [variant, table] : variants.as_object()) {
      if (!variant.starts_with(prefix)) continue;
      EXPECT_EQ(table.as_object().size(), 256U);
      for (const auto& [id, name] : table.as_object()) {
        EXPECT_EQ(tokenizer->added_id(name.as_string()), std::stoi(id) - 128000 + 259) << variant;
      }
    }
  }
}

TEST(TokenizerModel, BadLinesAreNamed) {
  const auto refusal = [](const std::string& text) {
    return test::error_message([&] { read_tokenizer_model(text, "m", SpecialNames::kLlama31); });
  };
  const std::string model = small_model();
  EXPECT_THAT(refusal("\x0a\x0e\x0a\x05<unk>\x15"), HasSubstr("base64 rank"));
  EXPECT_THAT(refusal("garbage"), HasSubstr("SentencePiece"));
  EXPECT_THAT(refusal(model + "YWJjZA== 300\n"), HasSubstr("m:260: rank 300 where 259"));
  EXPECT_THAT(refusal(model + "YWJj 259\n"), HasSubstr("are the same token"));
  EXPECT_THAT(refusal(model + "YWJ! 259\n"), HasSubstr("m:260"));
  EXPECT_THAT(refusal(model + "YWJ 259\n"), HasSubstr("m:260"));
  EXPECT_THAT(refusal("AA== 0\n"), HasSubstr("no token for byte 0x01"));
  EXPECT_THAT(refusal(""), HasSubstr("no token for byte 0x00"));
  for (std::size_t cut = 0; cut + 1 < model.size() - 8; cut += 13) {
    EXPECT_NE(refusal(model.substr(0, std::min(cut, std::size_t{2000}))), "");
  }
}

}  // namespace
}  // namespace assay::engine
