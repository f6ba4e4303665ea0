-- Version 3: how far a run's numbers are from those of a reference setting on one text.
CREATE TABLE numerics (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  reference TEXT NOT NULL,                   -- setting compared with: "bf16"
  text_sha256 TEXT NOT NULL,                 -- equal digests, tokens and windows can be compared
  text_name TEXT NOT NULL,
  window_tokens INTEGER NOT NULL CHECK (window_tokens > 0),
  tokens INTEGER NOT NULL CHECK (tokens > 0), -- positions compared
  kl_mean REAL NOT NULL,                     -- of the reference from the setting, nats a token
  kl_p50 REAL NOT NULL,
  kl_p90 REAL NOT NULL,
  kl_p99 REAL NOT NULL,
  kl_p999 REAL NOT NULL,
  kl_max REAL NOT NULL,
  top1 REAL NOT NULL CHECK (top1 BETWEEN 0 AND 1),  -- share with the reference's best token
  perplexity REAL NOT NULL,
  perplexity_reference REAL NOT NULL,
  UNIQUE (run_id, text_sha256)
) STRICT;
CREATE TABLE numerics_layer (
  numerics_id INTEGER NOT NULL REFERENCES numerics(id) ON DELETE CASCADE,
  layer INTEGER NOT NULL CHECK (layer >= 0),
  relative_error REAL NOT NULL CHECK (relative_error >= 0),  -- of the residual stream after it
  snr_db REAL NOT NULL,                      -- 0 when there is no error
  PRIMARY KEY (numerics_id, layer)
) STRICT, WITHOUT ROWID;
CREATE VIEW v_numerics AS
  SELECT r.name AS run, r.setting, r.kv, n.reference, n.text_name, n.tokens, n.kl_mean, n.kl_p99, n.kl_max, n.top1,
         n.perplexity, n.perplexity_reference
  FROM numerics n JOIN run r ON r.id = n.run_id ORDER BY n.kl_mean;
