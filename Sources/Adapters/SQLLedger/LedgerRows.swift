import MeteringModel
import MeteringPorts
import SQLClient

// How values of the model stand in rows. Times are microseconds, no limit is NULL, an absent
// order (`Int64.min`) is NULL.

extension SQLStatement {
    /// Reads count, value, ordered_at, distinct_members from four columns in a row.
    func usageState(from column: Int32) throws(SQLError) -> UsageState {
        var state = UsageState(
            count: integer(at: column), value: integer(at: column + 1),
            orderedAt: optionalInteger(at: column + 2) ?? .min)
        if !isNull(at: column + 3) {
            guard let sketch = DistinctSketch(encoded: bytes(at: column + 3)) else {
                throw .damaged("distinct_members is not a sketch")
            }
            state.distinct = sketch
        }
        return state
    }

    /// Binds count, value, ordered_at, distinct_members to four parameters in a row.
    func bind(state: UsageState, from index: Int32) throws(SQLError) {
        try bind(state.count, at: index)
        try bind(state.value, at: index + 1)
        try bind(state.orderedAt == .min ? nil : state.orderedAt, at: index + 2)
        try bind(state.distinct?.encoded, at: index + 3)
    }

    func timestamp(at column: Int32) -> Timestamp { Timestamp(microseconds: integer(at: column)) }

    func optionalTimestamp(at column: Int32) -> Timestamp? {
        optionalInteger(at: column).map(Timestamp.init(microseconds:))
    }

    func period(at column: Int32) -> Period {
        Period(start: timestamp(at: column), end: timestamp(at: column + 1))
    }

    func aggregation(at column: Int32) throws(SQLError) -> Aggregation {
        let name = string(at: column)
        guard let known = Aggregation(rawValue: name) else {
            throw .damaged("no aggregation: \(name)")
        }
        return known
    }
}

/// A limit in a column: its units, `unlimited`, or NULL for none at all.
enum LimitText {
    static func encode(_ limit: Limit?) -> String? {
        switch limit {
        case nil: nil
        case .unlimited: "unlimited"
        case .finite(let units): String(units)
        }
    }

    static func decode(_ text: String) -> Limit? {
        text == "unlimited" ? .unlimited : Int64(text).map(Limit.finite)
    }
}

extension Adjustment {
    static let columns = """
        customer, meter, period_start, period_end, count, value, recorded_at, request_id, feature,
        scale, limit_before, limit_after, overage_before, overage_after, correction_id,
        correction_action, correction_source, correction_event_id, correction_reason
        """
    static let columnCount: Int32 = 19

    init(row: SQLStatement) {
        var cause: Cause?
        if !row.isNull(at: 7) {
            cause = Cause(
                requestID: row.string(at: 7), feature: FeatureKey(row.string(at: 8)),
                scale: Int(row.integer(at: 9)),
                limitBefore: row.isNull(at: 10) ? nil : LimitText.decode(row.string(at: 10)),
                limitAfter: row.isNull(at: 11) ? nil : LimitText.decode(row.string(at: 11)),
                overageBefore: row.integer(at: 12), overageAfter: row.integer(at: 13))
        }
        var correction: Correction?
        if !row.isNull(at: 14) {
            correction = Correction(
                id: row.string(at: 14),
                // Nothing else is ever written.
                action: CorrectionRecord.Action(rawValue: row.string(at: 15)) ?? .void,
                source: row.string(at: 16), eventID: row.string(at: 17),
                reason: row.string(at: 18))
        }
        self.init(
            key: UsageKey(
                customer: CustomerID(row.string(at: 0)), meter: MeterKey(row.string(at: 1)),
                period: row.period(at: 2)),
            count: row.integer(at: 4), value: row.integer(at: 5), recordedAt: row.timestamp(at: 6),
            cause: cause, correction: correction)
    }
}

extension AdmissionRecord {
    static let columns = "customer, feature, id, quantity, admitted_at, answer"

    init(row: SQLStatement) {
        self.init(
            customer: CustomerID(row.string(at: 0)), feature: FeatureKey(row.string(at: 1)),
            id: row.string(at: 2), quantity: row.integer(at: 3), admittedAt: row.timestamp(at: 4),
            answer: row.string(at: 5))
    }
}

extension SQLError {
    static func overflow(_ meter: MeterKey) -> SQLError {
        SQLError(code: .outOfRange, rawCode: 0, message: "meter \(meter) overflows")
    }
}

extension LedgerError {
    static func aggregationChanged(_ meter: MeterKey) -> LedgerError {
        LedgerError(
            code: .misconfigured,
            message: "meter \(meter) has usage of another aggregation; a meter keeps its"
                + " aggregation: give the new one a new key")
    }
}

extension PartitionClaim {
    /// Columns partition, epoch, next_offset, complete_to.
    init(row: SQLStatement) {
        self.init(
            partition: Int32(truncatingIfNeeded: row.integer(at: 0)), epoch: row.integer(at: 1),
            nextOffset: row.integer(at: 2), completeTo: row.optionalTimestamp(at: 3))
    }
}

extension Reservation {
    static let columns = """
        id, customer, feature, quantity, period_start, period_end, expires_at, state, committed
        """

    init(row: SQLStatement) {
        self.init(
            id: row.string(at: 0), customer: CustomerID(row.string(at: 1)),
            feature: FeatureKey(row.string(at: 2)), quantity: row.integer(at: 3),
            period: row.period(at: 4), expiresAt: row.timestamp(at: 6),
            // The schema allows no other text.
            state: State(rawValue: row.string(at: 7)) ?? .expired, committed: row.integer(at: 8))
    }
}

extension StoredCrossing {
    static let columns = """
        sequence, customer, feature, meter, period_start, period_end, threshold_kind,
        threshold_level, limit_units, used_before, used_after, scale, source, crossed_at,
        resolved_at
        """
    static let columnCount: Int32 = 15

    init(row: SQLStatement) {
        let level = row.integer(at: 7)
        let isShare = row.string(at: 6) == "share"
        self.init(
            sequence: row.integer(at: 0),
            crossing: Crossing(
                customer: CustomerID(row.string(at: 1)), feature: FeatureKey(row.string(at: 2)),
                meter: MeterKey(row.string(at: 3)), period: row.period(at: 4),
                threshold: isShare ? .share(basisPoints: level) : .absolute(level),
                limit: row.optionalInteger(at: 8).map(Limit.finite) ?? .unlimited,
                usedBefore: row.integer(at: 9), usedAfter: row.integer(at: 10),
                scale: Int(row.integer(at: 11)), source: row.string(at: 12),
                crossedAt: row.timestamp(at: 13), resolvedAt: row.optionalTimestamp(at: 14)))
    }
}

extension CrossingChange {
    /// `StoredCrossing.columns`, then sequence, kind, ordinal and time of the change.
    init(row: SQLStatement) {
        let first = StoredCrossing.columnCount
        self.init(
            sequence: row.integer(at: first),
            // The schema allows no other text.
            kind: Kind(rawValue: row.string(at: first + 1)) ?? .reached,
            ordinal: Int(row.integer(at: first + 2)), at: row.timestamp(at: first + 3),
            crossing: StoredCrossing(row: row))
    }
}

extension StoredSetAside {
    static let columns = """
        sequence, kind, partition, record_offset, appended_at, reason, detail, subject, headers,
        payload
        """

    init(row: SQLStatement) {
        self.init(
            sequence: row.integer(at: 0),
            event: SetAsideEvent(
                // The schema allows no other text.
                kind: SetAsideEvent.Kind(rawValue: row.string(at: 1)) ?? .deadLetter,
                partition: Int32(truncatingIfNeeded: row.integer(at: 2)),
                offset: row.integer(at: 3), appendedAt: row.timestamp(at: 4),
                reason: row.string(at: 5), detail: row.string(at: 6), subject: row.string(at: 7),
                headers: row.bytes(at: 8), payload: row.bytes(at: 9)))
    }
}
