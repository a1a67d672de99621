BEGIN TRANSACTION;
CREATE TABLE "builds" (
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
        started_at TEXT NOT NULL,
        seconds REAL,
        rows INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        process TEXT NOT NULL DEFAULT ''
    );
INSERT INTO "builds" VALUES(1,'377a0cd7f0f8','done','2026-11-29T09:22:20.982188+00:00',1.95173714600241510197e+00,17,'','22415-e55354f7');
CREATE TABLE "pulls" (
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
INSERT INTO "pulls" VALUES(1,'shop','done','2026-11-29T09:22:19.344739+00:00',3.60269279000931419432e-01,3,0,'',0,'[]','22378-92fa79bf');
CREATE TABLE "run_sections" (
        run TEXT NOT NULL REFERENCES "runs" (id),
        position INTEGER NOT NULL,
        section TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed', 'interrupted')),
        seconds REAL,
        error TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, section)
    );
CREATE TABLE "runs" (
        id TEXT PRIMARY KEY,
        report TEXT NOT NULL,
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
    , pulls TEXT NOT NULL DEFAULT '[]');
CREATE INDEX runs_by_start ON runs (started_at);
COMMIT;
PRAGMA user_version = 4;
