#include "engine/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "tests/support/shared_data.h"
#include "tests/support/small_tokenizer.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const Json& json) {
  return test::error_message([&] { read_tokenizer_json(json.dump(), "t.json"); });
}

/// Follows a path of keys and indices and puts `value` there.
void put(Json& json, std::vector<std::string> path, const Json& value) {
  Json* at = &json;
  const std::string last = path.back();
  path.pop_back();
  for (const std::string& key : path) {
    if (at->is_array()) {
      at = &at->as_array()[static_cast<std::size_t>(std::stoi(key))];
      continue;
    }
    for (auto& [name, member] : at->as_object()) {
      if (name == key) at = &member;
    }
  }
  at->set(last, value);
}

TEST(TokenizerJson, MergesAndWholeWordsGiveTheirIds) {
  const auto tokenizer = read_tokenizer_json(test::small_tokenizer_json().dump(), "t.json");
  EXPECT_EQ(tokenizer->vocab_size(), 304);
  EXPECT_EQ(tokenizer->bos(), 300);
  EXPECT_THAT(tokenizer->encode("abc", false), ElementsAre(257));
  EXPECT_THAT(tokenizer->encode("xabcb a", false), ElementsAre('x', 257, 'b', 258));
  EXPECT_THAT(tokenizer->encode("", true), ElementsAre());
}

TEST(TokenizerJson, SpecialNamesAreTextUnlessAskedFor) {
  const auto tokenizer = read_tokenizer_json(test::small_tokenizer_json().dump(), "t.json");
  EXPECT_THAT(tokenizer->encode("a<|eot_id|>b", true), ElementsAre('a', 303, 'b'));
  for (const TokenId id : tokenizer->encode("a<|eot_id|>b", false)) EXPECT_LT(id, 300);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a<|eot_id|>b", true)), "ab");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a<|eot_id|>b", true), {.show_special = true}),
            "a<|eot_id|>b");
  EXPECT_EQ(tokenizer->added_id("<|eot_id|>"), 303);
}

struct Refused {
  std::vector<std::string> path;
  const char* value;
  const char* reason;
};

// One line for each component or rule that a file can break.
TEST(TokenizerJson, WhatIsNotImplementedIsRefusedByName) {
  const std::vector<Refused> cases = {
      {{"surprise"}, "1", "\"surprise\" is not supported"},
      {{"normalizer"}, R"({"type": "NFC"})", "normalizer"},
      {{"pre_tokenizer", "type"}, R"("Whitespace")", "pre_tokenizer"},
      {{"pre_tokenizer", "pretokenizers", "0", "behavior"}, R"("Removed")", "pre_tokenizer"},
      {{"pre_tokenizer", "pretokenizers", "0", "invert"}, "true", "pre_tokenizer"},
      {{"pre_tokenizer", "pretokenizers", "0", "pattern"}, R"({"Regex": "\\s+"})", "pattern"},
      {{"pre_tokenizer", "pretokenizers", "1", "use_regex"}, "true", "pre_tokenizer"},
      {{"pre_tokenizer", "pretokenizers", "1", "add_prefix_space"}, "true", "pre_tokenizer"},
      {{"decoder"}, R"({"type": "WordPiece"})", "decoder"},
      {{"post_processor"}, R"({"type": "BertProcessing"})", "post_processor"},
      {{"post_processor", "single"},
       R"([{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|eot_id|>"}}])",
       "template"},
      {{"post_processor", "single"},
       R"([{"SpecialToken": {"id": "<|x|>"}}, {"Sequence": {"id": "A"}}])",
       "no added token"},
      {{"model", "type"}, R"("Unigram")", "only BPE"},
      {{"model", "dropout"}, "0.1", "dropout"},
      {{"model", "continuing_subword_prefix"}, R"("##")", "continuing_subword_prefix"},
      {{"model", "end_of_word_suffix"}, R"("</w>")", "end_of_word_suffix"},
      {{"model", "byte_fallback"}, "true", "pre_tokenizer with byte_fallback"},
      {{"model", "extra"}, "1", "\"extra\" is not supported"},
      {{"model", "vocab", "ab"}, "255", "its id 255 is taken"},
      {{"model", "vocab", "ab"}, "-1", "is not between"},
      {{"model", "vocab", "ab"}, "4194304", "is not between"},
      {{"model", "vocab", "ab"}, "1.5", "no integer id"},
      {{"model", "vocab", "\xe2\x82\xac"}, "270", "outside the byte alphabet"},
      {{"model", "vocab", ""}, "270", "empty token"},
      {{"model", "vocab"}, R"({"a": 0})", "no token for byte"},
      {{"model", "merges"}, R"(["a q"])", "is not in the vocabulary"},
      {{"model", "merges"}, R"(["a b", "a b"])", "stands twice"},
      {{"model", "merges"}, R"(["a b c"])", "no pair"},
      {{"model", "merges"}, R"([["a"]])", "no pair"},
      {{"model", "merges"}, "{}", "must be a list"},
      {{"added_tokens", "0", "content"}, R"("")", "from 1 to 4096 bytes"},
      {{"added_tokens", "0", "content"}, R"("<|eot_id|>")", "stands twice"},
      {{"added_tokens", "0", "id"}, "301", "is taken"},
      {{"added_tokens", "0", "lstrip"}, "true", "lstrip is not supported"},
      {{"added_tokens", "0", "single_word"}, "true", "single_word is not supported"},
  };
  ASSERT_EQ(refusal(test::small_tokenizer_json()), "");
  for (const Refused& refused : cases) {
    Json json = test::small_tokenizer_json();
    put(json, refused.path, parse_json(refused.value, "value"));
    const std::string message = refusal(json);
    EXPECT_THAT(message, HasSubstr(refused.reason)) << refused.path.back() << refused.value;
    EXPECT_THAT(message, HasSubstr("t.json:1:")) << refused.path.back();
    EXPECT_LT(message.size(), 4096U);
  }
}

TEST(TokenizerJson, TruncatedFilesAreRefused) {
  const std::string text = test::small_tokenizer_json().dump();
  for (std::size_t cut = 0; cut < text.size(); cut += 61) {
    EXPECT_NE(test::error_message([&] { read_tokenizer_json(text.substr(0, cut), "t"); }), "");
  }
}

}  // namespace
}  // namespace assay::engine
