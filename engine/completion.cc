#include "engine/completion.h"

namespace assay::engine {

const char* finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kEos:
      return "eos";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kScored:
      return "scored";
    case FinishReason::kError:
      break;
  }
  return "error";
}

}  // namespace assay::engine
