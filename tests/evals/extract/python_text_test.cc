#include "evals/extract/python_text.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/text.h"

namespace assay::evals {
namespace {

TEST(PythonText, StripsEveryWhiteSpaceOfPython) {
  for (const char32_t c :
       {U'\t',     U'\n',     U'\v',     U'\f',     U'\r',     U'\x1c',   U'\x1d',
        U'\x1e',   U'\x1f',   U' ',      U'\x85',   U'\xa0',   U'\u1680', U'\u2000',
        U'\u200a', U'\u2028', U'\u2029', U'\u202f', U'\u205f', U'\u3000'}) {
    const std::string padding = to_utf8(std::u32string(2, c));
    EXPECT_EQ(python_strip(padding + "a b" + padding), "a b") << static_cast<unsigned>(c);
    EXPECT_EQ(python_lstrip(padding + "a" + padding), "a" + padding);
    EXPECT_EQ(python_rstrip(padding + "a" + padding), padding + "a");
    EXPECT_EQ(python_strip(padding), "");
  }
  // Format characters and Mongolian vowel separator are no white space.
  for (const std::string text : {"\u200b", "\u180e", "\ufeff", "\u2060"}) {
    EXPECT_EQ(python_strip(text), text);
  }
}

TEST(PythonText, StripLeavesBytesThatAreNoText) {
  EXPECT_EQ(python_strip(" \xff "), "\xff");
  EXPECT_EQ(python_strip("\x85 a \xa0"), "\x85 a \xa0");  // stray continuation bytes
  EXPECT_EQ(python_strip(" \xe3\x80"), "\xe3\x80");
}

TEST(PythonText, WordCharactersAreLettersNumbersAndUnderscore) {
  for (const char32_t c : U"aZ09_éßж漢अ½²Ⅷ٣") {
    EXPECT_TRUE(c == 0 || python_is_word(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c :
       {U'-', U' ', U'\u0947', U'\u0e31', U'\u0301', U'—', U'€', U'\U0001F600'}) {
    EXPECT_FALSE(python_is_word(c)) << static_cast<unsigned>(c);
  }
}

TEST(PythonText, DigitsOfEveryScriptHaveTheirValue) {
  EXPECT_EQ(python_digit_value(U'7'), 7);
  EXPECT_EQ(python_digit_value(U'\u0663'), 3);  // Arabic-Indic
  EXPECT_EQ(python_digit_value(U'\u09ea'), 4);  // Bengali
  EXPECT_EQ(python_digit_value(U'\uff19'), 9);  // full width
  EXPECT_EQ(python_digit_value(U'²'), -1);
  EXPECT_EQ(python_digit_value(U'Ⅷ'), -1);
  EXPECT_EQ(python_digit_value(U'a'), -1);
}

TEST(PythonText, UpperAndLowerNeedACasedCharacterAndNoOther) {
  EXPECT_TRUE(python_is_upper(std::u32string_view(U"3D U.S. Ⅷ")));
  EXPECT_FALSE(python_is_upper(std::u32string_view(U"123")));
  EXPECT_FALSE(python_is_upper(std::u32string_view(U"Ab")));
  EXPECT_FALSE(python_is_upper(std::u32string_view(U"ǅ")));
  EXPECT_FALSE(python_is_lower(std::u32string_view(U"ǅ")));
  EXPECT_FALSE(python_is_upper(std::u32string_view(U"")));
  EXPECT_TRUE(python_is_lower(std::u32string_view(U"ªb 漢")));
  EXPECT_FALSE(python_is_lower(std::u32string_view(U"漢")));
}

TEST(PythonText, LowerIsTheFullMappingWithFinalSigma) {
  EXPECT_EQ(python_lower("ΟΔΟΣ ΣΑΣ. Σ"), "οδος σας. σ");
  EXPECT_EQ(python_lower("İ"), "i\u0307");
  EXPECT_EQ(python_lower("STRAßE ẞ ABC"), "straße ß abc");
  EXPECT_EQ(python_lower(std::u32string_view(U"ΟΔΟΣ")), U"οδος");
}

TEST(PythonText, FoldComparesOneToOne) {
  EXPECT_EQ(python_fold(U'K'), python_fold(U'\u212a'));
  EXPECT_EQ(python_fold(U's'), python_fold(U'\u017f'));
  EXPECT_EQ(python_fold(U'µ'), python_fold(U'μ'));
  EXPECT_EQ(python_fold(U'σ'), python_fold(U'ς'));
  EXPECT_NE(python_fold(U'ß'), python_fold(U's'));
  EXPECT_NE(python_fold(U'ﬁ'), python_fold(U'f'));
}

TEST(PythonText, SplitsAndReplacesAsStrDoes) {
  using Pieces = std::vector<std::u32string_view>;
  EXPECT_EQ(python_split(U" a\u3000 b "), Pieces({U"a", U"b"}));
  EXPECT_EQ(python_split(U" \n"), Pieces());
  EXPECT_EQ(python_split(U"a****b", U"**"), Pieces({U"a", U"", U"b"}));
  EXPECT_EQ(python_split(U"", U"**"), Pieces({U""}));
  EXPECT_EQ(python_replace(U"aaa", U"aa", U"b"), U"ba");
  EXPECT_EQ(python_nfc("e\u0301"), "é");
}

}  // namespace
}  // namespace assay::evals
