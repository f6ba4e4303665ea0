// A small byte-level tokenizer file made by hand, for tests that need no real vocabulary.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "engine/tokenizer_split.h"

namespace assay::test {

/// The character that stands for a byte in files of byte-level BPE.
inline std::string byte_character(int byte) {
  int moved = 0x100;
  for (int b = 0; b <= byte; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
    if (b == byte) {
      std::string out;
      append_utf8(out, static_cast<char32_t>(printable ? b : moved));
      return out;
    }
    if (!printable) ++moved;
  }
  return "";
}

/// tokenizer.json with all bytes (ids 0 to 255), "ab" 256, "abc" 257, " a" 258 and the special
/// tokens of Llama 3 from 300 on: begin_of_text, start_header_id, end_header_id, eot_id.
inline Json small_tokenizer_json() {
  Json vocab{Json::Object{}};
  for (int byte = 0; byte < 256; ++byte) vocab.set(byte_character(byte), byte);
  vocab.set("ab", 256);
  vocab.set("abc", 257);
  vocab.set(
      "\xc4\xa0"
      "a",
      258);  // U+0120 stands for the blank
  Json added;
  int id = 300;
  for (const char* name :
       {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) {
    added.push_back(parse_json(R"({"id": )" + std::to_string(id++) + R"(, "content": ")" + name +
                                   R"(", "single_word": false, "lstrip": false, "rstrip": false,
                                   "normalized": false, "special": true})",
                               "added"));
  }
  Json json = parse_json(R"({"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
    "post_processor": {"type": "TemplateProcessing", "single": [
      {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}},
      {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": true,
      "vocab": {}, "merges": []}})",
                         "small");
  json.set("added_tokens", added);
  Json pre = json.at("pre_tokenizer");
  pre.as_object()[1].second.as_array()[0].as_object()[1].second.set(
      "Regex", std::string(engine::kLlama3Pattern));
  json.set("pre_tokenizer", pre);
  Json model = json.at("model");
  model.set("vocab", vocab);
  model.set("merges", parse_json(R"(["a b", ["ab", "c"], "\u0120 a"])", "merges"));
  json.set("model", model);
  return json;
}

}  // namespace assay::test
