import MeteringModel
import MeteringPorts
import SQLClient

extension SQLStatement {
    func timestamp(at column: Int32) -> Timestamp { Timestamp(microseconds: integer(at: column)) }

    func optionalTimestamp(at column: Int32) -> Timestamp? {
        optionalInteger(at: column).map(Timestamp.init(microseconds:))
    }

    func bind(_ instant: Timestamp?, at index: Int32) throws(SQLError) {
        try bind(instant?.microseconds, at: index)
    }
}

extension AlertMessage {
    /// Qualified by `m`, the messages in every join here.
    static let columns = """
        m.sequence, m.id, m.type, m.customer, m.feature, m.plan, m.owner, m.level, m.at, m.body
        """
    static let columnCount: Int32 = 10

    init(row: SQLStatement, from first: Int32 = 0) {
        self.init(
            sequence: row.integer(at: first), id: row.string(at: first + 1),
            type: row.string(at: first + 2),
            customer: row.optionalString(at: first + 3).map { CustomerID($0) },
            feature: row.optionalString(at: first + 4).map { FeatureKey($0) },
            plan: row.optionalString(at: first + 5).map { PlanKey($0) },
            owner: row.optionalString(at: first + 6),
            levelBasisPoints: row.optionalInteger(at: first + 7),
            at: row.timestamp(at: first + 8), body: row.string(at: first + 9))
    }
}

extension AlertDelivery {
    static let columns = """
        \(AlertMessage.columns), d.sequence, d.endpoint, d.state, d.carrier, d.attempts,
        d.queued_at, d.ended_at, d.last_status, d.last_detail
        """
    static let tables = "deliveries AS d CROSS JOIN messages AS m ON m.sequence = d.message"

    init(row: SQLStatement) throws(SQLError) {
        let first = AlertMessage.columnCount
        guard let state = State(rawValue: row.string(at: first + 2)) else {
            throw .damaged("a delivery of an unknown state: \(row.string(at: first + 2))")
        }
        self.init(
            sequence: row.integer(at: first), endpoint: row.string(at: first + 1),
            message: AlertMessage(row: row), state: state,
            carrier: row.optionalString(at: first + 3),
            attemptCount: Int(row.integer(at: first + 4)),
            queuedAt: row.timestamp(at: first + 5),
            endedAt: row.optionalTimestamp(at: first + 6),
            lastStatus: row.optionalInteger(at: first + 7).map(Int.init),
            lastDetail: row.optionalString(at: first + 8))
    }
}

extension EndpointState {
    /// Qualified by `s`; all NULL where the endpoint has no row.
    static let columns = """
        s.disabled_since, s.disabled_reason, s.failing_since, s.failures, s.next_attempt_at
        """

    init(row: SQLStatement, from first: Int32 = 0) {
        self.init(
            disabledSince: row.optionalTimestamp(at: first),
            disabledReason: row.optionalString(at: first + 1),
            failingSince: row.optionalTimestamp(at: first + 2),
            failureCount: Int(row.integer(at: first + 3)),
            nextAttemptAt: row.optionalTimestamp(at: first + 4))
    }
}
