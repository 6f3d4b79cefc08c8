package import MeteringModel
package import MeteringPorts
import SQLClient

// What is written before and after a call to Stripe.

extension SQLBilling {
    package func dueMeterEvents(
        at instant: Timestamp, limit: Int
    ) throws(BillingStoreError) -> [StoredMeterEvent] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(StoredMeterEvent.columns) FROM meter_events
                WHERE state = 'planned' AND due_at <= $1
                ORDER BY due_at, window_start, sequence LIMIT $2
                """)
            try query.bind(instant.microseconds, at: 1)
            try query.bind(Int64(max(0, limit)), at: 2)
            return try query.rows { row throws(SQLError) in try StoredMeterEvent(row: row) }
        }
    }

    package func beginCall(
        _ sequence: Int64, timestamp: Timestamp, at instant: Timestamp, retryAt: Timestamp
    ) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            let update = try connection.statement(
                """
                UPDATE meter_events SET call_count = call_count + 1, due_at = $1,
                    event_time = coalesce(event_time, $2),
                    first_call_at = coalesce(first_call_at, $3),
                    unknown_since = coalesce(unknown_since, $3)
                WHERE sequence = $4 AND state = 'planned'
                """)
            try update.bind(retryAt.microseconds, at: 1)
            try update.bind(timestamp.microseconds, at: 2)
            try update.bind(instant.microseconds, at: 3)
            try update.bind(sequence, at: 4)
            try update.run()
        }
    }

    package func endCall(
        _ sequence: Int64, _ outcome: MeterEventOutcome, at instant: Timestamp
    ) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            switch outcome {
            case .sent(let answer): try connection.settle(sequence, .sent, answer, instant)
            case .refused(let answer): try connection.settle(sequence, .refused, answer, instant)
            case .uncertain(let answer):
                try connection.settle(sequence, .uncertain, answer, instant)
            case .tooOld(let answer): try connection.settle(sequence, .tooOld, answer, instant)
            case .notTaken(let answer, let calledAt, let retryAt):
                // What this call had set is undone; an earlier call that may have been taken stays.
                try connection.postpone(sequence, answer, retryAt, knownSince: calledAt)
            case .unknown(let answer, let retryAt):
                try connection.postpone(sequence, answer, retryAt, knownSince: nil)
            }
        }
    }

    package func resolve(
        _ identifier: String, _ resolution: MeterEventResolution,
        replacement: MeterEventDraft?
    ) throws(BillingStoreError) {
        try store.transaction { (connection) throws(BillingStoreError) in
            do throws(SQLError) {
                if let event = try connection.meterEvent(identifier),
                    MeterEventResolution.states.contains(event.state)
                {
                    try connection.resolve(event.sequence, resolution, replacement)
                    if let replacement { try connection.insert(replacement, at: resolution.at) }
                    return
                }
            } catch {
                throw BillingStoreError(error)
            }
            throw BillingStoreError(
                code: .conflict, message: "\(identifier) was resolved meanwhile", isRetriable: false
            )
        }
    }
}

extension SQLConnection {
    fileprivate func settle(
        _ sequence: Int64, _ state: StoredMeterEvent.State, _ answer: String, _ at: Timestamp
    ) throws(SQLError) {
        let update = try statement(
            """
            UPDATE meter_events SET state = $1, answer = $2, settled_at = $3
            WHERE sequence = $4 AND state = 'planned'
            """)
        try update.bind(state.rawValue, at: 1)
        try update.bind(answer, at: 2)
        try update.bind(at.microseconds, at: 3)
        try update.bind(sequence, at: 4)
        try update.run()
    }

    /// - Parameter knownSince: begin of the call that was certainly not taken.
    fileprivate func postpone(
        _ sequence: Int64, _ answer: String, _ retryAt: Timestamp, knownSince: Timestamp?
    ) throws(SQLError) {
        let update = try statement(
            """
            UPDATE meter_events SET answer = $1, due_at = $2,
                unknown_since = CASE WHEN unknown_since = $3 THEN NULL ELSE unknown_since END
            WHERE sequence = $4 AND state = 'planned'
            """)
        try update.bind(answer, at: 1)
        try update.bind(retryAt.microseconds, at: 2)
        try update.bind(knownSince?.microseconds, at: 3)
        try update.bind(sequence, at: 4)
        try update.run()
    }

    fileprivate func resolve(
        _ sequence: Int64, _ resolution: MeterEventResolution, _ replacement: MeterEventDraft?
    ) throws(SQLError) {
        let update = try statement(
            """
            UPDATE meter_events SET state = $1, resolved_as = $2, resolved_by = $3,
                resolved_reason = $4, resolved_at = $5, replaced_by = $6,
                settled_at = coalesce(settled_at, $5)
            WHERE sequence = $7
            """)
        let state: StoredMeterEvent.State = replacement == nil ? .sent : .replaced
        try update.bind(state.rawValue, at: 1)
        try update.bind(resolution.verdict.rawValue, at: 2)
        try update.bind(resolution.by, at: 3)
        try update.bind(resolution.reason, at: 4)
        try update.bind(resolution.at.microseconds, at: 5)
        try update.bind(optional: replacement?.identifier, at: 6)
        try update.bind(sequence, at: 7)
        try update.run()
    }
}
