// How servers are talked to. Every wait and size has an end; the defaults suit a busy server.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace assay::engine {

struct HttpOptions {
  using Milliseconds = std::chrono::milliseconds;

  std::string api_key_file;      // "": the key is taken from ASSAY_API_KEY, else OPENAI_API_KEY
  std::string ca_file;           // PEM with trusted roots; "": the system's, or SSL_CERT_FILE
  bool insecure = false;         // certificates are not checked
  bool key_without_tls = false;  // the key may go over plain http to other machines
  bool stream = true;            // texts are asked for as event streams

  std::int64_t attempts = 8;              // of one request, before it fails
  Milliseconds connect{10'000};           // resolving, connecting, TLS
  Milliseconds first_byte{600'000};       // from a request's end to its answer's first byte
  Milliseconds silence{120'000};          // between two pieces of an answer, or of sending
  Milliseconds request_base{300'000};     // a whole attempt: this, and
  Milliseconds request_per_token{2'000};  // this for each token that may be generated
  Milliseconds sample{7'200'000};         // a request with all its attempts

  Milliseconds first_wait{500};         // before the second attempt; doubles, with jitter
  Milliseconds longest_wait{60'000};    // of our own choice
  Milliseconds longest_told{120'000};   // a longer Retry-After ends the request
  Milliseconds health_interval{5'000};  // between two looks at a server that is down
  Milliseconds all_down{120'000};       // no server for so long: the model is lost
  Milliseconds budget_window{60'000};   // repeats are at most a fifth of the requests in it
  std::int64_t budget_floor = 10;       // and this many
};

}  // namespace assay::engine
