// The first shape of the history. A migration is never edited once released: a later one changes the shape.

/**
 * `events` is the whole stream in the order of arrival; AUTOINCREMENT, because a report remembers the last seq it
 * told and a seq must never come twice, not even after old events are purged. `mentions` answers "what about this
 * address?" without reading the stream. At most one row of `blocks` per target is open (`lifted` is NULL);
 * its times are ISO 8601, UTC, to the millisecond, so that text sorts as time.
 */
export const BEGIN = `
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_type ON events (type, seq, bytes);

CREATE TABLE mentions (
  address TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
  PRIMARY KEY (address, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_event ON mentions (seq);

CREATE TABLE cursors (
  source TEXT PRIMARY KEY,
  json TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
  number INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  since TEXT NOT NULL,
  until TEXT NOT NULL,
  because TEXT NOT NULL,
  grade TEXT NOT NULL,
  finding_id TEXT NOT NULL,
  packets_stopped INTEGER NOT NULL,
  lifted TEXT,
  cause TEXT
) STRICT;
CREATE UNIQUE INDEX blocks_open ON blocks (target) WHERE lifted IS NULL;
CREATE INDEX blocks_open_until ON blocks (until) WHERE lifted IS NULL;
CREATE INDEX blocks_by_target ON blocks (target, since);

CREATE TABLE marks (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
