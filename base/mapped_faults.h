// What happens when a mapped file is cut short by another process: reading beyond its new end
// raises SIGBUS, which names no file. Private to base/file.cc.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay {

/// From now on a fault in these bytes ends the process with exit code 2 and one line that names the
/// file, instead of a signal. The first call installs the handler. Any thread.
void watch_mapping(const void* data, std::size_t size, std::string_view path);
/// Before the mapping ends.
void forget_mapping(const void* data);

}  // namespace assay
