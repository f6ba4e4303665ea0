// What both ends of HTTP here must know of Beast's parser.
#pragma once

#include <cstddef>

namespace assay::engine {

/// Bytes of an empty last chunk, "0 CR LF CR LF". Beast up to 1.81 asserts that it is called with
/// as many once it has seen such a chunk's first line: what it left over is kept back until then.
inline constexpr std::size_t kLeastChunkBytes = 5;

}  // namespace assay::engine
