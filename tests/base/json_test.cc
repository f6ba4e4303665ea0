#include "base/json.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/shared_data.h"

namespace assay {
namespace {

TEST(Json, ParseOfDumpIsTheSameValue) {
  for (const char* text :
       {"null", "true", "0", "-9223372036854775808", "1.5", "\"\"", "[]", "{}",
        R"({"a":[1,2.25,"x\ny"],"b":{"c":null}})", R"("\u00e9\ud83d\ude00")", "1e300", "-0.0"}) {
    const Json value = parse_json(text, "t");
    EXPECT_EQ(parse_json(value.dump(), "t"), value) << text;
    EXPECT_EQ(parse_json(value.dump_pretty(), "t"), value) << text;
  }
}

TEST(Json, CanonicalFormSortsKeysAtEveryLevel) {
  EXPECT_EQ(parse_json(R"({"b":{"d":1,"c":2},"a":[]})", "t").dump_canonical(),
            R"({"a":[],"b":{"c":2,"d":1}})");
}

TEST(Json, MalformedTextIsRefusedWithItsPlace) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\":1,}", "[1 2]", "nul", "1 2", "{\"a\":1}x",
                           "\"\xff\"", "[01]", "{\"a\" 1}", "NaN", "[Infinity]", "'a'"}) {
    EXPECT_THROW(parse_json(text, "t"), Error) << text;
  }
  EXPECT_EQ(test::error_message([] { parse_json("{\n \"a\": 1,\n \"a\": 2}", "f.json"); }),
            "f.json:1:1: key \"a\" stands twice");
}

TEST(Json, TooDeepIsRefused) {
  EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']'), "t"));
  EXPECT_THROW(parse_json(std::string(70, '[') + std::string(70, ']'), "t"), Error);
  EXPECT_THROW(parse_json(std::string(100000, '['), "t"), Error);
}

TEST(Json, EveryPrefixOfAnObjectIsRefused) {
  const std::string text = R"({"name": "a\u00e9", "list": [1, 2.5, {"x": null}], "b": true})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_THROW(parse_json(text.substr(0, size), "t"), Error) << size;
  }
}

TEST(Jsonc, CommentsAndTrailingCommasAreBlanks) {
  const Json value =
      parse_jsonc("// top\n{ \"a\": [1, 2,], /* in\nside */ \"b\": \"//no, /*\", }", "t");
  EXPECT_EQ(value.dump(), R"({"a":[1,2],"b":"//no, /*"})");
}

TEST(Jsonc, OffsetsStayTrueAfterComments) {
  const std::string text = "{ // c\n \"a\": 1,\n \"b\": [2] }";
  EXPECT_EQ(line_and_column(text, parse_jsonc(text, "t").at("b").offset()), "3:7");
}

TEST(Json, WrongTypeNamesWhatWasFound) {
  const Json value = parse_json("{\"a\": 1}", "t");
  EXPECT_NE(test::error_message([&] { (void)value.at("a").as_string(); }).find("integer"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] { (void)value.at("b"); }).find("\"b\""), std::string::npos);
}

TEST(Json, ListOfATemporaryOutlivesIt) {
  std::string all;
  for (const Json& item :
       parse_json(R"(["a long enough text to lie on the heap", "b"])", "t").as_array()) {
    all += item.as_string();
  }
  EXPECT_EQ(all, "a long enough text to lie on the heapb");
}

TEST(Json, QuoteEscapesControlsAndRepairsUtf8) {
  EXPECT_EQ(json_quote("a\"\\\n\x01\xff"), "\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBD\"");
}

// What needs no escape is written by a shorter way, to the same bytes.
TEST(Json, EveryByteIsWrittenAsItIsQuoted) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("a") + static_cast<char>(byte) + "b";
    EXPECT_EQ(Json(text).dump(), json_quote(text)) << byte;
  }
  const Json object = parse_json(R"({"b": [1, -9223372036854775808], "a\"": {"x": "y"}})", "t");
  EXPECT_EQ(object.dump(), R"({"b":[1,-9223372036854775808],"a\"":{"x":"y"}})");
  EXPECT_EQ(object.dump_canonical(), R"({"a\"":{"x":"y"},"b":[1,-9223372036854775808]})");
}

TEST(Json, AKeyThatStandsTwiceIsRefusedInSmallAndLargeObjects) {
  for (const int members : {2, 16, 17, 40}) {
    std::string text = "{";
    for (int i = 0; i + 1 < members; ++i) text += "\"k" + std::to_string(i) + "\": 0, ";
    EXPECT_THROW((void)parse_json(text + "\"k0\": 1}", "t"), Error) << members;
    EXPECT_EQ(parse_json(text + "\"z\": 1}", "t").as_object().size(), members);
  }
}

TEST(Json, MoreValuesThanATreeShouldHoldAreRefused) {
  std::string text = "[0";
  for (int i = 0; i < (1 << 23); ++i) text += ",0";
  try {
    (void)parse_json(text + "]", "zeros");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("more than 8388608 values"), std::string::npos);
  }
}

// A terminal takes U+009B for the beginning of an escape sequence.
TEST(Json, QuoteEscapesTheSecondSetOfControlsAndNothingBesideIt) {
  EXPECT_EQ(json_quote("\xc2\x9b"
                       "1m\xc2\xa0\xc3\x9b"),
            "\"\\u009b1m\xc2\xa0\xc3\x9b\"");
  EXPECT_EQ(parse_json(json_quote("\xc2\x9b"), "t").as_string(), "\xc2\x9b");
}

}  // namespace
}  // namespace assay
