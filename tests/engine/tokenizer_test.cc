// The real tokenizers: reference vectors, round trips, streams, and time on hostile text.
#include "engine/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "engine/tokenizer_load.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

/// Loaded once per file, as the 6 MB file takes a while in a debug build.
const Tokenizer& llama3(const std::filesystem::path& folder, const std::string& file) {
  static std::map<std::string, LoadedTokenizer> cache;
  if (!cache.contains(file)) {
    cache[file] = load_tokenizer(folder, {.file = file, .names = SpecialNames::kLlama31});
  }
  return *cache[file].tokenizer;
}

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> out;
  for (const Json& id : list.as_array()) out.push_back(static_cast<TokenId>(id.as_int()));
  return out;
}

TEST(Llama3Tokenizer, EveryReferenceVectorIsReproducedFromBothFiles) {
  ASSAY_SHARED_OR_SKIP(folder, "tokenizers/llama-3");
  const std::vector<Json> vectors = test::read_jsonl(folder / "llama_cpp_vectors.jsonl");
  EXPECT_EQ(vectors.size(), 47U);
  for (const char* file : {"json", "model"}) {
    const Tokenizer& tokenizer = llama3(folder, file);
    EXPECT_EQ(tokenizer.vocab_size(), 128256);
    EXPECT_EQ(tokenizer.bos(), 128000);
    EXPECT_EQ(tokenizer.eos(), 128001);
    for (const Json& vector : vectors) {
      const std::string& text = vector.at("text").as_string();
      EXPECT_THAT(tokenizer.encode(text, false), ElementsAreArray(ids_of(vector.at("ids"))))
          << file << " " << escaped(text);
    }
  }
}

TEST(Llama3Tokenizer, TemplateWordsHaveTheirKnownIds) {
  ASSAY_SHARED_OR_SKIP(folder, "tokenizers/llama-3");
  const Tokenizer& tokenizer = llama3(folder, "json");
  const std::pair<const char*, TokenId> rows[] = {
      {"\n\n", 271}, {"\n", 198}, {"user", 882}, {"assistant", 78191}, {"system", 9125}};
  for (const auto& [text, id] : rows) {
    EXPECT_THAT(tokenizer.encode(text, false), ElementsAreArray({id}));
  }
  EXPECT_THAT(tokenizer.encode("<|eot_id|>", true), ElementsAreArray({128009}));
  EXPECT_GT(tokenizer.encode("<|eot_id|>", false).size(), 1U);
}

/// Random text over characters of all sizes and kinds.
std::string random_text(SplitMix64& random, std::uint64_t max_characters) {
  constexpr char32_t kStarts[] = {0x20, 0x61, 0xc0, 0x400, 0x900, 0x3040, 0x4e00, 0x1f600};
  std::u32string out;
  const std::uint64_t size = random.below(max_characters + 1);
  for (std::uint64_t i = 0; i < size; ++i) {
    const std::uint64_t kind = random.below(10);
    if (kind == 8) {
      out += U'\n';
    } else if (kind == 9) {
      out += U' ';
    } else {
      out += kStarts[kind] + static_cast<char32_t>(random.below(26));
    }
  }
  return to_utf8(out);
}

TEST(Llama3Tokenizer, DecodingGivesTheTextBackAndBothFilesAgree) {
  ASSAY_SHARED_OR_SKIP(folder, "tokenizers/llama-3");
  const Tokenizer& json = llama3(folder, "json");
  const Tokenizer& model = llama3(folder, "model");
  SplitMix64 random(11);
  for (int round = 0; round < 600; ++round) {
    const std::string text = random_text(random, 60);
    const std::vector<TokenId> ids = json.encode(text, false);
    ASSERT_EQ(json.decode(ids), text);
    ASSERT_THAT(model.encode(text, false), ElementsAreArray(ids)) << escaped(text);
  }
}

TEST(Llama3Tokenizer, StreamedPiecesAreValidAndAddUp) {
  ASSAY_SHARED_OR_SKIP(folder, "tokenizers/llama-3");
  const Tokenizer& tokenizer = llama3(folder, "json");
  SplitMix64 random(13);
  for (int round = 0; round < 300; ++round) {
    std::vector<TokenId> ids = tokenizer.encode(random_text(random, 30), false);
    if (round % 2 == 1) {  // arbitrary ids, so bytes that are no UTF-8
      for (TokenId& id : ids) id = static_cast<TokenId>(random.below(128256));
    }
    StreamDecoder stream(tokenizer);
    std::string text;
    for (const TokenId id : ids) {
      const std::string piece = stream.push(id);
      ASSERT_TRUE(is_valid_utf8(piece));
      text += piece;
    }
    text += stream.finish();
    ASSERT_EQ(text, replace_invalid_utf8(tokenizer.decode(ids)));
  }
}

TEST(Llama3Tokenizer, HostileTextsTakeNearLinearTime) {
  ASSAY_SHARED_OR_SKIP(folder, "tokenizers/llama-3");
  const Tokenizer& tokenizer = llama3(folder, "json");
  const std::size_t size = 1 << 20;
  std::string mixed;
  while (mixed.size() < size) mixed += " '<|\n";
  for (const std::string& text :
       {std::string(size, ' '), std::string(size, 'a'), std::string(size, '\''),
        std::string(size, '\n'), std::string(size, '<'), std::string(size, '7'), mixed,
        std::string(size, ' ') + "x"}) {
    const std::clock_t start = std::clock();
    const std::vector<TokenId> ids = tokenizer.encode(text, true);
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_EQ(tokenizer.decode(ids), text);
    // Quadratic work on 1 MiB would take minutes of a processor; this takes well under a second in
    // a release build.
    EXPECT_LT(took, 30) << escaped(text.substr(0, 8));
  }
}

TEST(SmallModelTokenizer, PromptsAndTextsAreThoseOfTheReference) {
  ASSAY_SHARED_OR_SKIP(models, "models");
  for (const char* name : {"stories260K", "aidreams260K"}) {
    const LoadedTokenizer loaded = load_tokenizer(models / name);
    const Json reference = parse_json(read_file(models / name / "reference.json"), "reference");
    for (const Json& prompt : reference.at("prompts").as_array()) {
      std::vector<TokenId> ids = loaded.tokenizer->encode(prompt.at("prompt").as_string(), false);
      ids.insert(ids.begin(), loaded.tokenizer->bos().value());
      EXPECT_THAT(ids, ElementsAreArray(ids_of(prompt.at("prompt_ids"))));
      EXPECT_EQ(loaded.tokenizer->decode(ids), prompt.at("prompt").as_string());
      const std::vector<TokenId> generated = ids_of(prompt.at("gen_ids"));
      EXPECT_EQ(loaded.tokenizer->decode(generated, {.continues = true}),
                prompt.at("gen_text").as_string());
      StreamDecoder stream(*loaded.tokenizer);
      std::string text;
      for (const TokenId id : generated) text += stream.push(id);
      EXPECT_EQ(text + stream.finish(), prompt.at("gen_text").as_string());
    }
  }
}

TEST(SmallModelTokenizer, DecodingGivesTheTextBack) {
  ASSAY_SHARED_OR_SKIP(models, "models");
  const LoadedTokenizer loaded = load_tokenizer(models / "stories260K");
  SplitMix64 random(17);
  for (int round = 0; round < 500; ++round) {
    const std::string text = random_text(random, 60);
    ASSERT_EQ(loaded.tokenizer->decode(loaded.tokenizer->encode(text, false)), text);
  }
  EXPECT_THAT(loaded.tokenizer->encode("</s>", true), ElementsAreArray({2}));
  for (const TokenId id : loaded.tokenizer->encode("</s>", false)) EXPECT_GT(id, 2);
}

TEST(Tokenizer, InvalidTextAndIdsAreRefused) {
  ASSAY_SHARED_OR_SKIP(models, "models");
  const LoadedTokenizer loaded = load_tokenizer(models / "stories260K");
  EXPECT_THAT(test::error_message([&] { (void)loaded.tokenizer->encode("a\xff", false); }),
              HasSubstr("not valid UTF-8"));
  for (const TokenId id : {-1, 512}) {
    EXPECT_THAT(test::error_message([&] { (void)loaded.tokenizer->decode(std::span(&id, 1)); }),
                HasSubstr("outside the vocabulary of 512"));
  }
}

TEST(LoadTokenizer, MissingFilesAndUnknownChoicesAreNamed) {
  const test::TemporaryFolder folder;
  EXPECT_THAT(test::error_message([&] { load_tokenizer(folder.path()); }),
              HasSubstr("no tokenizer.json or tokenizer.model"));
  EXPECT_THAT(test::error_message([&] { load_tokenizer(folder.path(), {.file = "bin"}); }),
              HasSubstr("expected json or model"));
  EXPECT_THAT(test::error_message([&] { load_tokenizer(folder.path() / "none"); }),
              HasSubstr("no such folder"));
}

}  // namespace
}  // namespace assay::engine
