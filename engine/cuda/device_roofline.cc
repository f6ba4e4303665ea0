// The GPU's bounds: copy bandwidth of its memory, rate of large matrix products.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/runtime.h"
#include "engine/roofline.h"

namespace assay::engine {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 30;  // beyond every cache
constexpr int kSize = 8192;                               // rows, inputs and tokens of the product
constexpr int kPasses = 5;
constexpr int kCalls = 10;

/// Seconds of one call in the best pass.
template <typename Call>
double best_seconds(Call call) {
  call();
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    Event begin;
    Event end;
    begin.record(nullptr);
    for (int i = 0; i < kCalls; ++i) call();
    end.record(nullptr);
    end.wait();
    const double seconds = static_cast<double>(end.since(begin)) / kCalls * 1e-3;
    best = pass == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

/// Values do not change the rate, but power draw does: all bytes are 0x38, which is 1 in E4M3.
double product_rate(const DeviceLimits& device, GemmKind kind, WeightType type) {
  const bool fp8 = type == WeightType::kE4m3;
  GemmRunner runner(kind, device);
  DeviceGemmArgs args;
  args.w.type = type;
  args.w.rows = kSize;
  args.w.shard_used = args.w.shard_k = kSize;
  const DeviceBuffer weights(static_cast<std::size_t>(args.w.bytes()), "weights");
  const DeviceBuffer inputs(static_cast<std::size_t>(args.w.bytes()), "inputs");
  const DeviceBuffer scales(kSize * sizeof(float), "scales");
  const DeviceBuffer out(std::size_t{kSize} * kSize * sizeof(std::uint16_t), "outputs");
  fill_bytes(nullptr, weights.as<void>(), 0x38, weights.size());
  fill_bytes(nullptr, inputs.as<void>(), 0x38, inputs.size());
  fill_bytes(nullptr, scales.as<void>(), 0x38, scales.size());
  args.w.data = weights.as<void>();
  args.w.row_scale = fp8 ? scales.as<float>() : nullptr;
  args.a = inputs.as<void>();
  args.a_scale = fp8 ? scales.as<float>() : nullptr;
  args.a_is_e4m3 = fp8;
  args.out = out.as<void>();
  args.ldo = args.tokens = args.a_rows = kSize;
  const double seconds = best_seconds([&] { runner.run(nullptr, args); });
  return static_cast<double>(device_gemm_flops(args)) / seconds;
}

/// The faster of the engine's kernel and the library's, where that is installed.
double best_product_rate(const DeviceLimits& device, WeightType type) {
  double rate = product_rate(device, default_gemm_kind(device), type);
  try {
    rate = std::max(rate, product_rate(device, GemmKind::kLibrary, type));
  } catch (const Error&) {
    // No library, or it has no such product: the engine's own kernel is the measure.
  }
  return rate;
}

}  // namespace

Roofline measure_gpu_roofline() {
  const DeviceLimits device = use_device(0);
  Roofline out{.device = device.name};
  {
    const DeviceBuffer from(kCopyBytes, "the copy's source");
    const DeviceBuffer to(kCopyBytes, "the copy's target");
    fill_bytes(nullptr, from.as<void>(), 1, kCopyBytes);
    const double seconds =
        best_seconds([&] { copy_on_device(nullptr, to.as<void>(), from.as<void>(), kCopyBytes); });
    out.copy_bytes_per_s = 2 * static_cast<double>(kCopyBytes) / seconds;
  }
  out.bf16_flops_per_s = best_product_rate(device, WeightType::kBf16);
  out.fp8_flops_per_s = best_product_rate(device, WeightType::kE4m3);
  return out;
}

}  // namespace assay::engine
