-- One grant of a token key. `record` is JSON that names its own version.
CREATE TABLE IF NOT EXISTS tower_oauth_records (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    record TEXT NOT NULL,
    -- Nothing reads it: it is there for whoever tidies up.
    changed_at TIMESTAMPTZ NOT NULL
);

-- Who alone may refresh the grant of a token key just now.
CREATE TABLE IF NOT EXISTS tower_oauth_leases (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
