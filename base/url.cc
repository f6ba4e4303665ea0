#include "base/url.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxUrlBytes = 4096;
constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

/// "host:port", "host" or "[address]:port".
void split_authority(std::string_view authority, std::string_view whole, Url& url) {
  std::size_t end = authority.find(':');
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) throw_input("{}: is no plain address", escaped(whole));
    url.host = authority.substr(1, close - 1);
    end = close + 1 < authority.size() ? close + 1 : std::string_view::npos;
    if (end != std::string_view::npos && authority[end] != ':') {
      throw_input("{}: is no plain address", escaped(whole));
    }
  } else {
    url.host = authority.substr(0, end);
  }
  url.port = url.tls ? "443" : "80";
  if (end != std::string_view::npos) url.port = authority.substr(end + 1);
  const auto port = parse_int(url.port);
  if (url.host.empty() || !port || *port < 1 || *port > 65535) {
    throw_input("{}: has no usable host and port", escaped(whole));
  }
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

std::string Url::shown() const {
  return std::string(tls ? kHttps : kHttp) + authority() + target.substr(0, target.find('?'));
}

Url parse_url(std::string_view text) {
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f' && c != '\\'; };
  Url url;
  url.tls = text.starts_with(kHttps);
  if (!url.tls && !text.starts_with(kHttp)) {
    throw_input("{}: is no http or https address", escaped(text));
  }
  if (text.size() > kMaxUrlBytes || !std::all_of(text.begin(), text.end(), is_plain)) {
    throw_input("{}: is no plain address", escaped(text));
  }
  std::string_view rest = text.substr((url.tls ? kHttps : kHttp).size());
  rest = rest.substr(0, rest.find('#'));
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, path);
  url.target = rest.substr(path);
  if (!url.target.starts_with('/')) url.target = "/" + url.target;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.credentials = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  split_authority(authority, url.credentials.empty() ? text : "the address with credentials", url);
  return url;
}

bool is_loopback(std::string_view host) {
  if (host == "::1" || to_lower_ascii(host) == "localhost") return true;
  if (!host.starts_with("127.")) return false;
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

}  // namespace assay
