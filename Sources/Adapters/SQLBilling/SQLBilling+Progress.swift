package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLBilling {
    package func cursor(_ name: String) throws(BillingStoreError) -> Int64 {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement("SELECT value FROM cursors WHERE name = $1")
            try query.bind(name, at: 1)
            return try query.rows { (row) throws(SQLError) in row.integer(at: 0) }.first ?? 0
        }
    }

    package func setCursor(_ name: String, _ value: Int64) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in try connection.setCursor(name, value) }
    }

    package func closedThrough(zone: String) throws(BillingStoreError) -> BillingMonth? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement("SELECT month FROM closed_months WHERE zone = $1")
            try query.bind(zone, at: 1)
            return try query.rows { (row) throws(SQLError) in row.month(at: 0) }.first
        }
    }

    package func setClosedThrough(
        zone: String, _ month: BillingMonth
    ) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            let upsert = try connection.statement(
                """
                INSERT INTO closed_months (zone, month) VALUES ($1, $2)
                ON CONFLICT (zone) DO UPDATE SET month = excluded.month
                """)
            try upsert.bind(zone, at: 1)
            try upsert.bind(Int64(month.count), at: 2)
            try upsert.run()
        }
    }

    // MARK: commands

    package func answer(idempotencyKey: String) throws(BillingStoreError) -> StoredAnswer? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT key, request_digest, status, body, at FROM answers WHERE key = $1")
            try query.bind(idempotencyKey, at: 1)
            return try query.rows { (row) throws(SQLError) in
                StoredAnswer(
                    key: row.string(at: 0), requestDigest: row.string(at: 1),
                    status: Int(row.integer(at: 2)), body: try row.json(at: 3), entityTag: nil,
                    at: row.timestamp(at: 4))
            }.first
        }
    }

    package func putAnswer(_ answer: StoredAnswer) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            let insert = try connection.statement(
                """
                INSERT INTO answers (key, request_digest, status, body, at)
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING
                """)
            try insert.bind(answer.key, at: 1)
            try insert.bind(answer.requestDigest, at: 2)
            try insert.bind(Int64(answer.status), at: 3)
            try insert.bind(answer.body.canonicalText, at: 4)
            try insert.bind(answer.at.microseconds, at: 5)
            try insert.run()
        }
    }
}
