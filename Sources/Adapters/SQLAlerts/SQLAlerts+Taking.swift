package import MeteringModel
package import MeteringPorts
import SQLClient

// Messages on their way in: from feeds into lines, some by way of settling.
extension SQLAlerts: AlertStore {
    package func cursor(of feed: String) throws(LedgerError) -> FeedCursor? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT sequence, mark FROM feeds WHERE name = $1")
            try query.bind(feed, at: 1)
            return try query.rows {
                FeedCursor(sequence: $0.integer(at: 0), mark: $0.string(at: 1))
            }.first
        }
    }

    package func take(_ batch: AlertBatch) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            for item in batch.items {
                guard let message = try Self.insert(item.message, batch.at, connection) else {
                    continue
                }
                for endpoint in item.endpoints {
                    try Self.queue(message, endpoint, batch.at, connection)
                }
                for change in item.settling { try Self.hold(message, change, connection) }
            }
            guard let feed = batch.feed, let cursor = batch.cursor else { return }
            let upsert = try connection.statement(
                "INSERT OR REPLACE INTO feeds (name, sequence, mark) VALUES ($1, $2, $3)")
            try upsert.bind(feed, at: 1)
            try upsert.bind(cursor.sequence, at: 2)
            try upsert.bind(cursor.mark, at: 3)
            try upsert.run()
        }
    }

    package func settle(at now: Timestamp, limit: Int) throws(LedgerError) -> Int {
        try store.write { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT endpoint, subject, message, is_wanted FROM settling
                WHERE due <= $1 ORDER BY due, message LIMIT $2
                """)
            try query.bind(now.microseconds, at: 1)
            try query.bind(Int64(limit), at: 2)
            let due = try query.rows {
                (
                    endpoint: $0.string(at: 0), subject: $0.string(at: 1),
                    message: $0.integer(at: 2), isWanted: $0.integer(at: 3) == 1
                )
            }
            var count = 0
            for change in due {
                try Self.forget(change.endpoint, change.subject, connection)
                if change.isWanted {
                    try Self.queue(change.message, change.endpoint, now, connection)
                    count += 1
                }
            }
            return count
        }
    }

    package func nextSettling() throws(LedgerError) -> Timestamp? {
        try store.read { (connection) throws(SQLError) in
            try connection.integer("SELECT min(due) FROM settling").map(
                Timestamp.init(microseconds:))
        }
    }

    package func requeue(
        _ endpoint: String, _ messages: [String], asked: Timestamp, at: Timestamp
    ) throws(LedgerError) -> Int {
        try store.write { (connection) throws(SQLError) in
            var count = 0
            for id in messages {
                let query = try connection.statement(
                    """
                    SELECT sequence FROM messages WHERE id = $1 AND NOT EXISTS (
                        SELECT 1 FROM deliveries WHERE message = messages.sequence
                        AND endpoint = $2 AND (state = 'waiting' OR queued_at >= $3))
                    """)
                try query.bind(id, at: 1)
                try query.bind(endpoint, at: 2)
                try query.bind(asked.microseconds, at: 3)
                guard let message = try query.rows({ $0.integer(at: 0) }).first else { continue }
                try Self.queue(message, endpoint, at, connection)
                count += 1
            }
            return count
        }
    }

    // MARK: parts

    /// - Returns: its sequence; nil when its id is known.
    private static func insert(
        _ message: AlertMessage, _ at: Timestamp, _ connection: SQLConnection
    ) throws(SQLError) -> Int64? {
        let insert = try connection.statement(
            """
            INSERT INTO messages
                (id, type, customer, feature, plan, owner, level, at, taken_at, body)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (id) DO NOTHING RETURNING sequence
            """)
        try insert.bind(message.id, at: 1)
        try insert.bind(message.type, at: 2)
        try insert.bind(optional: message.customer?.rawValue, at: 3)
        try insert.bind(optional: message.feature?.rawValue, at: 4)
        try insert.bind(optional: message.plan?.rawValue, at: 5)
        try insert.bind(optional: message.owner, at: 6)
        try insert.bind(message.levelBasisPoints, at: 7)
        try insert.bind(message.at.microseconds, at: 8)
        try insert.bind(at.microseconds, at: 9)
        try insert.bind(message.body, at: 10)
        return try insert.rows { $0.integer(at: 0) }.first
    }

    private static func queue(
        _ message: Int64, _ endpoint: String, _ at: Timestamp, _ connection: SQLConnection
    ) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO deliveries (endpoint, message, state, attempts, queued_at)
            VALUES ($1, $2, 'waiting', 0, $3)
            """)
        try insert.bind(endpoint, at: 1)
        try insert.bind(message, at: 2)
        try insert.bind(at.microseconds, at: 3)
        try insert.run()
    }

    /// Lets a change settle, or cancels the one that is settling: the two undo each other.
    private static func hold(
        _ message: Int64, _ change: AlertBatch.Settling, _ connection: SQLConnection
    ) throws(SQLError) {
        try forget(change.endpoint, change.subject, connection)
        if connection.changedRows > 0 { return }
        let insert = try connection.statement(
            """
            INSERT INTO settling (endpoint, subject, message, due, is_wanted)
            VALUES ($1, $2, $3, $4, $5)
            """)
        try insert.bind(change.endpoint, at: 1)
        try insert.bind(change.subject, at: 2)
        try insert.bind(message, at: 3)
        try insert.bind(change.due.microseconds, at: 4)
        try insert.bind(Int64(change.isWanted ? 1 : 0), at: 5)
        try insert.run()
    }

    private static func forget(
        _ endpoint: String, _ subject: String, _ connection: SQLConnection
    ) throws(SQLError) {
        let delete = try connection.statement(
            "DELETE FROM settling WHERE endpoint = $1 AND subject = $2")
        try delete.bind(endpoint, at: 1)
        try delete.bind(subject, at: 2)
        try delete.run()
    }
}
