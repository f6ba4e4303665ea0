#include "base/object_reader.h"

#include <gtest/gtest.h>

#include "tests/support/shared_data.h"

namespace assay {
namespace {

TEST(ObjectReader, UnknownKeyIsNamedWithPlaceAndSuggestion) {
  const JsonSource source{"s.jsonc", "{\n  \"limt\": 3\n}"};
  const Json json = parse_jsonc(source.text, source.name);
  const std::string message = test::error_message([&] {
    ObjectReader reader(json, source, "tasks[0]");
    (void)reader.integer("limit", 0, 0, 10);
    reader.finish();
  });
  EXPECT_EQ(message, "s.jsonc:2:11: tasks[0]: unknown key \"limt\" (did you mean \"limit\"?)");
}

TEST(ObjectReader, RangeAndTypeAreChecked) {
  const JsonSource source{"s", R"({"a": 11, "b": "x", "c": [1]})"};
  const Json json = parse_json(source.text, source.name);
  ObjectReader reader(json, source, "");
  EXPECT_EQ(test::error_message([&] { (void)reader.integer("a", 0, 0, 10); }),
            "s:1:7: a: must be an integer from 0 to 10");
  EXPECT_EQ(test::error_message([&] { (void)reader.boolean("b", false); }),
            "s:1:16: b: must be true or false");
  EXPECT_EQ(test::error_message([&] { (void)reader.strings("c"); }),
            "s:1:27: c: must hold strings only");
}

}  // namespace
}  // namespace assay
