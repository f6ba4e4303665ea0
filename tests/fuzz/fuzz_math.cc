// Any two texts as gold answer and prediction: comparing ends, is symmetric, repeatable and
// reflexive. The inputs are the first two lines.
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "evals/extract/math_equal.h"
#include "evals/extract/math_key.h"
#include "evals/extract/math_normal_forms.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"(\frac{1}{2}
0.5)",
      R"(1{,}000
1000)",
      R"(x^2+2x+1
(x+1)^2)",
      R"(\sqrt{3+2\sqrt{2}}
1+\sqrt2)",
      R"(2^{x+1}
2\cdot 2^x)",
      R"(\sin 2x
2\sin x\cos x)",
      R"(e^{i\pi}
-1)",
      R"(2\begin{pmatrix}1\\2\end{pmatrix}
\begin{bmatrix}2\\4\end{bmatrix})",
      R"((-\infty,2]\cup(3,\infty)
x\le 2 \text{ or } x>3)",
      R"(\{1,2,3\}
3,2,1)",
      R"(x=1\pm\sqrt{19}
1+\sqrt{19},1-\sqrt{19})",
      R"(\text{(A)}
A)",
      R"(10\text{ cm}^2
10 m)",
      R"(50\%
\$50)",
      R"(4:30
4:30 \text{ p.m.})",
      R"(204_5
204_{5})",
      R"(\log_2 8
\binom{3}{1})",
      R"(|3+4i|
5!)",
      R"(\arcsin\frac12
\frac{\pi}{6})",
      R"(99999!
(x+y+z+1)^{5000})",
      R"(2^{2^{2^{100}}}
1e999999999)",
      "\xff\xfe\n{{{{",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  const std::string gold = text.substr(0, end);
  const std::string rest = end == std::string::npos ? "" : text.substr(end + 1);
  const std::string answer = rest.substr(0, rest.find('\n'));
  const bool equal = evals::math_equal(gold, answer);
  ASSAY_CHECK(equal == evals::math_equal(answer, gold), gold + " | " + answer);
  ASSAY_CHECK(equal == evals::math_equal(gold, answer), gold + " | " + answer);
  ASSAY_CHECK(evals::math_equal(gold, gold) != trim_ascii(gold).empty(), gold);
  const std::string key = evals::math_key(gold);
  ASSAY_CHECK(key == evals::math_key(gold), gold);
  ASSAY_CHECK(key.empty() == trim_ascii(gold).empty(), gold);
  (void)evals::math_key(answer);
  (void)evals::hendrycks_normal_form(gold);
  (void)evals::minerva_normal_form(gold);
  return 0;
}
