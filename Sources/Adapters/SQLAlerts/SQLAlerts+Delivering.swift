package import MeteringModel
package import MeteringPorts
import SQLClient

// The lines, and what attempts do to them.
extension SQLAlerts {
    package func lines() throws(LedgerError) -> [EndpointLine] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT d.endpoint, count(*), min(d.queued_at), \(EndpointState.columns)
                FROM deliveries AS d LEFT JOIN endpoint_states AS s ON s.endpoint = d.endpoint
                WHERE d.state = 'waiting' GROUP BY d.endpoint ORDER BY d.endpoint
                """)
            return try query.rows {
                EndpointLine(
                    endpoint: $0.string(at: 0), waitingCount: Int($0.integer(at: 1)),
                    oldestQueuedAt: $0.timestamp(at: 2), state: EndpointState(row: $0, from: 3))
            }
        }
    }

    package func waiting(
        _ endpoint: String, limit: Int
    ) throws(LedgerError) -> [AlertDelivery] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(AlertDelivery.columns) FROM \(AlertDelivery.tables)
                WHERE d.endpoint = $1 AND d.state = 'waiting' ORDER BY d.sequence LIMIT $2
                """)
            try query.bind(endpoint, at: 1)
            try query.bind(Int64(limit), at: 2)
            return try query.rows { (row) throws(SQLError) in try AlertDelivery(row: row) }
        }
    }

    package func bind(
        _ endpoint: String, _ sequences: [Int64], carrier: String
    ) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            for sequence in sequences {
                let update = try connection.statement(
                    """
                    UPDATE deliveries SET carrier = $1
                    WHERE sequence = $2 AND endpoint = $3 AND state = 'waiting'
                    """)
                try update.bind(carrier, at: 1)
                try update.bind(sequence, at: 2)
                try update.bind(endpoint, at: 3)
                try update.run()
            }
        }
    }

    package func record(_ outcomes: [AttemptOutcome]) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            for outcome in outcomes {
                for sequence in outcome.sequences {
                    try Self.update(sequence, outcome, connection)
                }
                try insert(outcome.attempt, connection)
                try Self.put(outcome.attempt.endpoint, outcome.endpoint, connection)
            }
        }
    }

    package func cancel(_ endpoint: String, at: Timestamp) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            let update = try connection.statement(
                """
                UPDATE deliveries SET state = 'cancelled', ended_at = $1,
                    last_detail = 'the endpoint was deleted'
                WHERE endpoint = $2 AND state = 'waiting'
                """)
            try update.bind(at.microseconds, at: 1)
            try update.bind(endpoint, at: 2)
            try update.run()
            for table in ["settling", "endpoint_states"] {
                let delete = try connection.statement("DELETE FROM \(table) WHERE endpoint = $1")
                try delete.bind(endpoint, at: 1)
                try delete.run()
            }
        }
    }

    // MARK: parts

    private static func update(
        _ sequence: Int64, _ outcome: AttemptOutcome, _ connection: SQLConnection
    ) throws(SQLError) {
        // One that was cancelled while the request was under way stays so.
        let update = try connection.statement(
            """
            UPDATE deliveries SET state = $1, attempts = attempts + 1, ended_at = $2,
                last_status = $3, last_detail = $4
            WHERE sequence = $5 AND endpoint = $6 AND state = 'waiting'
            """)
        let attempt = outcome.attempt
        try update.bind(outcome.state.rawValue, at: 1)
        try update.bind(outcome.state == .waiting ? nil : attempt.at, at: 2)
        try update.bind(attempt.status.map(Int64.init), at: 3)
        try update.bind(attempt.detail, at: 4)
        try update.bind(sequence, at: 5)
        try update.bind(attempt.endpoint, at: 6)
        try update.run()
    }

    private func insert(
        _ attempt: AlertAttempt, _ connection: SQLConnection
    ) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO attempts (endpoint, id, at, duration, status, detail)
            VALUES ($1, $2, $3, $4, $5, $6)
            """)
        try insert.bind(attempt.endpoint, at: 1)
        try insert.bind(attempt.id, at: 2)
        try insert.bind(attempt.at.microseconds, at: 3)
        try insert.bind(attempt.durationMilliseconds, at: 4)
        try insert.bind(attempt.status.map(Int64.init), at: 5)
        try insert.bind(attempt.detail, at: 6)
        try insert.run()
        let prune = try connection.statement(
            """
            DELETE FROM attempts WHERE endpoint = $1 AND id = $2 AND sequence <= (
                SELECT sequence FROM attempts WHERE endpoint = $1 AND id = $2
                ORDER BY sequence DESC LIMIT 1 OFFSET $3)
            """)
        try prune.bind(attempt.endpoint, at: 1)
        try prune.bind(attempt.id, at: 2)
        try prune.bind(Int64(attemptsKept), at: 3)
        try prune.run()
    }

    static func put(
        _ endpoint: String, _ state: EndpointState, _ connection: SQLConnection
    ) throws(SQLError) {
        let upsert = try connection.statement(
            """
            INSERT OR REPLACE INTO endpoint_states (endpoint, disabled_since, disabled_reason,
                failing_since, failures, next_attempt_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """)
        try upsert.bind(endpoint, at: 1)
        try upsert.bind(state.disabledSince, at: 2)
        try upsert.bind(optional: state.disabledReason, at: 3)
        try upsert.bind(state.failingSince, at: 4)
        try upsert.bind(Int64(state.failureCount), at: 5)
        try upsert.bind(state.nextAttemptAt, at: 6)
        try upsert.run()
    }
}
