"""The tables of ``mission.sqlite``, as numbered steps; ``PRAGMA user_version`` says how many were taken.

A step that has been released is never edited: a change of the tables is a new step at the end.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # 1: events, queue, wishes, snapshot, checksums
    (
        """
        CREATE TABLE event (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            time_s REAL NOT NULL,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            body TEXT NOT NULL
        )""",
        """
        CREATE TABLE job (
            id TEXT PRIMARY KEY,
            stage TEXT NOT NULL,
            unit TEXT NOT NULL,
            key TEXT NOT NULL,
            state TEXT NOT NULL,
            hold TEXT,
            not_before_s REAL NOT NULL DEFAULT 0,
            attempt INTEGER NOT NULL DEFAULT 0,
            lease_owner TEXT,
            lease_until_s REAL NOT NULL DEFAULT 0,
            body TEXT NOT NULL
        )""",
        """
        CREATE TABLE control (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            time_s REAL NOT NULL,
            verb TEXT NOT NULL,
            subject TEXT NOT NULL,
            body TEXT NOT NULL,
            done_s REAL
        )""",
        "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, body TEXT NOT NULL)",
        """
        CREATE TABLE known_file (
            device TEXT NOT NULL,
            inode TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            checksum TEXT NOT NULL,
            PRIMARY KEY (device, inode)
        )""",
    ),
    # 2: the queue has an order of its own, and the event table defends itself
    (
        "ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX job_queue ON job(state, priority)",
        "CREATE INDEX event_subject ON event(subject)",
        """
        CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
        BEGIN SELECT RAISE(ABORT, 'the event table is append-only'); END""",
        """
        CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
        BEGIN SELECT RAISE(ABORT, 'the event table is append-only'); END""",
    ),
)
