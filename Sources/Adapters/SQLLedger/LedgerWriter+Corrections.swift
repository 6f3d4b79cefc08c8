import MeteringModel
import MeteringPorts
import SQLClient

/// Corrections of single events, each in a savepoint: one that would take more out of a row than
/// there is in it is refused and set aside, and nobody else's usage waits for it.
extension LedgerWriter {
    /// - Returns: what rows of usage went through, in order.
    func apply(_ corrections: [LedgerCorrection]) throws(LedgerError) -> [UsageChange] {
        var changes: [UsageChange] = []
        for correction in corrections {
            if try isKnown(correction.record.id) { continue }
            do throws(LedgerError) {
                changes += try connection.savepoint(mapping: { LedgerError($0) }) {
                    () throws(LedgerError) in try write(correction)
                }
            } catch {
                guard error.code == .overflow || error.code == .misconfigured else { throw error }
                try refuse(correction.record)
            }
        }
        return changes
    }

    /// Rows of rollups as they are, whatever was there; one without events goes.
    func replaceRollups(_ rows: [RollupDelta]) throws(SQLError) {
        let replace = try connection.statement(overwriteRollup)
        let remove = try connection.statement(removeRollup)
        for row in rows {
            let statement = row.delta.count == 0 ? remove : replace
            try statement.bind(rollup: row, dimensions: row.dimensions)
            if row.delta.count != 0 {
                try statement.bind(row.aggregation.rawValue, at: 6)
                try statement.bind(state: row.delta, from: 7)
            }
            try statement.run()
        }
    }

    /// Their rows have been made anew.
    func settle(_ ids: [String]) throws(SQLError) {
        let update = try connection.statement("UPDATE corrections SET pending = 0 WHERE id = $1")
        for id in ids {
            try update.bind(id, at: 1)
            try update.run()
        }
    }

    private func isKnown(_ id: String) throws(LedgerError) -> Bool {
        do {
            let query = try connection.statement("SELECT 1 FROM corrections WHERE id = $1")
            defer { query.reset() }
            try query.bind(id, at: 1)
            return try query.step()
        } catch {
            throw LedgerError(error)
        }
    }

    private func write(_ correction: LedgerCorrection) throws(LedgerError) -> [UsageChange] {
        let changes = try addUsage(correction.usage)
        do throws(SQLError) {
            var hasFoundAny = !changes.isEmpty || correction.rollups.isEmpty
            let at = (correction.record.removed ?? correction.record.added)?.at
            for rollup in correction.rollups where try change(rollup, at) { hasFoundAny = true }
            // Hour rows may have been dropped for their age; not all there is of an event.
            if !hasFoundAny { throw .overflow(correction.rollups[0].delta.meter) }
            try addAdjustments(correction.adjustments)
            try insert(correction.record, isPending: correction.needsRecount)
        } catch {
            throw LedgerError(error)
        }
        return changes
    }

    /// - Parameter at: of the event that is taken out.
    /// - Returns: false when there is no row to take the event out of.
    private func change(
        _ rollup: LedgerCorrection.Rollup, _ at: Timestamp?
    ) throws(SQLError) -> Bool {
        if try change(rollup.delta, or: rollup.otherDimensions) { return true }
        if rollup.delta.delta.count <= 0 {
            if let at { return try changeEarlier(rollup, at) }
            return false
        }
        try put(rollup.delta, rollup.delta.dimensions, rollup.delta.delta)
        return true
    }

    /// An event that was counted when its customer had another time zone stands where a row began in
    /// that one: of the rows that may hold it, the latest that has enough.
    private func changeEarlier(
        _ rollup: LedgerCorrection.Rollup, _ at: Timestamp
    ) throws(SQLError) -> Bool {
        let before = try connection.statement(rollupStartBefore)
        let first = at.adding(seconds: -Self.secondsMax(rollup.delta.window)).microseconds
        var end = at.microseconds
        for _ in 0..<Self.startsMax {
            try before.bind(rollup.delta.window.rawValue, at: 1)
            try before.bind(end, at: 2)
            var start: Int64?
            if try before.step() { start = before.integer(at: 0) }
            before.reset()
            guard let start, start > first else { return false }
            var delta = rollup.delta
            delta.start = Timestamp(microseconds: start)
            if try change(delta, or: rollup.otherDimensions) { return true }
            end = start - 1
        }
        return false
    }

    /// Starts of rows, of whatever customers, that are looked at for one event.
    private static let startsMax = 10_000

    /// How long before an event the row that holds it can begin, in whatever zone.
    private static func secondsMax(_ window: RollupWindow) -> Int64 {
        switch window {
        case .hour: 3_600
        case .day: 86_400
        case .month: 31 * 86_400
        }
    }

    /// - Returns: false when there is no such row, or less in it than is taken out.
    private func change(
        _ delta: RollupDelta, or otherDimensions: String
    ) throws(SQLError) -> Bool {
        let find = try connection.statement(findRollup)
        let choices = [delta.dimensions, otherDimensions]
        for dimensions in delta.dimensions == otherDimensions ? [delta.dimensions] : choices {
            try find.bind(rollup: delta, dimensions: dimensions)
            guard try find.step() else {
                find.reset()
                continue
            }
            let aggregation = find.string(at: 0)
            var state = try find.usageState(from: 1)
            find.reset()
            guard aggregation == delta.aggregation.rawValue,
                state.merge(delta.delta, delta.aggregation)
            else { throw .overflow(delta.meter) }
            if state.count < 0 { continue }
            try put(delta, dimensions, state)
            return true
        }
        return false
    }

    private func put(
        _ row: RollupDelta, _ dimensions: String, _ state: UsageState
    ) throws(SQLError) {
        var row = row
        row.dimensions = dimensions
        row.delta = state
        try replaceRollups([row])
    }

    private func refuse(_ record: CorrectionRecord) throws(LedgerError) {
        var refused = record
        refused.refusal =
            "the ledger holds less than the correction takes out: the event was not counted as it "
            + "would be now, because its meters were defined or its customer was moved since"
        do throws(SQLError) {
            try insert(refused, isPending: false)
            try addSetAside([
                SetAsideEvent(
                    kind: .deadLetter, partition: record.position.partition,
                    offset: record.position.offset, appendedAt: record.recordedAt,
                    reason: "correction_refused",
                    detail: "\(record.action.rawValue) of event \(record.eventID) of "
                        + "\(record.source): \(refused.refusal ?? "")")
            ])
        } catch {
            throw LedgerError(error)
        }
    }

    private func insert(_ record: CorrectionRecord, isPending: Bool) throws(SQLError) {
        let insert = try connection.statement(insertCorrection)
        try insert.bind(correction: record)
        try insert.bind(isPending ? 1 : 0, at: CorrectionRecord.columnCount + 1)
        try insert.run()
    }
}

extension SQLStatement {
    /// Parameters 1 to 5.
    fileprivate func bind(rollup: RollupDelta, dimensions: String) throws(SQLError) {
        try bind(rollup.window.rawValue, at: 1)
        try bind(rollup.start.microseconds, at: 2)
        try bind(rollup.customer.rawValue, at: 3)
        try bind(rollup.meter.rawValue, at: 4)
        try bind(dimensions, at: 5)
    }
}

private let findRollup = """
    SELECT aggregation, count, value, ordered_at, distinct_members FROM rollups
    WHERE rollup_window = $1 AND window_start = $2 AND customer = $3 AND meter = $4
        AND dimensions = $5
    """

private let rollupStartBefore = """
    SELECT window_start FROM rollups WHERE rollup_window = $1 AND window_start <= $2
    ORDER BY window_start DESC LIMIT 1
    """

private let removeRollup = """
    DELETE FROM rollups
    WHERE rollup_window = $1 AND window_start = $2 AND customer = $3 AND meter = $4
        AND dimensions = $5
    """

private let overwriteRollup = """
    INSERT INTO rollups (rollup_window, window_start, customer, meter, dimensions, aggregation,
        count, value, ordered_at, distinct_members)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (rollup_window, window_start, customer, meter, dimensions) DO UPDATE SET
        aggregation = excluded.aggregation, count = excluded.count, value = excluded.value,
        ordered_at = excluded.ordered_at, distinct_members = excluded.distinct_members
    """

private let insertCorrection = """
    INSERT INTO corrections (\(CorrectionRecord.columns), pending)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        $20, $21)
    """
