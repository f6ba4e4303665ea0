// Any bytes as a response under every protocol of every benchmark: extraction is total and
// repeatable.
#include <string>

#include "base/check.h"
#include "evals/benchmark.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      "The answer is 18.\n#### 18",
      "The final answer is $1,800.50. So -5 or 1/2.",
      "The best answer is (B). Answer: C. \\boxed{\\text{D}}",
      "**Answer:** A\n\xe7\xad\x94\xe6\xa1\x88: 12,0",
      "so $\\boxed{\\frac{1}{2}}$. Final Answer: The final answer is $5$. I hope it is correct.",
      "\\boxed 5}\n\\fbox{{3}} \\boxed{\\boxed{4}",
      "```python\nimport math\n\ndef f(x):\n    return f'{x!r:>{10}}'\n```\ntext\n```\nx = 1\n```",
      "    if x:\n\treturn {**a, 'b': [*c]}\n~~~\n</think>lambda *a, b=1: (yield)",
      "match x:\n  case {'a': [1, *_]} | B(c=2) if d:\n    pass\n",
      "'''unclosed\n\"\\x1\" (((",
      "R\xc3\xa9ponse: 1.234\nRe\xcc\x81ponse : \xd9\xa3",
      "\xff\xfe\xed\xa0\x80",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  evals::Response response;
  response.text = std::string(reinterpret_cast<const char*>(data), size);
  for (const evals::Benchmark* benchmark : evals::all_benchmarks()) {
    for (const evals::Protocol& protocol : benchmark->protocols()) {
      const std::string what = std::string(benchmark->name()) + "@" + protocol.name;
      const evals::ScoreContext context{.protocol = &protocol, .answer_after = "", .sample_id = ""};
      const std::string answer = benchmark->extract(response, context);
      ASSAY_CHECK(answer == benchmark->extract(response, context), what);
    }
  }
  return 0;
}
