package import MeteringModel
package import MeteringPorts
import SQLClient

// The delivery log and the messages, for people; and what old ones leave by.
extension SQLAlerts {
    package func deliveries(
        _ endpoint: String, state: AlertDelivery.State?, before sequence: Int64?, limit: Int
    ) throws(LedgerError) -> [AlertDelivery] {
        try store.read { (connection) throws(SQLError) in
            let only = state.map { "AND d.state = '\($0.rawValue)'" } ?? ""
            let query = try connection.statement(
                """
                SELECT \(AlertDelivery.columns) FROM \(AlertDelivery.tables)
                WHERE d.endpoint = $1 AND d.sequence < $2 \(only)
                ORDER BY d.sequence DESC LIMIT $3
                """)
            try query.bind(endpoint, at: 1)
            try query.bind(sequence ?? .max, at: 2)
            try query.bind(Int64(limit), at: 3)
            return try query.rows { (row) throws(SQLError) in try AlertDelivery(row: row) }
        }
    }

    package func delivery(
        _ endpoint: String, message: String
    ) throws(LedgerError) -> AlertDelivery? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(AlertDelivery.columns)
                FROM messages AS m CROSS JOIN deliveries AS d ON d.message = m.sequence
                WHERE m.id = $1 AND d.endpoint = $2 ORDER BY d.sequence DESC LIMIT 1
                """)
            try query.bind(message, at: 1)
            try query.bind(endpoint, at: 2)
            return try query.rows { (row) throws(SQLError) in try AlertDelivery(row: row) }.first
        }
    }

    package func attempts(
        _ endpoint: String, message: String, limit: Int
    ) throws(LedgerError) -> [AlertAttempt] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT id, at, duration, status, detail FROM attempts
                WHERE endpoint = $1 AND id IN (
                    SELECT $2 UNION SELECT d.carrier FROM messages AS m
                    CROSS JOIN deliveries AS d ON d.message = m.sequence
                    WHERE m.id = $2 AND d.endpoint = $1 AND d.carrier IS NOT NULL)
                ORDER BY sequence DESC LIMIT $3
                """)
            try query.bind(endpoint, at: 1)
            try query.bind(message, at: 2)
            try query.bind(Int64(limit), at: 3)
            return try query.rows {
                AlertAttempt(
                    endpoint: endpoint, id: $0.string(at: 0), at: $0.timestamp(at: 1),
                    durationMilliseconds: $0.integer(at: 2),
                    status: $0.optionalInteger(at: 3).map(Int.init), detail: $0.string(at: 4))
            }
        }
    }

    package func message(_ id: String) throws(LedgerError) -> AlertMessage? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT \(AlertMessage.columns) FROM messages AS m WHERE m.id = $1")
            try query.bind(id, at: 1)
            return try query.rows { AlertMessage(row: $0) }.first
        }
    }

    package func messages(
        from: Timestamp, to: Timestamp, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [AlertMessage] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(AlertMessage.columns) FROM messages AS m
                WHERE m.sequence > $1 AND m.at >= $2 AND m.at < $3 ORDER BY m.sequence LIMIT $4
                """)
            try query.bind(sequence, at: 1)
            try query.bind(from.microseconds, at: 2)
            try query.bind(to.microseconds, at: 3)
            try query.bind(Int64(limit), at: 4)
            return try query.rows { AlertMessage(row: $0) }
        }
    }

    package func statistics() throws(LedgerError) -> AlertStatistics {
        try store.read { (connection) throws(SQLError) in
            let waiting = try connection.statement(
                "SELECT count(*), min(queued_at) FROM deliveries WHERE state = 'waiting'")
            let counts = try waiting.rows {
                (Int($0.integer(at: 0)), $0.optionalTimestamp(at: 1))
            }.first
            let disabled = try connection.integer(
                "SELECT count(*) FROM endpoint_states WHERE disabled_since IS NOT NULL")
            return AlertStatistics(
                waitingCount: counts?.0 ?? 0, oldestQueuedAt: counts?.1,
                disabledEndpointCount: Int(disabled ?? 0))
        }
    }

    package func prune(before instant: Timestamp) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            // In pieces, so that a delivery never waits long for the writing connection.
            let old = """
                SELECT sequence FROM messages AS m WHERE m.taken_at < $1
                AND NOT EXISTS (SELECT 1 FROM deliveries
                    WHERE message = m.sequence AND state = 'waiting')
                AND NOT EXISTS (SELECT 1 FROM settling WHERE message = m.sequence)
                ORDER BY m.taken_at LIMIT 1000
                """
            let query = try connection.statement(old)
            try query.bind(instant.microseconds, at: 1)
            let sequences = try query.rows { $0.integer(at: 0) }
            for sequence in sequences {
                for text in [
                    """
                    DELETE FROM attempts WHERE (endpoint, id) IN (
                        SELECT d.endpoint, coalesce(d.carrier, m.id) FROM deliveries AS d
                        CROSS JOIN messages AS m ON m.sequence = d.message WHERE d.message = $1)
                    """,
                    "DELETE FROM deliveries WHERE message = $1",
                    "DELETE FROM messages WHERE sequence = $1",
                ] {
                    let delete = try connection.statement(text)
                    try delete.bind(sequence, at: 1)
                    try delete.run()
                }
            }
            let secrets = try connection.statement("DELETE FROM secrets WHERE expires_at < $1")
            try secrets.bind(instant.microseconds, at: 1)
            try secrets.run()
        }
    }
}
