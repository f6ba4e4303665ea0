// Any bytes as JSON, plain and with comments: what is read can be written and read again to the
// same value, in every form, and comments change nothing.
#include <string>

#include "base/json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"a": [1, -2.5e3, "x\u00e9\n", null, true, {}], "b": {"c": 9223372036854775807}})",
      R"([0.1, 1e308, 123456789012345678901234567890, -0, -0.0, 1E-400])",
      "// line\n{\"a\": 1, /* block\n */ \"b\": [1, 2,],}\n",
      R"(["//no comment", "/* nor this */", "\"\\"])",
      R"({"a": 1, "a": 2})",
      "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
      "\xef\xbb\xbf{}",
      "\"\\ud83d\\ude00 \\ud800\"",
      "\"\xff\xfe\"",
      "/*",
      "{\"a\":NaN}",
  };
}

namespace {

void check_value(const Json& value) {
  for (const std::string& text : {value.dump(), value.dump_pretty(), value.dump_canonical()}) {
    const Json again = parse_json(text, "again");
    ASSAY_CHECK(again.dump_canonical() == value.dump_canonical(), text);
  }
  ASSAY_CHECK(parse_jsonc(value.dump_pretty(), "again") == parse_json(value.dump(), "again"),
              value.dump());
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  const bool plain = fuzz::accepted([&] { fuzz::check_value(parse_json(text, "input")); });
  const bool commented = fuzz::accepted([&] {
    const Json value = parse_jsonc(text, "input");
    fuzz::check_value(value);
    if (plain) ASSAY_CHECK(value == parse_json(text, "input"), text);
  });
  ASSAY_CHECK(commented || !plain, text);
  return 0;
}
