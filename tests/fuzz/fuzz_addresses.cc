// Any text as the address of a server, and as the environment that a launcher of jobs sets: what is
// shown of an address has no credentials and means the same place.
#include <map>
#include <string>

#include "base/text.h"
#include "base/url.h"
#include "engine/parallel/launch.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "http://localhost:8000/v1?x=1#part",
      "https://user:word@[::1]:443/a@b",
      "https://host",
      "ASSAY_RANK=1\nASSAY_WORLD_SIZE=2\nASSAY_MASTER=[::1]:29500",
      "RANK=0\nWORLD_SIZE=4\nLOCAL_RANK=0\nMASTER_ADDR=a\nMASTER_PORT=65535\n"
      "TORCHELASTIC_USE_AGENT_STORE=True",
      "OMPI_COMM_WORLD_RANK=1\nOMPI_COMM_WORLD_SIZE=2\nPMIX_NAMESPACE=x",
      "SLURM_PROCID=1\nSLURM_NTASKS=2\nSLURM_JOB_NODELIST=gpu[007-009,12],login1\nSLURM_JOB_ID=5",
  };
}

namespace {

void check_url(const std::string& text) {
  const Url url = parse_url(text);
  ASSAY_CHECK(!url.host.empty() && url.target.starts_with('/'), text);
  const Url shown = parse_url(url.shown());
  ASSAY_CHECK(shown.host == url.host && shown.tls == url.tls, text);
  ASSAY_CHECK(parse_int(shown.port) == parse_int(url.port), text);
  ASSAY_CHECK(shown.credentials.empty(), text);
}

void check_launch(const std::string& text) {
  std::map<std::string, std::string> variables;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t end = std::min(line.find('='), line.size());
    variables.emplace(line.substr(0, end), line.substr(std::min(end + 1, line.size())));
  }
  const auto launch = engine::read_launch(
      [&](const char* name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      },
      "auto");
  if (!launch) return;
  ASSAY_CHECK(launch->size > 1 && launch->rank >= 0 && launch->rank < launch->size, text);
  ASSAY_CHECK(!launch->host.empty() && launch->port != 0, text);
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  fuzz::accepted([&] { fuzz::check_url(text); });
  fuzz::accepted([&] { fuzz::check_launch(text); });
  (void)engine::first_host(text);
  return 0;
}
