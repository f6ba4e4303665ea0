-- Version 2: how a server came to answer.
CREATE TABLE served (
  generation_id INTEGER PRIMARY KEY REFERENCES generation(id) ON DELETE CASCADE,
  endpoint TEXT NOT NULL,                    -- address, without credentials
  model TEXT NOT NULL,                       -- as the server names it
  fingerprint TEXT NOT NULL,                 -- its "system_fingerprint"
  attempts INTEGER NOT NULL,                 -- of this time; generation.attempts counts all
  waited_ns INTEGER NOT NULL,                -- between them
  faults TEXT NOT NULL                       -- [reason] of those that failed
) STRICT;
