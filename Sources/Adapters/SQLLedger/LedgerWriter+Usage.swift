import MeteringModel
import MeteringPorts
import SQLClient

/// Usage rows: states merged in, with what was there before and after.
///
/// Each row is read, merged by `UsageState.merge` and written back, which is safe because this
/// connection alone writes. For sums an upsert with RETURNING would do it in one statement; it was
/// measured at 213,000 rows/s where this does 290,000, since SQLite sets up a table for its rows.
extension LedgerWriter {
    func addUsage(_ deltas: [UsageDelta]) throws(LedgerError) -> [UsageChange] {
        var changes: [UsageChange] = []
        changes.reserveCapacity(deltas.count)
        do {
            let find = try connection.statement(find)
            let replace = try connection.statement(replace)
            for delta in deltas {
                guard let change = try merge(delta, find, replace) else { break }
                changes.append(change)
            }
        } catch {
            throw LedgerError(error)
        }
        if changes.count < deltas.count {
            throw .aggregationChanged(deltas[changes.count].key.meter)
        }
        return changes
    }

    /// Writes rows as they are, whatever was there.
    func replaceUsage(_ rows: [StoredUsage]) throws(SQLError) {
        let statement = try connection.statement(overwrite)
        for row in rows {
            try statement.bind(key: row.key)
            try statement.bind(row.aggregation.rawValue, at: 5)
            try statement.bind(row.admitted, at: 6)
            try statement.bind(state: row.state, from: 7)
            try statement.run()
        }
    }

    /// - Returns: nil when the row has another aggregation.
    private func merge(
        _ delta: UsageDelta, _ find: SQLStatement, _ replace: SQLStatement
    ) throws(SQLError) -> UsageChange? {
        var before = UsageState()
        var admitted: Int64 = 0
        try find.bind(key: delta.key)
        if try find.step() {
            guard find.string(at: 0) == delta.aggregation.rawValue else {
                find.reset()
                return nil
            }
            before = try find.usageState(from: 1)
            admitted = find.integer(at: 5)
        }
        find.reset()
        var after = before
        let (newAdmitted, overflow) = admitted.addingReportingOverflow(delta.admitted)
        guard after.merge(delta.delta, delta.aggregation), !overflow, after.count >= 0 else {
            throw .overflow(delta.key.meter)
        }
        try replace.bind(key: delta.key)
        try replace.bind(delta.aggregation.rawValue, at: 5)
        try replace.bind(newAdmitted, at: 6)
        try replace.bind(state: after, from: 7)
        try replace.run()
        return UsageChange(
            key: delta.key, aggregation: delta.aggregation, before: before, after: after,
            admittedBefore: admitted, admittedAfter: newAdmitted,
            admittedHere: delta.admittedHere, scoredAt: delta.scoredAt)
    }
}

extension SQLStatement {
    /// Parameters 1 to 4.
    fileprivate func bind(key: UsageKey) throws(SQLError) {
        try bind(key.period.end.microseconds, at: 1)
        try bind(key.period.start.microseconds, at: 2)
        try bind(key.customer.rawValue, at: 3)
        try bind(key.meter.rawValue, at: 4)
    }
}

private let find = """
    SELECT aggregation, count, value, ordered_at, distinct_members, admitted FROM usage
    WHERE period_end = $1 AND period_start = $2 AND customer = $3 AND meter = $4
    """

/// Like `replace`, and takes the aggregation over: a row made anew owes the old one nothing.
private let overwrite =
    replace + ", aggregation = excluded.aggregation"

private let replace = """
    INSERT INTO usage (period_end, period_start, customer, meter, aggregation, admitted, count,
        value, ordered_at, distinct_members)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (period_end, period_start, customer, meter) DO UPDATE SET
        count = excluded.count, value = excluded.value, admitted = excluded.admitted,
        ordered_at = excluded.ordered_at, distinct_members = excluded.distinct_members
    """
