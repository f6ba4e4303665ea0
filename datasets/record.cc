#include "datasets/record.h"

#include <fmt/format.h>

namespace assay::datasets {

std::string Record::place() const { return line > 0 ? fmt::format("{}:{}", file, line) : file; }

}  // namespace assay::datasets
