// Work that would hold up the server's thread, on its second one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

#include "engine/server/state.h"

namespace assay::engine {

/// Runs `work` there and gives its result or exception here. What it refers to must live until
/// then.
template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> on_worker(ServerState& state, Work work) {
  using Result = std::invoke_result_t<Work>;
  auto run = [](Work inner) -> boost::asio::awaitable<Result> { co_return inner(); };
  co_return co_await boost::asio::co_spawn(state.workers, run(std::move(work)),
                                           boost::asio::use_awaitable);
}

}  // namespace assay::engine
