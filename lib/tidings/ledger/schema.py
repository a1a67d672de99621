"""The migrations of the ledger's tables."""

from __future__ import annotations

# One script per schema version, applied in order; PRAGMA user_version counts those applied. Scripts are never edited.
MIGRATIONS = (
    """
    CREATE TABLE pulls (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE builds (
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        schedule TEXT NOT NULL,
        slot TEXT NOT NULL,
        as_of TEXT NOT NULL,
        parameters TEXT NOT NULL,
        build TEXT NOT NULL,
        version TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed')),
        started_at TEXT NOT NULL,
        seconds REAL,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE run_sections (
        run TEXT NOT NULL REFERENCES runs (id),
        position INTEGER NOT NULL,
        section TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed')),
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, section)
    );
    CREATE INDEX runs_by_start ON runs (started_at);
    """,
    """
    ALTER TABLE pulls ADD COLUMN restated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pulls ADD COLUMN messages TEXT NOT NULL DEFAULT '[]';
    """,
    # SQLite cannot change a column's constraint: each table is recreated with `interrupted`, and with its process.
    """
    CREATE TABLE pulls_3 (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        restated INTEGER NOT NULL DEFAULT 0,
        messages TEXT NOT NULL DEFAULT '[]',
        process TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO pulls_3 SELECT *, '' FROM pulls;
    DROP TABLE pulls;
    ALTER TABLE pulls_3 RENAME TO pulls;
    CREATE TABLE builds_3 (
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        process TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO builds_3 SELECT *, '' FROM builds;
    DROP TABLE builds;
    ALTER TABLE builds_3 RENAME TO builds;
    CREATE TABLE runs_3 (
        id TEXT PRIMARY KEY,
        schedule TEXT NOT NULL,
        slot TEXT NOT NULL,
        as_of TEXT NOT NULL,
        parameters TEXT NOT NULL,
        build TEXT NOT NULL,
        version TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'partly', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        process TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO runs_3 SELECT *, '' FROM runs;
    CREATE TABLE run_sections_3 (
        run TEXT NOT NULL REFERENCES runs_3 (id),
        position INTEGER NOT NULL,
        section TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed', 'interrupted')),
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, section)
    );
    INSERT INTO run_sections_3 SELECT * FROM run_sections;
    DROP TABLE run_sections;
    DROP TABLE runs;
    ALTER TABLE runs_3 RENAME TO runs;
    ALTER TABLE run_sections_3 RENAME TO run_sections;
    CREATE INDEX runs_by_start ON runs (started_at);
    """,
    # A file in schedules/ is a report; when and for whom it is run are parts of it.
    """
    ALTER TABLE runs RENAME COLUMN schedule TO report;
    ALTER TABLE runs ADD COLUMN pulls TEXT NOT NULL DEFAULT '[]';
    """,
    # Alerts are events that are only added, so that a run can say up to which of them it knew.
    """
    CREATE TABLE alert_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rule TEXT NOT NULL,
        about TEXT NOT NULL CHECK (about IN ('figure', 'computing')),
        kind TEXT NOT NULL CHECK (kind IN ('looked', 'opened', 'worsened', 'acknowledged', 'muted', 'resolved')),
        at TEXT NOT NULL,
        day TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        value TEXT,
        sign INTEGER NOT NULL,
        said TEXT NOT NULL,
        runbook TEXT NOT NULL,
        tell TEXT NOT NULL,
        metrics TEXT NOT NULL,
        metric TEXT NOT NULL,
        "by" TEXT NOT NULL,
        until TEXT,
        quiet INTEGER NOT NULL,
        most_per_day INTEGER NOT NULL
    );
    CREATE INDEX alert_events_by_rule ON alert_events (rule, id);
    CREATE TABLE alert_notices (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rule TEXT NOT NULL,
        first INTEGER NOT NULL REFERENCES alert_events (id),
        last INTEGER NOT NULL REFERENCES alert_events (id),
        made_at TEXT NOT NULL,
        told_at TEXT
    );
    ALTER TABLE runs ADD COLUMN alerts_until INTEGER NOT NULL DEFAULT 0;
    """,
)
