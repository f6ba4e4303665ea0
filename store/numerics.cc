// Numeric distance of runs from a reference setting.
#include "base/check.h"
#include "store/impl.h"

namespace assay::store {

void Store::add_numerics(std::int64_t run_row, const NumericsRecord& n) {
  Connection& connection = impl_->connection;
  guarded(path(), [&] {
    WriteTransaction transaction(connection);
    Query(connection, "DELETE FROM numerics WHERE run_id=? AND text_sha256=?")
        .with(run_row, n.text_sha256)
        .run();
    Query(connection, "INSERT INTO numerics VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
        .with(run_row, n.reference, n.text_sha256, n.text_name, n.window_tokens, n.tokens,
              n.kl_mean, n.kl_p50, n.kl_p90, n.kl_p99, n.kl_p999, n.kl_max, n.top1, n.perplexity,
              n.perplexity_reference)
        .run();
    const std::int64_t row = connection.last_row();
    for (std::size_t layer = 0; layer < n.layers.size(); ++layer) {
      Query(connection, "INSERT INTO numerics_layer VALUES (?,?,?,?)")
          .with(row, static_cast<std::int64_t>(layer), n.layers[layer].relative_error,
                n.layers[layer].snr_db)
          .run();
    }
    transaction.commit();
  });
}

std::vector<NumericsRecord> Store::load_numerics(std::int64_t run_row) const {
  Connection& connection = impl_->connection;
  return guarded(path(), [&] {
    std::vector<NumericsRecord> out;
    // A store that an earlier version wrote and that is only read has no such table.
    Query exists(connection, "SELECT count(*) FROM sqlite_master WHERE name='numerics'");
    if (!exists.step() || exists.integer(0) == 0) return out;
    Query row(connection,
              "SELECT id, reference, text_sha256, text_name, window_tokens, tokens, kl_mean, "
              "kl_p50, kl_p90, kl_p99, kl_p999, kl_max, top1, perplexity, perplexity_reference "
              "FROM numerics WHERE run_id=? ORDER BY id");
    row.with(run_row);
    while (row.step()) {
      NumericsRecord n;
      n.reference = row.text(1);
      n.text_sha256 = row.text(2);
      n.text_name = row.text(3);
      n.window_tokens = row.integer(4);
      n.tokens = row.integer(5);
      double* const figures[] = {&n.kl_mean, &n.kl_p50,     &n.kl_p90,
                                 &n.kl_p99,  &n.kl_p999,    &n.kl_max,
                                 &n.top1,    &n.perplexity, &n.perplexity_reference};
      int column = 6;
      for (double* figure : figures) *figure = row.real(column++);
      Query layers(connection,
                   "SELECT relative_error, snr_db FROM numerics_layer WHERE numerics_id=? ORDER BY "
                   "layer");
      layers.with(row.integer(0));
      while (layers.step()) n.layers.push_back({layers.real(0), layers.real(1)});
      out.push_back(std::move(n));
    }
    return out;
  });
}

}  // namespace assay::store
