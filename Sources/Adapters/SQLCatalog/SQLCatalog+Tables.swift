package import MeteringModel
package import MeteringPorts
import SQLClient

// The small tables: answers, webhooks, imports, keys, seat sessions, settings.

extension SQLCatalog {
    /// How long an answer is kept for its idempotency key.
    package static let answerKeepSeconds: Int64 = 48 * 3_600
    /// How long a delivered webhook event is known.
    package static let webhookKeepSeconds: Int64 = 60 * 86_400

    package func answer(
        idempotencyKey: String
    ) throws(ControlStoreError) -> StoredAnswer? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT key, request_digest, status, body, entity_tag, at FROM answers
                WHERE key = $1
                """)
            try query.bind(idempotencyKey, at: 1)
            return try query.rows { (row) throws(SQLError) in
                StoredAnswer(
                    key: row.string(at: 0), requestDigest: row.string(at: 1),
                    status: Int(row.integer(at: 2)), body: try row.json(at: 3),
                    entityTag: row.optionalString(at: 4), at: row.timestamp(at: 5))
            }.first
        }
    }

    package func prune(now: Timestamp) throws(ControlStoreError) {
        try store.write { (connection) throws(SQLError) in
            let steps: [(sql: String, instant: Timestamp)] = [
                (
                    "DELETE FROM answers WHERE at < $1",
                    now.adding(seconds: -Self.answerKeepSeconds)
                ),
                ("DELETE FROM seat_sessions WHERE expires_at <= $1", now),
                (
                    "DELETE FROM webhooks WHERE taken_at < $1",
                    now.adding(seconds: -Self.webhookKeepSeconds)
                ),
                ("UPDATE webhooks SET taken_at = $1 WHERE taken_at IS NULL", now),
            ]
            for step in steps {
                let statement = try connection.statement(step.sql)
                try statement.bind(step.instant.microseconds, at: 1)
                try statement.run()
            }
        }
    }

    /// True when a commit has taken the event.
    package func isWebhookKnown(
        _ source: String, _ id: String
    ) throws(ControlStoreError) -> Bool {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT 1 FROM webhooks WHERE source = $1 AND id = $2")
            try query.bind(source, at: 1)
            try query.bind(id, at: 2)
            return try !query.rows { _ in true }.isEmpty
        }
    }

    // MARK: imports

    package func imports(_ id: String) throws(ControlStoreError) -> ImportProgress? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT id, state, digest, total, done, created, changed, unchanged, started_at,
                    updated_at
                FROM imports WHERE id = $1
                """)
            try query.bind(id, at: 1)
            return try query.rows { row in
                ImportProgress(
                    id: row.string(at: 0),
                    // The schema allows no other text.
                    state: ImportProgress.State(rawValue: row.string(at: 1)) ?? .running,
                    digest: row.string(at: 2), total: Int(row.integer(at: 3)),
                    done: Int(row.integer(at: 4)), created: Int(row.integer(at: 5)),
                    changed: Int(row.integer(at: 6)), unchanged: Int(row.integer(at: 7)),
                    startedAt: row.timestamp(at: 8), updatedAt: row.timestamp(at: 9))
            }.first
        }
    }

    package func putImport(_ progress: ImportProgress) throws(ControlStoreError) {
        try store.write { (connection) throws(SQLError) in
            try CatalogWriter(connection: connection).put(progress)
        }
    }

    // MARK: keys

    /// In the order of their making.
    package func accessKeys() throws(ControlStoreError) -> [StoredAccessKey] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT id, name, digest, prefix, last_four, scopes, customer, created_by,
                    created_at, expires_at, revoked_at
                FROM access_keys ORDER BY created_at, id
                """)
            return try query.rows { (row) throws(SQLError) in
                let words = try row.json(at: 5).elements ?? []
                return StoredAccessKey(
                    id: row.string(at: 0), name: row.string(at: 1), digest: row.bytes(at: 2),
                    prefix: row.string(at: 3), lastFour: row.string(at: 4),
                    // A scope that a later program had and this one has not gives no right.
                    scopes: Set(words.compactMap { $0.text.flatMap(AccessScope.init(rawValue:)) }),
                    customer: row.optionalString(at: 6).map { CustomerID($0) },
                    createdBy: row.string(at: 7), createdAt: row.timestamp(at: 8),
                    expiresAt: row.optionalTimestamp(at: 9),
                    revokedAt: row.optionalTimestamp(at: 10))
            }
        }
    }

    /// Makes the key, or replaces the one with its id.
    package func putAccessKey(_ key: StoredAccessKey) throws(ControlStoreError) {
        let scopes = key.scopes.map(\.rawValue).sorted().map(JSONValue.string)
        try store.write { (connection) throws(SQLError) in
            let upsert = try connection.statement(
                """
                INSERT INTO access_keys (id, name, digest, prefix, last_four, scopes, customer,
                    created_by, created_at, expires_at, revoked_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                ON CONFLICT (id) DO UPDATE SET
                    name = excluded.name, digest = excluded.digest, prefix = excluded.prefix,
                    last_four = excluded.last_four, scopes = excluded.scopes,
                    customer = excluded.customer, created_by = excluded.created_by,
                    created_at = excluded.created_at, expires_at = excluded.expires_at,
                    revoked_at = excluded.revoked_at
                """)
            try upsert.bind(key.id, at: 1)
            try upsert.bind(key.name, at: 2)
            try upsert.bind(key.digest, at: 3)
            try upsert.bind(key.prefix, at: 4)
            try upsert.bind(key.lastFour, at: 5)
            try upsert.bind(JSONValue.array(scopes).canonicalText, at: 6)
            try upsert.bind(optional: key.customer?.rawValue, at: 7)
            try upsert.bind(key.createdBy, at: 8)
            try upsert.bind(key.createdAt.microseconds, at: 9)
            try upsert.bind(key.expiresAt?.microseconds, at: 10)
            try upsert.bind(key.revokedAt?.microseconds, at: 11)
            try upsert.run()
        }
    }

    // MARK: seats (written often and not fsynced: a power failure may forget the last ones)

    /// Expired ones are among them until they are pruned.
    package func seatSessions() throws(ControlStoreError) -> [SeatSession] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT customer, feature, holder, expires_at FROM seat_sessions
                ORDER BY customer, feature, holder
                """)
            return try query.rows { row in
                SeatSession(
                    customer: CustomerID(row.string(at: 0)), feature: FeatureKey(row.string(at: 1)),
                    holder: row.string(at: 2), expiresAt: row.timestamp(at: 3))
            }
        }
    }

    package func putSeatSession(_ session: SeatSession) throws(ControlStoreError) {
        try store.write(.normal) { (connection) throws(SQLError) in
            let upsert = try connection.statement(
                """
                INSERT OR REPLACE INTO seat_sessions (customer, feature, holder, expires_at)
                VALUES ($1, $2, $3, $4)
                """)
            try upsert.bind(session.customer.rawValue, at: 1)
            try upsert.bind(session.feature.rawValue, at: 2)
            try upsert.bind(session.holder, at: 3)
            try upsert.bind(session.expiresAt.microseconds, at: 4)
            try upsert.run()
        }
    }

    package func removeSeatSession(
        _ customer: CustomerID, _ feature: FeatureKey, _ holder: String
    ) throws(ControlStoreError) {
        try store.write(.normal) { (connection) throws(SQLError) in
            let delete = try connection.statement(
                """
                DELETE FROM seat_sessions WHERE customer = $1 AND feature = $2 AND holder = $3
                """)
            try delete.bind(customer.rawValue, at: 1)
            try delete.bind(feature.rawValue, at: 2)
            try delete.bind(holder, at: 3)
            try delete.run()
        }
    }

    // MARK: settings

    package func setting(_ name: String) throws(ControlStoreError) -> JSONValue? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement("SELECT value FROM settings WHERE name = $1")
            try query.bind(name, at: 1)
            return try query.rows { (row) throws(SQLError) in try row.json(at: 0) }.first
        }
    }

    package func setSetting(_ name: String, _ value: JSONValue) throws(ControlStoreError) {
        try store.write { (connection) throws(SQLError) in
            let upsert = try connection.statement(
                "INSERT OR REPLACE INTO settings (name, value) VALUES ($1, $2)")
            try upsert.bind(name, at: 1)
            try upsert.bind(value.canonicalText, at: 2)
            try upsert.run()
        }
    }
}
