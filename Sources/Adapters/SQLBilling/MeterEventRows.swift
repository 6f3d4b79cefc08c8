import MeteringModel
import MeteringPorts
import SQLClient

// Between rows of exports and values.

extension StoredMeterEvent {
    static let columns = """
        sequence, identifier, customer, meter, window_start, window_end, revision, \
        stripe_customer, event_name, value, planned_at, state, event_time, call_count, \
        first_call_at, unknown_since, due_at, answer, settled_at, resolved_as, resolved_by, \
        resolved_reason, resolved_at, replaced_by
        """

    init(row: SQLStatement) throws(SQLError) {
        guard let state = State(rawValue: row.string(at: 11)) else {
            throw .damaged("a meter event is in no known state")
        }
        var resolution: MeterEventResolution?
        if let text = row.optionalString(at: 19) {
            guard let verdict = MeterEventResolution.Verdict(rawValue: text) else {
                throw .damaged("a meter event was resolved in no known way")
            }
            resolution = MeterEventResolution(
                verdict: verdict, by: row.string(at: 20), reason: row.string(at: 21),
                at: row.timestamp(at: 22))
        }
        self.init(
            sequence: row.integer(at: 0),
            draft: MeterEventDraft(
                identifier: row.string(at: 1), customer: CustomerID(row.string(at: 2)),
                meter: MeterKey(row.string(at: 3)), window: row.period(at: 4),
                revision: Int(row.integer(at: 6)), stripeCustomer: row.string(at: 7),
                eventName: row.string(at: 8), value: row.integer(at: 9),
                timestamp: row.optionalTimestamp(at: 12)),
            state: state, plannedAt: row.timestamp(at: 10),
            callCount: Int(row.integer(at: 13)), firstCallAt: row.optionalTimestamp(at: 14),
            unknownSince: row.optionalTimestamp(at: 15), dueAt: row.timestamp(at: 16),
            answer: row.optionalString(at: 17), settledAt: row.optionalTimestamp(at: 18),
            resolution: resolution, replacedBy: row.optionalString(at: 23))
    }
}

extension MeterCredit {
    static let columns = "customer, meter, month, units"

    init(row: SQLStatement) {
        self.init(
            customer: CustomerID(row.string(at: 0)), meter: MeterKey(row.string(at: 1)),
            month: row.timestamp(at: 2), units: row.integer(at: 3))
    }
}

extension SQLStatement {
    func optionalTimestamp(at column: Int32) -> Timestamp? {
        optionalInteger(at: column).map(Timestamp.init(microseconds:))
    }
}

extension SQLConnection {
    /// Sequence of the last event of a customer and meter; 0 without any.
    func lastMeterEvent(
        _ customer: CustomerID, _ meter: MeterKey
    ) throws(SQLError) -> Int64 {
        let query = try statement(
            "SELECT max(sequence) FROM meter_events WHERE customer = $1 AND meter = $2")
        try query.bind(customer.rawValue, at: 1)
        try query.bind(meter.rawValue, at: 2)
        return try query.rows { row throws(SQLError) in row.integer(at: 0) }.first ?? 0
    }

    func meterEvent(_ identifier: String) throws(SQLError) -> StoredMeterEvent? {
        let query = try statement(
            "SELECT \(StoredMeterEvent.columns) FROM meter_events WHERE identifier = $1")
        try query.bind(identifier, at: 1)
        return try query.rows { row throws(SQLError) in try StoredMeterEvent(row: row) }.first
    }

    func insert(_ draft: MeterEventDraft, at instant: Timestamp) throws(SQLError) {
        let insert = try statement(
            """
            INSERT INTO meter_events (identifier, customer, meter, window_start, window_end,
                revision, stripe_customer, event_name, value, planned_at, state, event_time,
                call_count, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'planned', $11, 0, $10)
            """)
        try insert.bind(draft.identifier, at: 1)
        try insert.bind(draft.customer.rawValue, at: 2)
        try insert.bind(draft.meter.rawValue, at: 3)
        try insert.bind(draft.window.start.microseconds, at: 4)
        try insert.bind(draft.window.end.microseconds, at: 5)
        try insert.bind(Int64(draft.revision), at: 6)
        try insert.bind(draft.stripeCustomer, at: 7)
        try insert.bind(draft.eventName, at: 8)
        try insert.bind(draft.value, at: 9)
        try insert.bind(instant.microseconds, at: 10)
        try insert.bind(draft.timestamp?.microseconds, at: 11)
        try insert.run()
    }
}
