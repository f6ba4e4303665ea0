// Any bytes where the program reads what came out of a sandbox: fields, a framed verdict, a result.
// What is read back is what was written, and nothing is longer than it says. The Python side of the
// same replies, which a hostile program writes itself, is fuzzed by evals/sandbox/codec_test.py.
#include <string>

#include "base/check.h"
#include "evals/sandbox/job.h"
#include "evals/sandbox/wire.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  const evals::SandboxResult passed{evals::SandboxOutcome::kPassed, "", 0.03, 0.05, 1};
  const evals::SandboxResult failed{evals::SandboxOutcome::kFailed, "ValueError: \xff", 1, 2, 2};
  const evals::SandboxProgram program{"def f(x): ...", "", "def check(c): ...", "f", 3};
  return {"",
          evals::frame_message("P"),
          evals::frame_message("WAssertionError"),
          evals::pack_result(passed),
          evals::frame_message(evals::pack_result(failed)),
          evals::pack_program(program),
          evals::pack_fields({"0", "2", ""}),
          std::string("\xff\xff\xff\x7fP", 5),
          std::string("\x02\0\0\0P", 5)};
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (const auto fields = evals::unpack_fields(bytes)) {
    ASSAY_CHECK(evals::pack_fields({fields->begin(), fields->end()}) == bytes, "fields");
  }
  bool oversized = false;
  if (const auto body = evals::take_message(bytes, 4096, oversized)) {
    ASSAY_CHECK(body->size() <= 4096 && !oversized, "limit");
    ASSAY_CHECK(bytes.rfind(evals::frame_message(*body), 0) == 0, "frame");
  }
  if (const auto result = evals::unpack_result(bytes)) {
    const auto again = evals::unpack_result(evals::pack_result(*result));
    ASSAY_CHECK(again && again->outcome == result->outcome && again->detail == result->detail &&
                    again->runs == result->runs,
                "result");
  }
  if (const auto program = evals::unpack_program(bytes)) {
    ASSAY_CHECK(program->wall_seconds > 0 && program->wall_seconds <= 3600, "seconds");
    const auto again = evals::unpack_program(evals::pack_program(*program));
    ASSAY_CHECK(!again || again->source == program->source, "program");
  }
  return 0;
}
