#include "base/text.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(Text, Utf8RoundTripForEveryCodePoint) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(is_valid_utf8(text)) << static_cast<unsigned>(c);
    ASSERT_EQ(to_code_points(text), std::u32string(1, c));
  }
}

TEST(Text, InvalidUtf8IsSeenAndReplaced) {
  for (const char* text :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\x80"}) {
    EXPECT_FALSE(is_valid_utf8(text));
    EXPECT_TRUE(is_valid_utf8(replace_invalid_utf8(text)));
  }
}

TEST(Text, EscapedShowsControlsAndBidiOverrides) {
  EXPECT_EQ(escaped("a\x1b[31m\xE2\x80\xAE!"), "a\\x1b[31m\\u{202e}!");
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
}

TEST(Text, ClosestMatchFindsMisspellingsOnly) {
  const std::vector<std::string> names = {"fp8", "fp8-tensor", "bf16", "int8"};
  EXPECT_EQ(closest_match("fp8-tenser", names), "fp8-tensor");
  EXPECT_EQ(closest_match("BF16", names), "bf16");
  EXPECT_EQ(closest_match("bf61", names), "bf16");
  EXPECT_FALSE(closest_match("quantum", names).has_value());
}

TEST(Text, ReplaceSplitTrim) {
  EXPECT_EQ(replace_all("a.b.c", ".", "--"), "a--b--c");
  EXPECT_EQ(split("a,,b", ',').size(), 3U);
  EXPECT_EQ(trim_ascii(" \n x y\t"), "x y");
  EXPECT_EQ(parse_int("12x"), std::nullopt);
  EXPECT_EQ(parse_int("-12"), -12);
}

TEST(Text, PrefixNeverSplitsACodePoint) {
  const std::string text = "ab\xE2\x82\xAC";
  EXPECT_EQ(utf8_prefix(text, 4), 2U);
  EXPECT_EQ(utf8_prefix(text, 5), 5U);
}

}  // namespace
}  // namespace assay
