// Downloads one file over HTTPS into a side file, going on where an earlier try stopped.
// Boost.Beast and OpenSSL sit behind this header.
// Safety: TLS 1.2 or newer; chain and host name are verified; redirects are followed to https only;
// no compression is asked for and an unasked one is refused; every wait and size has a limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "datasets/limits.h"

namespace assay::datasets {

/// Called after each piece with the bytes there are and the bytes there will be (0: not known).
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct HttpsOptions {
  std::string ca_file;                        // PEM with the trusted roots; "" for the system's
  std::uint64_t max_bytes = kMaxFileBytes;    // of the whole file
  int attempts = 6;                           // exchanges that failed in a way that may pass
  std::chrono::milliseconds first_wait{500};  // before the second attempt; doubles up to 30 s
  std::chrono::seconds timeout{30};           // for connecting, for a reply, between pieces
  Progress progress;                          // may be empty
};

/// Downloads `url` into `side_file`, complete and flushed when this returns. A side file that an
/// earlier call left is continued if the server says by a strong ETag that its file is the same
/// (kept in `side_file` + ".tag"), and else begun again.
/// Blocks; one call at a time per side file, which is locked meanwhile.
/// Throws: Error(kInput) for a URL that is not https or a file beyond `max_bytes`;
/// Error(kEnvironment) for a certificate that does not verify, a redirect to anything but https, a
/// status other than success, a full disk, or when the attempts are used up.
void download(const std::string& url, const std::filesystem::path& side_file,
              const HttpsOptions& options = {});

/// Removes the side file and its tag.
void discard_download(const std::filesystem::path& side_file);

}  // namespace assay::datasets
