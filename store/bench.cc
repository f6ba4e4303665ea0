// Measurements of speed.
#include "base/check.h"
#include "store/impl.h"

namespace assay::store {

namespace {

void insert_rep(Connection& connection, std::int64_t case_row, const BenchRepRecord& rep) {
  Query(connection, "INSERT INTO bench_rep VALUES (NULL,?,?,?,?,?,?,?,?)")
      .with(case_row, rep.number, rep.order_index, rep.warmup,
            rep.started_at.empty() ? utc_now() : rep.started_at, rep.duration_ns,
            rep.invalid_reason, rep.detail.dump())
      .run();
  const std::int64_t row = connection.last_row();
  for (const auto& [metric, value] : rep.values) {
    Query(connection, "INSERT INTO bench_value VALUES (?,?,?)").with(row, metric, value).run();
  }
}

}  // namespace

void Store::add_bench(std::int64_t run_row, std::span<const BenchCaseRecord> cases) {
  Connection& connection = impl_->connection;
  guarded(path(), [&] {
    WriteTransaction transaction(connection);
    for (const BenchCaseRecord& bench : cases) {
      Query(connection, "INSERT INTO bench_case VALUES (NULL,?,?,?,?)")
          .with(run_row, bench.name, bench.kind, bench.params.dump_canonical())
          .run();
      const std::int64_t row = connection.last_row();
      for (const BenchRepRecord& rep : bench.reps) insert_rep(connection, row, rep);
    }
    transaction.commit();
  });
}

std::vector<BenchCaseRecord> Store::load_bench(std::int64_t run_row) const {
  Connection& connection = impl_->connection;
  return guarded(path(), [&] {
    std::vector<BenchCaseRecord> out;
    Query row(connection,
              "SELECT id, name, kind, params FROM bench_case WHERE run_id=? ORDER BY id");
    row.with(run_row);
    while (row.step()) {
      BenchCaseRecord bench{row.text(1), row.text(2), parse_json(row.text(3), "store"), {}};
      Query reps(connection,
                 "SELECT id, number, order_index, warmup, started_at, duration_ns, "
                 "invalid_reason, detail FROM bench_rep WHERE case_id=? ORDER BY number");
      reps.with(row.integer(0));
      while (reps.step()) {
        BenchRepRecord rep{reps.integer(1),
                           reps.integer(2),
                           reps.integer(3) != 0,
                           reps.text(4),
                           reps.integer(5),
                           reps.text(6),
                           parse_json(reps.text(7), "store"),
                           {}};
        Query values(connection,
                     "SELECT metric, value FROM bench_value WHERE rep_id=? ORDER BY metric");
        values.with(reps.integer(0));
        while (values.step()) rep.values.emplace_back(values.text(0), values.real(1));
        bench.reps.push_back(std::move(rep));
      }
      out.push_back(std::move(bench));
    }
    return out;
  });
}

}  // namespace assay::store
