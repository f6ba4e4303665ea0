#include "engine/server/http.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"

namespace assay::engine {
namespace {

struct Status {
  int code;
  std::string_view text;
};

constexpr std::array kStatuses{
    Status{200, "OK"},
    Status{400, "Bad Request"},
    Status{401, "Unauthorized"},
    Status{403, "Forbidden"},
    Status{404, "Not Found"},
    Status{405, "Method Not Allowed"},
    Status{408, "Request Timeout"},
    Status{411, "Length Required"},
    Status{413, "Content Too Large"},
    Status{414, "URI Too Long"},
    Status{415, "Unsupported Media Type"},
    Status{417, "Expectation Failed"},
    Status{421, "Misdirected Request"},
    Status{429, "Too Many Requests"},
    Status{431, "Request Header Fields Too Large"},
    Status{500, "Internal Server Error"},
    Status{501, "Not Implemented"},
    Status{503, "Service Unavailable"},
    Status{505, "HTTP Version Not Supported"},
};

std::string_view error_type(int status) {
  if (status == 401 || status == 403) return "authentication_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

std::string error_json(const ApiError& error) {
  Json inner;
  // A message may quote what was sent.
  inner.set("message", escaped(error.what(), 1000));
  inner.set("type", error_type(error.status));
  inner.set("param", text_or_null(error.param));
  inner.set("code", text_or_null(error.code));
  Json out;
  out.set("error", std::move(inner));
  return out.dump();
}

HttpReply error_reply(const ApiError& error) {
  HttpReply reply{.status = error.status, .body = error_json(error), .headers = error.headers};
  if (error.retry_after_s > 0) {
    reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  }
  return reply;
}

std::string_view status_text(int status) {
  const auto* const found = std::find_if(kStatuses.begin(), kStatuses.end(),
                                         [&](const Status& s) { return s.code == status; });
  return found == kStatuses.end() ? "Unknown" : found->text;
}

}  // namespace assay::engine
