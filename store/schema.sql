-- The store, version 1. docs/STORE.md says why it looks like this.
PRAGMA application_id = 0x41535359;  -- 'ASSY': `file` and assay recognise the file

-- 1. Identity: addressed by content, written once, never updated. --------------------------------
CREATE TABLE model (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,               -- over all the fields below
  name TEXT NOT NULL,                        -- folder name, "dummy:..." or address
  digest TEXT NOT NULL,                      -- config, tokenizer, tensor headers and data
  tokenizer_digest TEXT NOT NULL,
  parameters INTEGER NOT NULL,               -- 0: unknown
  weight_bytes INTEGER NOT NULL,             -- 0: unknown
  detail TEXT NOT NULL
) STRICT;
CREATE TABLE build (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  version TEXT NOT NULL,                     -- of assay
  git_commit TEXT NOT NULL,
  compiler TEXT NOT NULL,
  flags TEXT NOT NULL
) STRICT;
CREATE TABLE machine (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  class TEXT NOT NULL,                       -- short key of comparability for speed: "cpu:AMD EPYC ..."
  host TEXT NOT NULL,
  os TEXT NOT NULL,
  cpu TEXT NOT NULL,
  cores INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  gpu TEXT NOT NULL,                         -- "" without one
  gpu_count INTEGER NOT NULL,
  driver TEXT NOT NULL,
  cuda TEXT NOT NULL,
  nccl TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE TABLE suite (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  definition TEXT NOT NULL
) STRICT;
CREATE TABLE task (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,                        -- "gsm8k"
  protocol TEXT NOT NULL,                    -- "assay", "lm-eval" ...
  protocol_version INTEGER NOT NULL,
  split TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  dataset_published INTEGER NOT NULL CHECK (dataset_published IN (0, 1)),
  prompts_digest TEXT NOT NULL,              -- of a file of others' wording; "" without one
  metrics TEXT NOT NULL,        -- [{name, kind, part, k, of}], headline first
  definition TEXT NOT NULL   -- sampling, shots: what else decides the result
) STRICT;
CREATE TABLE scorer (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,                        -- "gsm8k@assay"
  version TEXT NOT NULL,
  UNIQUE (name, version)
) STRICT;
CREATE TABLE item (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  key TEXT NOT NULL,                         -- "gsm8k/test/0"
  grp TEXT NOT NULL,                         -- subject, language, level; "" without groups
  category TEXT NOT NULL,                    -- group of groups
  cluster TEXT NOT NULL,                     -- items with one source share it; never ""
  question TEXT NOT NULL,
  target TEXT NOT NULL
) STRICT;
CREATE TABLE prompt (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  text TEXT NOT NULL,
  ids BLOB NOT NULL                          -- int32, little-endian
) STRICT;
CREATE TABLE metric_name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

-- 2. Runs ---------------------------------------------------------------------------------------
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,                 -- the run id that people type
  label TEXT NOT NULL,
  identity TEXT NOT NULL,                    -- the same command has the same identity
  inputs TEXT NOT NULL,          -- {what: digest}: must agree to resume
  suite_id INTEGER NOT NULL REFERENCES suite(id),
  model_id INTEGER NOT NULL REFERENCES model(id),
  build_id INTEGER NOT NULL REFERENCES build(id),
  machine_id INTEGER NOT NULL REFERENCES machine(id),
  setting TEXT NOT NULL,
  kv TEXT NOT NULL,
  device TEXT NOT NULL,
  arithmetic TEXT NOT NULL,
  engine TEXT NOT NULL,
  seed TEXT NOT NULL,                        -- decimal, unsigned 64 bits
  branch TEXT NOT NULL,                      -- of the work under test; "" unless told
  revision TEXT NOT NULL,
  sandbox TEXT NOT NULL,                     -- measured strength; "" if no code was run
  language_data TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'incomplete', 'interrupted', 'failed')),
  started_at TEXT NOT NULL,                  -- UTC, ISO 8601
  finished_at TEXT NOT NULL,                 -- "" while running
  energy_j REAL,                             -- null: not readable
  peak_memory_bytes INTEGER,
  notes TEXT NOT NULL
) STRICT;
CREATE INDEX run_identity ON run(identity);
CREATE TABLE attempt (                       -- every time the run was started or resumed
  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  machine_id INTEGER NOT NULL REFERENCES machine(id),
  pid INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  active_ns INTEGER NOT NULL,                -- updated with each commit, so a kill loses at most one
  status TEXT NOT NULL,
  PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE tag (                           -- the newest row of a name counts; older ones are its history
  name TEXT NOT NULL,
  number INTEGER NOT NULL,
  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  set_at TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (name, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE run_task (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  task_id INTEGER NOT NULL REFERENCES task(id),
  scorer_id INTEGER NOT NULL REFERENCES scorer(id),         -- whose scores count
  position INTEGER NOT NULL,
  items INTEGER NOT NULL,
  repeats INTEGER NOT NULL,
  UNIQUE (run_id, task_id),
  UNIQUE (run_id, position)
) STRICT;
CREATE TABLE generation (
  id INTEGER PRIMARY KEY,
  run_task_id INTEGER NOT NULL REFERENCES run_task(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,                 -- of the item in the task, from 0
  repeat INTEGER NOT NULL,
  item_id INTEGER NOT NULL REFERENCES item(id),
  prompt_id INTEGER NOT NULL REFERENCES prompt(id),
  attempts INTEGER NOT NULL,                 -- errors before it, plus one
  response_key BLOB NOT NULL CHECK (length(response_key) = 32),  -- digest of all that determines the response
  output_hash BLOB NOT NULL CHECK (length(output_hash) = 16),    -- equal hashes: equal tokens or log-probabilities
  finish_reason TEXT NOT NULL CHECK (finish_reason IN ('stop', 'eos', 'length', 'scored', 'error')),
  prompt_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  scheduled_ns INTEGER NOT NULL,             -- monotonic clock of its attempt
  sent_ns INTEGER NOT NULL,
  first_ns INTEGER NOT NULL,
  last_ns INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),              -- of the row, its item, prompt and text
  UNIQUE (run_task_id, position, repeat)
) STRICT;
CREATE INDEX generation_item ON generation(item_id);
CREATE INDEX generation_prompt ON generation(prompt_id);
CREATE TABLE generation_text (               -- apart, so that reports do not read it
  generation_id INTEGER PRIMARY KEY REFERENCES generation(id) ON DELETE CASCADE,
  output TEXT NOT NULL,
  ids BLOB NOT NULL,                         -- int32, little-endian
  choices TEXT NOT NULL,        -- [[log-probability, tokens, greedy]]
  error TEXT NOT NULL                        -- "" unless finish_reason is 'error'
) STRICT;
CREATE TABLE score (                         -- scoring again adds rows, it rewrites nothing
  generation_id INTEGER NOT NULL REFERENCES generation(id) ON DELETE CASCADE,
  scorer_id INTEGER NOT NULL REFERENCES scorer(id),
  verdict TEXT NOT NULL CHECK (verdict IN ('correct', 'incorrect', 'unscored')),
  value REAL NOT NULL CHECK (value BETWEEN 0 AND 1),
  answer TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (generation_id, scorer_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE score_part (                    -- what the score adds to each metric: value of count points
  generation_id INTEGER NOT NULL,
  scorer_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  metric_id INTEGER NOT NULL REFERENCES metric_name(id),
  value REAL NOT NULL,
  count REAL NOT NULL CHECK (count >= 0),
  PRIMARY KEY (generation_id, scorer_id, number),
  FOREIGN KEY (generation_id, scorer_id) REFERENCES score(generation_id, scorer_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- 3. Speed --------------------------------------------------------------------------------------
CREATE TABLE bench_case (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  name TEXT NOT NULL,                        -- "latency/isl:512/osl:128"
  kind TEXT NOT NULL,                        -- "latency", "throughput", "serve", "kernels"
  params TEXT NOT NULL,
  UNIQUE (run_id, name)
) STRICT;
CREATE TABLE bench_rep (
  id INTEGER PRIMARY KEY,
  case_id INTEGER NOT NULL REFERENCES bench_case(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  order_index INTEGER NOT NULL,              -- place in the interleaved schedule
  warmup INTEGER NOT NULL CHECK (warmup IN (0, 1)),
  started_at TEXT NOT NULL,
  duration_ns INTEGER NOT NULL,
  invalid_reason TEXT NOT NULL,              -- "" when valid
  detail TEXT NOT NULL,
  UNIQUE (case_id, number)
) STRICT;
CREATE TABLE bench_value (
  rep_id INTEGER NOT NULL REFERENCES bench_rep(id) ON DELETE CASCADE,
  metric TEXT NOT NULL,                      -- unit last: "ttft_ms_p50"
  value REAL NOT NULL,
  PRIMARY KEY (rep_id, metric)
) STRICT, WITHOUT ROWID;

-- 4. History of this file, and views for people ---------------------------------------------------
CREATE TABLE schema_history (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL, tool TEXT NOT NULL) STRICT;

CREATE VIEW v_run AS
  SELECT r.name AS run, r.label, s.name AS suite, m.name AS model, r.setting, r.kv, r.device, h.class AS machine,
         b.git_commit, r.seed, r.status, r.started_at,
         (SELECT round(sum(active_ns) / 1e9, 1) FROM attempt a WHERE a.run_id = r.id) AS active_s
  FROM run r JOIN suite s ON s.id = r.suite_id JOIN model m ON m.id = r.model_id JOIN build b ON b.id = r.build_id
  JOIN machine h ON h.id = r.machine_id;
CREATE VIEW v_sample AS
  SELECT r.name AS run, t.name AS task, i.key AS item, i.grp, g.repeat, s.verdict, s.value, s.answer, i.target, s.reason,
         x.output, x.error, g.finish_reason, g.output_tokens,
         round((g.first_ns - g.sent_ns) / 1e6, 1) AS first_token_ms, round((g.last_ns - g.sent_ns) / 1e6, 1) AS total_ms
  FROM generation g JOIN run_task rt ON rt.id = g.run_task_id JOIN run r ON r.id = rt.run_id JOIN task t ON t.id = rt.task_id
  JOIN item i ON i.id = g.item_id JOIN generation_text x ON x.generation_id = g.id
  LEFT JOIN score s ON s.generation_id = g.id AND s.scorer_id = rt.scorer_id;
CREATE VIEW v_accuracy AS                    -- plain share of correct samples; `assay report` computes the metrics
  SELECT r.name AS run, r.setting, t.name AS task, t.protocol, count(*) AS samples, sum(s.verdict = 'unscored') AS unscored,
         round(100.0 * avg(CASE s.verdict WHEN 'unscored' THEN NULL ELSE s.value END), 2) AS mean_percent
  FROM generation g JOIN run_task rt ON rt.id = g.run_task_id JOIN run r ON r.id = rt.run_id JOIN task t ON t.id = rt.task_id
  JOIN score s ON s.generation_id = g.id AND s.scorer_id = rt.scorer_id GROUP BY rt.id;
CREATE VIEW v_flip AS                        -- always filter: WHERE base = ... AND head = ...
  SELECT ra.name AS base, rb.name AS head, t.name AS task, i.key AS item, ga.repeat,
         iif(sa.value > sb.value, 'right to wrong', 'wrong to right') AS flip, sa.answer AS base_answer,
         sb.answer AS head_answer, i.target
  FROM run ra JOIN run_task a ON a.run_id = ra.id JOIN run_task b ON b.task_id = a.task_id AND b.id <> a.id
  JOIN run rb ON rb.id = b.run_id JOIN task t ON t.id = a.task_id JOIN generation ga ON ga.run_task_id = a.id
  JOIN generation gb ON gb.run_task_id = b.id AND gb.position = ga.position AND gb.repeat = ga.repeat AND gb.item_id = ga.item_id
  JOIN item i ON i.id = ga.item_id JOIN score sa ON sa.generation_id = ga.id AND sa.scorer_id = a.scorer_id
  JOIN score sb ON sb.generation_id = gb.id AND sb.scorer_id = b.scorer_id WHERE sa.value <> sb.value;
