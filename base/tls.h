// How every TLS client of the project checks its peer; OpenSSL's types are only named here.
#pragma once

#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace assay {

/// TLS 1.2 or newer, peers verified against the PEM file `ca_file`, or ("") against the system's
/// roots, which SSL_CERT_FILE and SSL_CERT_DIR replace. Throws: Error(kInput) for an unusable file.
void verify_peers(ssl_ctx_st* context, const std::string& ca_file);

/// The peer must prove to be `host`: an address is checked as one; a name is also sent to it.
/// Throws: Error(kInput) when it is neither.
void expect_host(ssl_st* connection, const std::string& host);

/// After a failed handshake: why the peer's certificate does not verify, or "" when that was not
/// the reason.
std::string verify_failure(ssl_st* connection);

}  // namespace assay
