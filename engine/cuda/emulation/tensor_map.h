// What an emulated tensor map holds (engine/cuda/runtime.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay::engine::emulation {

struct TiledMatrix {
  const std::byte* base = nullptr;
  std::int64_t rows = 0;
  std::int64_t row_bytes = 0;
  std::int64_t box_rows = 0;
};

}  // namespace assay::engine::emulation
