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
    # What runs by the clock: each slot from the moment it is due, and each delivery with its attempts.
    """
    CREATE TABLE schedules (
        report TEXT NOT NULL,
        schedule TEXT NOT NULL,
        seen_until TEXT NOT NULL,
        failures INTEGER NOT NULL DEFAULT 0,
        paused TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (report, schedule)
    );
    CREATE TABLE slots (
        id INTEGER PRIMARY KEY,
        report TEXT NOT NULL,
        schedule TEXT NOT NULL,
        at TEXT NOT NULL,
        due_at TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('due', 'running', 'waiting', 'done', 'failed', 'skipped')),
        reason TEXT NOT NULL DEFAULT '',
        waited_for TEXT NOT NULL DEFAULT '[]',
        gaps TEXT NOT NULL DEFAULT '[]',
        next_at TEXT,
        ended_at TEXT,
        process TEXT NOT NULL DEFAULT '',
        UNIQUE (report, schedule, at)
    );
    CREATE TABLE slot_runs (
        slot INTEGER NOT NULL REFERENCES slots (id),
        binding TEXT NOT NULL,
        run TEXT NOT NULL,
        folder TEXT NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (slot, binding)
    );
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        slot INTEGER REFERENCES slots (id),
        audience TEXT NOT NULL,
        channel TEXT NOT NULL DEFAULT '',
        recipient TEXT NOT NULL DEFAULT '',
        binding TEXT NOT NULL DEFAULT '',
        content TEXT NOT NULL DEFAULT '{}',
        state TEXT NOT NULL CHECK (
            state IN ('due', 'expanded', 'sending', 'waiting', 'delivered', 'skipped', 'failed', 'unknown')
        ),
        due_at TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        waited_for TEXT NOT NULL DEFAULT '[]',
        gaps TEXT NOT NULL DEFAULT '[]',
        late_seconds REAL,
        next_at TEXT,
        ended_at TEXT,
        process TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX deliveries_by_slot ON deliveries (slot);
    CREATE INDEX deliveries_open ON deliveries (state);
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        delivery INTEGER NOT NULL REFERENCES deliveries (id),
        started_at TEXT NOT NULL,
        offered_at TEXT,
        ended_at TEXT,
        outcome TEXT NOT NULL DEFAULT '',
        code INTEGER,
        answer TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX attempts_by_delivery ON attempts (delivery);
    CREATE TABLE streaks (
        name TEXT PRIMARY KEY,
        since TEXT NOT NULL,
        failures INTEGER NOT NULL
    );
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
