#include "engine/ops/device_gemm.h"

#include "base/error.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr const char* kNames[] = {"exact", "mma", "wgmma", "cublaslt", "fast"};

}  // namespace

GemmKind find_gemm_kind(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<GemmKind>(i);
  }
  throw_input("unknown matrix product \"{}\"; known: exact, mma, wgmma, cublaslt, fast",
              escaped(name));
}

const char* gemm_kind_name(GemmKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::int64_t device_gemm_bytes(const DeviceGemmArgs& args) {
  const std::int64_t out = args.kind == GemmOut::kBf16 ? 2 : 4;
  const std::int64_t a = args.a_is_e4m3 ? 1 : 2;
  return args.w.bytes() + args.tokens * (args.w.inputs() * a + args.w.rows * out * args.parts);
}

std::int64_t device_gemm_flops(const DeviceGemmArgs& args) {
  return std::int64_t{2} * args.tokens * args.w.rows * args.w.shards * args.w.shard_used;
}

}  // namespace assay::engine
