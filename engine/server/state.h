// What all connections of a server share; of the server's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <set>
#include <vector>

#include "engine/server/metrics.h"
#include "engine/server/routes.h"
#include "engine/server/server.h"

namespace assay::engine {

class Connection;

struct ServerState {
  ServerState(Session& model, ServerOptions chosen, std::vector<PageRoute> pages)
      : session(model), options(std::move(chosen)), routes(session, options, std::move(pages)) {}

  Session& session;
  const ServerOptions options;
  const Routes routes;
  Metrics metrics;
  std::set<Connection*> connections;  // they remove themselves
  bool draining = false;
  boost::asio::io_context io{1};        // goes before what its coroutines refer to
  boost::asio::thread_pool workers{2};  // a slow page holds up no prompt
};

}  // namespace assay::engine
