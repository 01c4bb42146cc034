-- One grant of a token key. `record` is JSON that names its own version.
CREATE TABLE IF NOT EXISTS tower_oauth_records (
    name TEXT NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    record TEXT NOT NULL,
    -- Milliseconds since 1970, by the database's clock. Nothing reads it: it is there for whoever tidies up.
    changed_at INTEGER NOT NULL
);

-- Who alone may refresh the grant of a token key just now.
CREATE TABLE IF NOT EXISTS tower_oauth_leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    -- Milliseconds since 1970, by the database's clock.
    expires_at INTEGER NOT NULL
);
