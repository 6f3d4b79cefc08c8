import MeteringModel
import MeteringPorts
import SQLClient

/// Rollup rows. Nobody needs their states before and after, so the database itself adds sums; the
/// other aggregations are merged as usage rows are.
extension LedgerWriter {
    func addRollups(_ deltas: [RollupDelta]) throws(LedgerError) {
        var refused: MeterKey?
        do {
            var sum = RollupBinder(try connection.statement(addSum))
            let find = try connection.statement(find)
            let replace = try connection.statement(replace)
            for delta in deltas {
                let isDone =
                    delta.aggregation.mergesBySum && delta.delta.count > 0
                    ? try add(delta, &sum) : try merge(delta, find, replace)
                if isDone { continue }
                refused = delta.meter
                break
            }
        } catch {
            throw LedgerError(error)
        }
        if let refused { throw .aggregationChanged(refused) }
    }

    /// Puts hours cut anew in the place of their rows.
    func replaceRollups(_ hours: [RecutHour]) throws(SQLError) {
        let clear = try connection.statement(clearHour)
        let replace = try connection.statement(replace)
        for hour in hours {
            try clear.bind(hour.hour.start.microseconds, at: 1)
            try clear.bind(hour.hour.end.microseconds, at: 2)
            try clear.bind(hour.customer.rawValue, at: 3)
            try clear.bind(hour.meter.rawValue, at: 4)
            try clear.run()
            for row in hour.rows {
                try replace.bind(
                    key: RollupDelta(
                        customer: hour.customer, meter: hour.meter, window: .hour,
                        start: row.start, dimensions: row.dimensions,
                        aggregation: hour.aggregation, delta: row.state))
                try replace.bind(hour.aggregation.rawValue, at: 6)
                try replace.bind(state: row.state, from: 7)
                try replace.run()
            }
        }
    }

    func addDimensionSets(_ sets: [DimensionSet]) throws(SQLError) {
        if sets.isEmpty { return }
        let insert = try connection.statement(
            """
            INSERT INTO dimension_sets (month, meter, hash) VALUES ($1, $2, $3)
            ON CONFLICT (month, meter, hash) DO NOTHING
            """)
        for set in sets {
            try insert.bind(Int64(set.month), at: 1)
            try insert.bind(set.meter.rawValue, at: 2)
            try insert.bind(Int64(bitPattern: set.hash), at: 3)
            try insert.run()
        }
    }

    /// - Returns: false when the row has another aggregation.
    private func add(_ delta: RollupDelta, _ sum: inout RollupBinder) throws(SQLError) -> Bool {
        try sum.bind(delta)
        try sum.statement.bind(delta.delta.count, at: 7)
        try sum.statement.bind(delta.delta.value, at: 8)
        try sum.statement.run()
        return connection.changedRows == 1
    }

    /// - Returns: false when the row has another aggregation.
    private func merge(
        _ delta: RollupDelta, _ find: SQLStatement, _ replace: SQLStatement
    ) throws(SQLError) -> Bool {
        var state = UsageState()
        try find.bind(key: delta)
        if try find.step() {
            guard find.string(at: 0) == delta.aggregation.rawValue else {
                find.reset()
                return false
            }
            state = try find.usageState(from: 1)
        }
        find.reset()
        guard state.merge(delta.delta, delta.aggregation) else {
            throw .overflow(delta.meter)
        }
        try replace.bind(key: delta)
        try replace.bind(delta.aggregation.rawValue, at: 6)
        try replace.bind(state: state, from: 7)
        try replace.run()
        return true
    }
}

/// Binds parameters 1 to 6 of one row after the other. A parameter keeps its value over executions,
/// so only what is another one is bound: few, as rows come in the order of their keys.
private struct RollupBinder {
    let statement: SQLStatement
    private var last: RollupDelta?

    init(_ statement: SQLStatement) { self.statement = statement }

    mutating func bind(_ row: RollupDelta) throws(SQLError) {
        if last?.window != row.window { try statement.bind(row.window.rawValue, at: 1) }
        if last?.start != row.start { try statement.bind(row.start.microseconds, at: 2) }
        if last?.customer != row.customer { try statement.bind(row.customer.rawValue, at: 3) }
        if last?.meter != row.meter { try statement.bind(row.meter.rawValue, at: 4) }
        try statement.bind(row.dimensions, at: 5)
        if last?.aggregation != row.aggregation {
            try statement.bind(row.aggregation.rawValue, at: 6)
        }
        last = row
    }
}

extension Aggregation {
    /// Whether `UsageState.merge` only adds counts and values.
    fileprivate var mergesBySum: Bool { self == .count || self == .sum || self == .avg }
}

extension SQLStatement {
    /// Parameters 1 to 5.
    fileprivate func bind(key delta: RollupDelta) throws(SQLError) {
        try bind(delta.window.rawValue, at: 1)
        try bind(delta.start.microseconds, at: 2)
        try bind(delta.customer.rawValue, at: 3)
        try bind(delta.meter.rawValue, at: 4)
        try bind(delta.dimensions, at: 5)
    }
}

private let addSum = """
    INSERT INTO rollups (rollup_window, window_start, customer, meter, dimensions, aggregation,
        count, value)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (rollup_window, window_start, customer, meter, dimensions) DO UPDATE SET
        count = rollups.count + excluded.count, value = rollups.value + excluded.value
    WHERE rollups.aggregation = excluded.aggregation
    """

private let clearHour = """
    DELETE FROM rollups WHERE rollup_window = 'hour' AND window_start >= $1 AND window_start < $2
        AND customer = $3 AND meter = $4
    """

private let find = """
    SELECT aggregation, count, value, ordered_at, distinct_members FROM rollups
    WHERE rollup_window = $1 AND window_start = $2 AND customer = $3 AND meter = $4
        AND dimensions = $5
    """

private let replace = """
    INSERT INTO rollups (rollup_window, window_start, customer, meter, dimensions, aggregation,
        count, value, ordered_at, distinct_members)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (rollup_window, window_start, customer, meter, dimensions) DO UPDATE SET
        count = excluded.count, value = excluded.value, ordered_at = excluded.ordered_at,
        distinct_members = excluded.distinct_members
    """
