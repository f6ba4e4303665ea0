// What any load generator must do, and nothing else: one timer, one send and one receive a request,
// on sockets that are kept. The cost of the kernel's part, to hold the generator's own against.
#pragma once

#include <cstdint>

namespace assay::suites {

/// Poisson arrivals to a stream server on 127.0.0.1 that answers one token a request. Returns the
/// requests that were sent. Throws: std::system_error.
std::int64_t send_bare(int port, double per_second, double seconds);

}  // namespace assay::suites
