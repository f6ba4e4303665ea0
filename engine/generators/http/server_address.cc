#include "engine/generators/http/server_address.h"

#include <cstdlib>
#include <initializer_list>

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"

namespace assay::engine {
namespace {

std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

constexpr std::size_t kHeadRoom = 512;

void append(std::string& out, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) out += part;
}

std::string base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, text.size() - i);
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < left ? static_cast<unsigned char>(text[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= left ? kDigits[(bits >> (18 - 6 * k)) & 63] : '=';
    }
  }
  return out;
}

}  // namespace

std::string proxy_authorization(const Url& proxy) {
  if (proxy.credentials.empty()) return "";
  return "Proxy-Authorization: Basic " + base64(proxy.credentials) + "\r\n";
}

std::string ServerAddress::head(std::string_view method, std::string_view path,
                                std::string_view accept) const {
  const std::string_view base =
      std::string_view(url.target).substr(0, url.target.find_last_not_of('/') + 1);
  // A proxy for plain http takes the whole address; through a tunnel nothing is different.
  const bool absolute = proxy && !url.tls;
  const std::string authority = url.authority();
  const std::string proxied = absolute ? proxy_authorization(*proxy) : "";
  std::string out;
  out.reserve(kHeadRoom + key.size());
  append(out, {method, " ", absolute ? "http://" : "", absolute ? authority : "", base, path,
               " HTTP/1.1\r\nHost: ", authority, "\r\n", proxied});
  if (!key.empty()) append(out, {"Authorization: Bearer ", key, "\r\n"});
  append(out, {"User-Agent: assay\r\nAccept: ", accept, "\r\nAccept-Encoding: identity\r\n"});
  return out;
}

std::string ServerAddress::request_text(const HttpCall& call) const {
  const std::string_view accept = call.stream ? "text/event-stream" : "application/json";
  if (call.body.empty()) return head("GET", call.path, accept) + "\r\n";
  std::string out = head("POST", call.path, accept);
  append(out, {"Content-Type: application/json\r\nContent-Length: ",
               std::to_string(call.body.size()), "\r\n\r\n", call.body});
  return out;
}

std::vector<Url> parse_addresses(std::string_view text) {
  std::vector<Url> out;
  for (const std::string_view part : split(text, ',')) {
    Url url = parse_url(trim_ascii(part));
    if (!url.credentials.empty()) {
      keep_secret(url.credentials);
      throw_input(
          "{}: credentials in an address would be stored with it; give the key in ASSAY_API_KEY or "
          "--api-key-file",
          escaped(url.shown()));
    }
    if (url.target.find('?') != std::string::npos) {
      throw_input("{}: an API's base address has no query", escaped(url.shown()));
    }
    out.push_back(std::move(url));
  }
  return out;
}

bool bypasses_proxy(std::string_view no_proxy, std::string_view host) {
  const std::string wanted = to_lower_ascii(host);
  for (const std::string_view part : split(no_proxy, ',')) {
    std::string entry = to_lower_ascii(trim_ascii(part));
    if (entry == "*") return true;
    if (entry.starts_with("*.")) entry.erase(0, 1);
    if (entry.starts_with('.')) entry.erase(0, 1);
    if (const std::size_t colon = entry.rfind(':');
        colon != std::string::npos && entry.find(':') == colon) {
      entry.erase(colon);  // a port, which is not looked at
    }
    if (entry.empty()) continue;
    if (wanted == entry || wanted.ends_with("." + entry)) return true;
  }
  return false;
}

std::optional<Url> proxy_for(const Url& url) {
  if (is_loopback(url.host)) return std::nullopt;
  if (bypasses_proxy(environment({"no_proxy", "NO_PROXY"}), url.host)) return std::nullopt;
  std::string text = url.tls ? environment({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                             : environment({"http_proxy", "all_proxy", "ALL_PROXY"});
  if (text.empty()) return std::nullopt;
  if (text.find("://") == std::string::npos) text = "http://" + text;
  Url proxy = parse_url(text);
  if (!proxy.credentials.empty()) keep_secret(proxy.credentials);
  if (proxy.tls) {
    throw_input("{}: a proxy that is itself reached by TLS is not supported; use its http address",
                escaped(proxy.shown()));
  }
  return proxy;
}

}  // namespace assay::engine
