#include "engine/cuda/failure.h"

#include <fmt/format.h>

#include "base/text.h"

namespace assay::engine {
namespace {

struct Cause {
  int code;  // cudaError_t
  const char* advice;
};

constexpr Cause kCauses[] = {
    {2, "not enough GPU memory; a smaller --max-batch, --max-context or --kv fp8 needs less"},
    {35, "the NVIDIA driver is too old for CUDA 13; install driver 580 or newer"},
    {46, "the GPU is busy or in exclusive mode; free it or choose another device"},
    {98, "the kernel does not fit this GPU; report this with `assay doctor`"},
    {100, "no CUDA device is visible; check the driver and CUDA_VISIBLE_DEVICES"},
    {101, "no such device; `assay doctor` lists them"},
    {209, "this program has no code for this GPU; build with its architecture"},
    {214, "the GPU reports an uncorrectable memory error; it needs a reset"},
    {215, "a graph was replayed on another device"},
    {226, "the link between GPUs reports an error"},
    {700, "a kernel read or wrote a wrong address; the GPU's state is lost, start again"},
    {702, "a kernel ran too long and was stopped"},
    {710, "a kernel stopped at an assertion"},
    {715, "a kernel met an instruction that this GPU does not have"},
    {716, "a kernel used a misaligned address; the GPU's state is lost, start again"},
    {719, "a kernel failed; the GPU's state is lost, start again"},
    {721, "a kernel's cluster does not fit this GPU"},
    {802, "the system's GPUs are not ready (fabric manager)"},
    {803, "the driver and the CUDA libraries do not fit together"},
    {999, "the driver reports an unknown error; `dmesg` may say more"},
};

}  // namespace

std::string cuda_failure(int code, const std::string& name, const std::string& what) {
  for (const Cause& cause : kCauses) {
    if (cause.code == code) return fmt::format("CUDA: {}: {} ({})", what, cause.advice, name);
  }
  return fmt::format("CUDA: {}: {} (error {})", what, name, code);
}

std::string capability_problem(int capability, const std::string& architectures) {
  for (const std::string_view entry : split(architectures, ',')) {
    // "90a-real": code for exactly this capability; "89-real": also for later minor versions.
    const std::size_t end = entry.find_first_not_of("0123456789");
    const int built = std::stoi(std::string(entry.substr(0, end)));
    const bool exact = end != std::string_view::npos && entry[end] == 'a';
    if (capability == built) return "";
    if (!exact && capability > built && capability / 10 == built / 10) return "";
  }
  return fmt::format(
      "this GPU has compute capability {}.{}, the program was built for {}; build with "
      "-DCMAKE_CUDA_ARCHITECTURES={}-real",
      capability / 10, capability % 10, architectures, capability);
}

}  // namespace assay::engine
