#include "engine/cuda/library_scaling.h"

namespace assay::engine {
namespace {

constexpr int kBlockTokens = 8;

int padded_tokens(const DeviceGemmArgs& args) {
  return (args.tokens + kBlockTokens - 1) / kBlockTokens * kBlockTokens;
}

/// Rows that the padding adds are read and written: the buffers must have them.
bool takes_blocks(const DeviceGemmArgs& args) {
  return args.w.group_scale != nullptr && args.w.grouped_input() && args.a_is_e4m3 &&
         args.w.type == WeightType::kE4m3 && args.w.shards == 1 && args.w.bias == nullptr &&
         args.a_rows % kBlockTokens == 0 && padded_tokens(args) <= args.a_rows;
}

}  // namespace

bool is_plain_product(const DeviceMatrix& w, bool a_is_e4m3) {
  return a_is_e4m3 == (w.type == WeightType::kE4m3) && w.group_scale == nullptr &&
         !is_int8(w.activations);
}

std::vector<Scaling> library_scalings(const DeviceGemmArgs& args, int capability) {
  // Scales of rows and of blocks are Hopper's alone.
  const bool hopper = capability == 90;
  if (!is_plain_product(args.w, args.a_is_e4m3)) {
    return hopper && takes_blocks(args) ? std::vector{Scaling::kBlocks} : std::vector<Scaling>{};
  }
  const bool bare =
      args.a_scale == nullptr && (args.w.row_scale == nullptr || args.kind == GemmOut::kParts);
  const bool biased = args.w.bias != nullptr && args.kind != GemmOut::kParts;
  if (bare && !biased) return {Scaling::kNone};
  std::vector<Scaling> out;
  if (hopper && args.a_is_e4m3 && args.a_scale != nullptr && args.w.shards == 1 && !biased) {
    out.push_back(Scaling::kRowwise);
  }
  out.push_back(Scaling::kKernel);
  return out;
}

int library_tokens(const DeviceGemmArgs& args, Scaling scaling) {
  return scaling == Scaling::kBlocks ? padded_tokens(args) : args.tokens;
}

}  // namespace assay::engine
