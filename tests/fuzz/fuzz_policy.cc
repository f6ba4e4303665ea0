// Any text as a file of gates: rules that are accepted are bounded, and read the same again.
#include <string>

#include "reports/gate.h"
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
  return 0;
}
