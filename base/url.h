// Addresses of servers: "http://host:port/path" and "https://...", taken apart.
// Source: RFC 3986, the part of it that such addresses use.
#pragma once

#include <string>
#include <string_view>

namespace assay {

struct Url {
  bool tls = false;         // https
  std::string credentials;  // "user:password" before an @, as written; "" without
  std::string host;         // a name or an address; of an IPv6 address without brackets
  std::string port;         // decimal; the scheme's when none is written
  std::string target;       // path and query, at least "/"; a fragment is dropped

  /// "host", or "host:port" when the port is not the scheme's: as a Host header has it.
  [[nodiscard]] std::string authority() const;
  /// "https://host:port/path", without credentials and query: safe to print and store.
  [[nodiscard]] std::string shown() const;
};

/// Throws: Error(kInput) for anything but a plain http or https address of at most 4096 bytes.
Url parse_url(std::string_view text);

/// "localhost", 127.0.0.0/8 or ::1: what is sent there does not leave this machine.
bool is_loopback(std::string_view host);

}  // namespace assay
