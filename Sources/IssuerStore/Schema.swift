import GRDB

/// The tables of the store, from the first release on.
///
/// A migration that has been released is never edited: what changes is a further one. A release that writes anything an
/// older one cannot read (a new state, a new algorithm) registers one too, even an empty one, so that the older one
/// refuses the file instead of misreading it.
enum Schema {
    /// `PRAGMA application_id` of a store: "PSea".
    static let applicationID = 0x5053_6561

    /// - Parameter deployment: the identity a new store takes on, in the transaction that makes its tables.
    static func migrator(minted deployment: Deployment) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(sql: first)
            try database.execute(literal: "INSERT INTO meta (singleton, last_change) VALUES (1, NULL)")
            try database.execute(
                literal: "INSERT INTO deployment (singleton, id, tenant) VALUES (1, \(deployment.id), \(deployment.tenant))")
        }
        migrator.registerMigration("algorithms") { database in
            try database.execute(sql: algorithms)
        }
        migrator.registerMigration("recovery") { database in
            try database.execute(sql: recovery)
        }
        migrator.registerMigration("probes") { database in
            try database.execute(sql: probes)
        }
        migrator.registerMigration("agents") { database in
            try database.execute(sql: agents)
        }
        migrator.registerMigration("relying parties") { database in
            try database.execute(sql: relyingParties)
        }
        migrator.registerMigration("frontends") { database in
            try database.execute(sql: frontends)
        }
        migrator.registerMigration("moves") { database in
            try database.execute(sql: moves)
        }
        migrator.registerMigration("revocations") { database in
            try database.execute(sql: revocations)
        }
        return migrator
    }

    /// The release that carries on a revocation that was begun: of which keys (their kids, a space between them), by which key they are
    /// followed, since when, and which agent began it, where it was one of several. All are empty where there is none.
    private static let revocations = """
        ALTER TABLE issuer ADD COLUMN revoking_kids TEXT;
        ALTER TABLE issuer ADD COLUMN revoking_successor TEXT;
        ALTER TABLE issuer ADD COLUMN revoking_since INTEGER;
        ALTER TABLE issuer ADD COLUMN revoking_agent TEXT;
        ALTER TABLE issuer ADD COLUMN revoking_incarnation TEXT;
        """

    /// The release that moves stores: a store that counts has no `state`, one that is being filled `migrating`, and one that was
    /// moved away `moved`, and where to.
    private static let moves = """
        ALTER TABLE meta ADD COLUMN state TEXT CHECK (state IN ('migrating', 'moved'));
        ALTER TABLE meta ADD COLUMN moved_to TEXT;
        """

    /// The release whose rotations can wait, that dates `nbf` back, and whose max-age is 10 s at least.
    private static let relyingParties = """
        ALTER TABLE issuer ADD COLUMN rotation_requested_at INTEGER;
        ALTER TABLE issuer ADD COLUMN not_before_skew INTEGER NOT NULL DEFAULT 0;
        UPDATE issuer SET jwks_max_age = 10 WHERE jwks_max_age < 10;
        """

    /// The release that waits for its frontends after a restart: how many there were.
    private static let frontends = """
        ALTER TABLE meta ADD COLUMN frontends INTEGER NOT NULL DEFAULT 0;
        """

    /// The release that notices another agent on its token: the starts of agents whose notes there are this store's own.
    private static let agents = """
        CREATE TABLE agent (
          sequence INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE
        ) STRICT;
        """

    /// The release that finds out by itself that a store can be written again. Only ever counted up.
    private static let probes = """
        ALTER TABLE meta ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
        """

    /// The release that signs with more than RS256 of 2048 bits and ES256.
    private static let algorithms = """
        ALTER TABLE issuer ADD COLUMN rsa_bits INTEGER NOT NULL DEFAULT 2048;
        """

    /// The release that brings a store and a token together again. `copied_at` marks a copy; a row of `destruction` with
    /// `lost_at` was not carried out: its key went with a token.
    private static let recovery = """
        ALTER TABLE meta ADD COLUMN token_label TEXT;
        ALTER TABLE meta ADD COLUMN token_serial TEXT;
        ALTER TABLE meta ADD COLUMN copied_at INTEGER;

        ALTER TABLE signing_key ADD COLUMN lost_at INTEGER;

        ALTER TABLE destruction ADD COLUMN public_key BLOB;
        ALTER TABLE destruction ADD COLUMN stray INTEGER NOT NULL DEFAULT 0 CHECK (stray IN (0, 1));
        ALTER TABLE destruction ADD COLUMN lost_at INTEGER;

        UPDATE destruction SET public_key = (
          SELECT public_key FROM signing_key WHERE signing_key.key_id = destruction.key_id
        );

        DROP INDEX pending_destruction;
        CREATE INDEX pending_destruction ON destruction (sequence) WHERE destroyed_at IS NULL AND lost_at IS NULL;

        CREATE TABLE quarantined_key (
          sequence INTEGER PRIMARY KEY,
          key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
          kid TEXT,
          issuer TEXT NOT NULL,
          public_key BLOB,
          since INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE former_issuer (
          name TEXT NOT NULL PRIMARY KEY,
          generation INTEGER NOT NULL
        ) STRICT;
        """

    /// Times are seconds since 1970-01-01T00:00:00Z, `key_id` is the `CKA_ID`, `public_key` SubjectPublicKeyInfo in DER.
    /// `sequence` keeps the order of arrival, which a clock set back does not change.
    private static let first = """
        CREATE TABLE deployment (
          singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
          id TEXT NOT NULL,
          tenant TEXT NOT NULL
        ) STRICT;

        CREATE TABLE meta (
          singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
          last_change INTEGER
        ) STRICT;

        CREATE TABLE issuer (
          name TEXT NOT NULL PRIMARY KEY,
          generation INTEGER NOT NULL CHECK (generation >= 1),
          created_at INTEGER NOT NULL,
          changed_at INTEGER NOT NULL,
          algorithm TEXT NOT NULL,
          default_issuer TEXT NOT NULL,
          lifetime INTEGER NOT NULL,
          maximum_lifetime INTEGER NOT NULL,
          overlap INTEGER NOT NULL,
          jwks_max_age INTEGER NOT NULL,
          standby INTEGER NOT NULL CHECK (standby IN (0, 1)),
          rotate_every INTEGER,
          url TEXT,
          last_rotation_at INTEGER,
          max_age_horizon INTEGER
        ) STRICT;

        CREATE TABLE accepted_issuer (
          issuer TEXT NOT NULL REFERENCES issuer (name) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          url TEXT NOT NULL,
          expires_at INTEGER NOT NULL,
          PRIMARY KEY (issuer, position)
        ) STRICT;

        CREATE TABLE signing_key (
          kid TEXT NOT NULL PRIMARY KEY,
          key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
          issuer TEXT NOT NULL REFERENCES issuer (name) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          algorithm TEXT NOT NULL,
          public_key BLOB NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('standby', 'active', 'retiring', 'retired', 'revoked')),
          published_at INTEGER NOT NULL,
          known_from INTEGER NOT NULL,
          activated_at INTEGER,
          retiring_at INTEGER,
          expires_at INTEGER,
          retired_at INTEGER,
          revoked_at INTEGER,
          latest_expiry INTEGER,
          UNIQUE (issuer, position),
          CHECK (state <> 'retiring' OR expires_at IS NOT NULL)
        ) STRICT;

        CREATE UNIQUE INDEX one_key_in_each_published_state ON signing_key (issuer, state)
          WHERE state IN ('standby', 'active', 'retiring');

        CREATE TABLE generation_intent (
          sequence INTEGER PRIMARY KEY,
          key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
          issuer TEXT NOT NULL,
          algorithm TEXT NOT NULL,
          recorded_at INTEGER NOT NULL,
          tombstone INTEGER NOT NULL CHECK (tombstone IN (0, 1))
        ) STRICT;

        CREATE TABLE destruction (
          sequence INTEGER PRIMARY KEY,
          key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
          issuer TEXT NOT NULL,
          requested_at INTEGER NOT NULL,
          destroyed_at INTEGER
        ) STRICT;

        CREATE INDEX pending_destruction ON destruction (sequence) WHERE destroyed_at IS NULL;

        CREATE TABLE refused_pin (
          singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
          source TEXT NOT NULL,
          return_value TEXT NOT NULL,
          refused_at INTEGER NOT NULL
        ) STRICT;
        """
}
