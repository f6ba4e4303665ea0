#include "engine/tokenizer_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = llama3_word_end(text, at);
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

TEST(Llama3Split, EachAlternativeOfThePattern) {
  EXPECT_THAT(words("I'M you'Ll don't x'"),
              ElementsAre("I", "'M", " you", "'Ll", " don", "'t", " x", "'"));
  EXPECT_THAT(words("-abc .x 1234567"), ElementsAre("-abc", " .", "x", " ", "123", "456", "7"));
  EXPECT_THAT(words(" ...\n\nx"), ElementsAre(" ...\n\n", "x"));
  EXPECT_THAT(words("a \n \n  b"), ElementsAre("a", " \n \n", " ", " b"));
  EXPECT_THAT(words("a   "), ElementsAre("a", "   "));
  EXPECT_THAT(words("a   1"), ElementsAre("a", "  ", " ", "1"));
  EXPECT_THAT(words("\t\tif"), ElementsAre("\t", "\tif"));
  EXPECT_THAT(words("it'\xc5\xbf"), ElementsAre("it", "'\xc5\xbf"));
  EXPECT_THAT(words("4 \xc2\xbd"), ElementsAre("4", " ", "\xc2\xbd"));
}

/// The pattern run by ICU's regular expressions: a second implementation, slow and general.
std::vector<std::string> words_by_icu(const std::string& text) {
  UErrorCode code = U_ZERO_ERROR;
  const icu::UnicodeString pattern = icu::UnicodeString::fromUTF8(std::string(kLlama3Pattern));
  icu::RegexMatcher matcher(pattern, 0, code);
  const icu::UnicodeString input = icu::UnicodeString::fromUTF8(text);
  matcher.reset(input);
  std::vector<std::string> out;
  while (U_SUCCESS(code) && matcher.find(code) != 0) {
    std::string word;
    matcher.group(code).toUTF8String(word);
    out.push_back(word);
  }
  EXPECT_TRUE(U_SUCCESS(code)) << u_errorName(code);
  return out;
}

// Characters chosen so that every pair of kinds meets: letters, marks, digits of all categories,
// combining marks, blanks inside and outside Unicode's White_Space, the long s.
constexpr char32_t kAlphabet[] = {U'a',  U'S',   U't',   U'l',   U'\'',  U' ',    U'\t',
                                  U'\n', U'\r',  U'1',   U'9',   U'.',   U'-',    0x17f,
                                  0xbd,  0x2163, 0xe9,   0x301,  0x4e2d, 0x3000,  0xa0,
                                  0x85,  0x2028, 0x200b, 0xfeff, 0x1c,   0x1f600, 0x180e};

void compare(const std::u32string& points) {
  const std::string text = to_utf8(points);
  ASSERT_EQ(words(text), words_by_icu(text)) << escaped(text);
}

TEST(Llama3Split, EveryTextOfThreeCharactersAgreesWithARegularExpression) {
  for (const char32_t a : kAlphabet) {
    for (const char32_t b : kAlphabet) {
      compare({a, b});
      for (const char32_t c : {U'a', U' ', U'\n', U'1', U'.', U's', U'E'}) compare({a, b, c});
    }
  }
}

TEST(Llama3Split, RandomTextsAgreeWithARegularExpression) {
  SplitMix64 random(20240726);
  for (int round = 0; round < 4000; ++round) {
    std::u32string points;
    const std::uint64_t size = 1 + random.below(24);
    for (std::uint64_t i = 0; i < size; ++i) {
      points += kAlphabet[random.below(std::size(kAlphabet))];
    }
    compare(points);
  }
}

}  // namespace
}  // namespace assay::engine
