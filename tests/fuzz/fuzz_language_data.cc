// Any text as the trained data of IFEval's language checks: what is accepted judges any text.
#include <string>

#include "base/text.h"
#include "evals/ifeval/language_data.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"de": {"n_words": [90, 90, 90], "freq": {"e": 9, "er": 2, "der": 3, " d": 4}},
          "en": {"n_words": [90, 90, 90], "freq": {"e": 8, "th": 3, "the": 3, " t": 4}}})",
      R"({"abbrev_types": ["mr", "e.g"], "sent_starters": ["the"],
          "collocations": [["##number##", "may"]], "ortho_context": {"the": 46, "sea": 64}})",
      R"({"en": {"n_words": [0, -1, 9223372036854775807], "freq": {"e": 9223372036854775807}}})",
      R"({"en": {"n_words": [1], "freq": {}}})",
      R"({"abbrev_types": [1], "ortho_context": {"x": -1}})",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  evals::LanguageData language;
  fuzz::accepted([&] { language.punkt = evals::parse_punkt_model(text, "punkt"); });
  fuzz::accepted([&] {
    language.profiles = evals::parse_language_profiles(text, evals::LanguageTables{}, "profiles");
  });
  (void)evals::sentences(&language, U"Mr. Smith saw it. The sea, e.g. at 5 p.m. May be.");
  return 0;
}
