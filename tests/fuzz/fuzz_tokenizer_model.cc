// Any text as tokenizer.model (ranks of base64), alone and behind the 256 bytes that every one has:
// a tokenizer that is accepted reads every text back as it was.
#include <string>

#include "engine/tokenizer_tiktoken.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

namespace {

std::string base64_of_byte(unsigned byte) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return {kDigits[byte >> 2], kDigits[(byte & 3U) << 4], '=', '='};
}

const std::string& all_bytes() {
  static const std::string kText = [] {
    std::string out;
    for (unsigned byte = 0; byte < 256; ++byte) {
      out += base64_of_byte(byte) + " " + std::to_string(byte) + "\n";
    }
    return out;
  }();
  return kText;
}

void check_tokenizer(const std::string& text) {
  const auto tokenizer =
      engine::read_tokenizer_model(text, "input", engine::SpecialNames::kLlama31);
  const std::string sample = "the abab  a\n\n b 1234 \xc3\xa9 <|eot_id|>";
  ASSAY_CHECK(tokenizer->decode(tokenizer->encode(sample, false)) == sample, text);
}

}  // namespace

std::vector<std::string> seeds() {
  return {"",
          "YWI= 256\nYWJhYg== 257\n",  // ab, abab
          "YWI= 256\n\nYWI= 257\n",
          "YWI= 300\n",
          "YWI 256",
          "YW=I 256",
          "==== 256",
          "YWI= 99999999999999999999",
          "\n\x0a\x03\xff\x00 model"};
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  fuzz::accepted([&] { fuzz::check_tokenizer(text); });
  fuzz::accepted([&] { fuzz::check_tokenizer(fuzz::all_bytes() + text); });
  return 0;
}
