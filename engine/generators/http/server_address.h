// Where a server is and how one gets there: its address, a proxy before it, TLS.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/url.h"
#include "engine/generators/http/call.h"

namespace assay::engine {

struct ServerAddress {
  Url url;                   // of the API's base: ".../v1"
  std::optional<Url> proxy;  // from the environment
  std::string key;           // sent as a bearer token; "" for none. Never printed or stored.

  /// As it is stored and printed: no credentials, no query.
  [[nodiscard]] std::string name() const { return url.shown(); }
  /// A call as it is sent, head and body.
  [[nodiscard]] std::string request_text(const HttpCall& call) const;
  /// The head of a request up to its length, which is appended: "POST /v1" + path and the headers
  /// that are always the same.
  [[nodiscard]] std::string head(std::string_view method, std::string_view path,
                                 std::string_view accept) const;
};

/// The comma-separated addresses of --model, each an http(s) address without credentials or query.
/// Throws: Error(kInput).
std::vector<Url> parse_addresses(std::string_view text);

/// The proxy for `url` by http_proxy, https_proxy, all_proxy and no_proxy (lower case wins over
/// upper; HTTP_PROXY is not read, since a CGI caller sets it). Loopback is never proxied.
/// Throws: Error(kInput) for a proxy that is no http address.
std::optional<Url> proxy_for(const Url& url);

/// "Proxy-Authorization: ..." with its line end, or "".
std::string proxy_authorization(const Url& proxy);

/// Whether the entries of a no_proxy list take in `host`: "*", names with everything below them.
bool bypasses_proxy(std::string_view no_proxy, std::string_view host);

}  // namespace assay::engine
