// Any text as a file of gates: rules that are accepted are bounded. And as a file of published
// scores: each is a share with a source.
#include <string>

#include "reports/gate.h"
#include "reports/published.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"([{"metric": "accuracy", "test": "non_inferiority", "margin": 0.01, "alpha": 0.05}])",
      R"([{"task": "gsm8k", "metric": "accuracy", "min": 0.5}, {"max_drop": 2}])",
      R"({"rules": []})",
      R"([{"metric": "accuracy", "alpha": 2, "margin": -1}])",
      R"({"scores": [{"model": "m", "setting": "bf16", "task": "t", "metric": "accuracy",
          "value": 0.5, "protocol": "p", "source": "s"}]})",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const JsonSource source{"policy", text};
    const reports::GatePolicy policy = reports::parse_policy(parse_jsonc(text, "policy"), source);
    const double alpha = reports::comparison_alpha(policy);
    ASSAY_CHECK(alpha > 0 && alpha < 1, text);
  });
  fuzz::accepted([&] {
    for (const reports::PublishedScore& score : reports::parse_published(text, "published")) {
      ASSAY_CHECK(score.value >= 0 && score.value <= 1, text);
    }
  });
  return 0;
}
