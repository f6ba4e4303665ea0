// Any text as tokenizer.json, and the four members that a small valid one gets from the input: a
// tokenizer that is accepted reads every text back as it was.
#include <string>

#include "engine/tokenizer_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/support/small_tokenizer.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})",
      R"({"merges":["a b","ab c"],"vocab":{"zz":400},"added_tokens":[]})",
      R"({"merges":[["a","b"],["a","b"]]})",
      R"({"merges":["a q"],"vocab":{"aq":400}})",
      R"({"vocab":{"x y":500}})",
      R"({"vocab":{"far":4194303}})",
      R"({"vocab":{"":310,"aa":-1}})",
      R"({"vocab":{"aa":310,"bb":310}})",
      R"({"added_tokens":[{"id":400,"content":"<x>","special":true},)"
      R"({"id":401,"content":"<x><y>","special":false}]})",
      R"({"added_tokens":[{"id":0,"content":""}]})",
      R"({"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"}]}})",
      R"({"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}]}})",
  };
}

namespace {

void check_tokenizer(const std::string& text) {
  const auto tokenizer = engine::read_tokenizer_json(text, "input");
  for (const std::string& sample :
       {std::string("the abc  a\n\n b 123456 don't \xc3\xa9\xf0\x9f\x98\x80 <x><y>"),
        text.substr(0, 200)}) {
    const std::string valid = replace_invalid_utf8(sample);
    const std::vector<engine::TokenId> ids = tokenizer->encode(valid, false);
    ASSAY_CHECK(tokenizer->decode(ids) == valid, valid);
    for (const engine::TokenId id : ids) ASSAY_CHECK(id < tokenizer->vocab_size(), "id");
  }
}

/// The small tokenizer with what the input says about its parts.
std::string changed_small(const Json& input) {
  Json small = test::small_tokenizer_json();
  for (const char* key : {"added_tokens", "post_processor"}) {
    if (const Json* value = input.find(key)) small.set(key, *value);
  }
  Json model = small.at("model");
  if (const Json* merges = input.find("merges")) model.set("merges", *merges);
  if (const Json* vocab = input.find("vocab"); vocab != nullptr && vocab->is_object()) {
    Json all = model.at("vocab");
    for (const auto& [token, id] : vocab->as_object()) all.set(token, id);
    model.set("vocab", all);
  }
  small.set("model", model);
  return small.dump();
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  fuzz::accepted([&] { fuzz::check_tokenizer(text); });
  fuzz::accepted([&] { fuzz::check_tokenizer(fuzz::changed_small(parse_json(text, "input"))); });
  return 0;
}
