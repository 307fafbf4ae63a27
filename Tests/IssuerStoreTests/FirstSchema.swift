import IssuerStore
import KeyLifecycle

/// A store as the first release wrote it. It is never changed: users have such files.
enum FirstSchema {
    static let dump = """
        PRAGMA application_id = 1347642721;
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES('1');
        CREATE TABLE deployment (
          singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
          id TEXT NOT NULL,
          tenant TEXT NOT NULL
        ) STRICT;
        INSERT INTO deployment VALUES(1,'00112233445566778899aabbccddeeff','8f0c2f0e-6d0f-4f55-9f0a-3d3f2f6f7c11');
        CREATE TABLE meta (
          singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
          last_change INTEGER
        ) STRICT;
        INSERT INTO meta VALUES(1,1800001100);
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
        INSERT INTO issuer
          VALUES('demo',6,1800000000,1800001100,'ES256','https://kubernetes.default.svc.cluster.local',3600,86400,86400,
          60,1,100000,NULL,1800001002,1800001400);
        CREATE TABLE accepted_issuer (
          issuer TEXT NOT NULL REFERENCES issuer (name) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          url TEXT NOT NULL,
          expires_at INTEGER NOT NULL,
          PRIMARY KEY (issuer, position)
        ) STRICT;
        INSERT INTO accepted_issuer VALUES('demo',0,'https://oidc.example/t/1/',1800087500);
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
        INSERT INTO signing_key
          VALUES('kid-1',X'01010101010101010101010101010101','demo',0,'ES256',X'300100ff','revoked',1800000000,1800000000,
          1800000000,1800001000,NULL,NULL,1800001002,1800087400);
        INSERT INTO signing_key
          VALUES('kid-2',X'02020202020202020202020202020202','demo',1,'ES256',X'300200ff','retiring',1800000001,
          1800000301,1800001000,1800001002,1800087402,NULL,NULL,1800087402);
        INSERT INTO signing_key
          VALUES('kid-3',X'03030303030303030303030303030303','demo',2,'ES256',X'300300ff','active',1800001001,1800001301,
          1800001002,NULL,NULL,NULL,NULL,NULL);
        CREATE TABLE generation_intent (
          sequence INTEGER PRIMARY KEY,
          key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
          issuer TEXT NOT NULL,
          algorithm TEXT NOT NULL,
          recorded_at INTEGER NOT NULL,
          tombstone INTEGER NOT NULL CHECK (tombstone IN (0, 1))
        ) STRICT;
        INSERT INTO generation_intent VALUES(1,X'04040404040404040404040404040404','other','ES256',1800001200,1);
        INSERT INTO generation_intent VALUES(2,X'05050505050505050505050505050505','demo','RS256',1800001201,0);
        CREATE TABLE destruction (
          sequence INTEGER PRIMARY KEY,
          key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
          issuer TEXT NOT NULL,
          requested_at INTEGER NOT NULL,
          destroyed_at INTEGER
        ) STRICT;
        INSERT INTO destruction VALUES(1,X'01010101010101010101010101010101','demo',1800001002,NULL);
        CREATE TABLE refused_pin (
          singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
          source TEXT NOT NULL,
          return_value TEXT NOT NULL,
          refused_at INTEGER NOT NULL
        ) STRICT;
        INSERT INTO destruction VALUES(2,X'09090909090909090909090909090909','demo',1800000500,1800000600);
        INSERT INTO refused_pin VALUES(1,'file 8:1 42 6 100','CKR_PIN_INCORRECT',1800001300);
        CREATE UNIQUE INDEX one_key_in_each_published_state ON signing_key (issuer, state)
          WHERE state IN ('standby', 'active', 'retiring');
        CREATE INDEX pending_destruction ON destruction (sequence) WHERE destroyed_at IS NULL;
        """

    /// What `dump` holds.
    static let snapshot = Snapshot(
        issuers: [
            Issuer(
                name: .demo, generation: 6, createdAt: .at(0), changedAt: .at(1_100),
                settings: IssuerSettings(algorithm: .es256, jwksMaxAge: 60, rotateEvery: 100_000), profile: .disabled,
                acceptedIssuers: [AcceptedIssuer(url: "https://oidc.example/t/1/", expiresAt: .at(87_500))],
                ring: KeyRing(keys: [
                    SigningKey(
                        kid: "kid-1", keyID: .number(1), algorithm: .es256, publicKey: [0x30, 1, 0, 0xFF], state: .revoked,
                        publishedAt: .at(0), knownFrom: .at(0), activatedAt: .at(0), retiringAt: .at(1_000),
                        revokedAt: .at(1_002), latestExpiry: .at(87_400)),
                    SigningKey(
                        kid: "kid-2", keyID: .number(2), algorithm: .es256, publicKey: [0x30, 2, 0, 0xFF], state: .retiring,
                        publishedAt: .at(1), knownFrom: .at(301), activatedAt: .at(1_000), retiringAt: .at(1_002),
                        expiresAt: .at(87_402), latestExpiry: .at(87_402)),
                    SigningKey(
                        kid: "kid-3", keyID: .number(3), algorithm: .es256, publicKey: [0x30, 3, 0, 0xFF], state: .active,
                        publishedAt: .at(1_001), knownFrom: .at(1_301), activatedAt: .at(1_002)),
                ]),
                lastRotationAt: .at(1_002), maxAgeHorizon: .at(1_400))
        ],
        intents: [
            GenerationIntent.number(4, for: .other, .es256, at: .at(1_200)).buried, .number(5, at: .at(1_201)),
        ],
        destructions: [
            PendingDestruction(
                keyID: .number(1), issuer: .demo, requestedAt: .at(1_002), publicKey: [0x30, 1, 0, 0xFF])
        ],
        lastChange: .at(1_100),
        refusedPIN: RefusedPIN(source: "file 8:1 42 6 100", returnValue: "CKR_PIN_INCORRECT", at: .at(1_300)))
}
