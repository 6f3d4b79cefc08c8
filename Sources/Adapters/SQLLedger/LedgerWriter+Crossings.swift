import MeteringModel
import MeteringPorts
import SQLClient

/// Crossings and their outbox. Each change of a crossing's state writes its row of
/// `crossing_changes` in the same transaction; what changes nothing writes none, so a replay tells
/// nobody anything twice.
extension LedgerWriter {
    /// Writes the crossings that are not there yet, opens again those that were resolved, and
    /// resolves those that usage has fallen below.
    /// - Parameter at: when changes are known to have fallen.
    /// - Returns: new ones and those open again.
    func addCrossings(
        of changes: [UsageChange], at: Timestamp, _ score: (UsageChange) -> [Crossing]
    ) throws(SQLError) -> [Crossing] {
        var new: [Crossing] = []
        var fallen: [UsageKey] = []
        var readings: [UsageKey: Int64] = [:]
        for change in changes {
            for crossing in score(change) where try open(crossing) { new.append(crossing) }
            let reading = change.after.reading(change.aggregation)
            if reading < change.before.reading(change.aggregation) { fallen.append(change.key) }
            // A row that comes several times is judged by what it holds in the end.
            if !fallen.isEmpty { readings[change.key] = reading }
        }
        for key in fallen {
            // Gone once it has been looked at.
            guard let used = readings.removeValue(forKey: key) else { continue }
            try resolveCrossings(above: used, in: key, at: at)
        }
        return new
    }

    private func resolveCrossings(
        above used: Int64, in key: UsageKey, at: Timestamp
    ) throws(SQLError) {
        let query = try connection.statement(openCrossingsOfRow)
        try query.bind(key.customer.rawValue, at: 1)
        try query.bind(key.period.end.microseconds, at: 2)
        try query.bind(key.period.start.microseconds, at: 3)
        try query.bind(key.meter.rawValue, at: 4)
        let open = try query.rows { StoredCrossing(row: $0).crossing }
        try resolveCrossings(open.filter { !$0.stands(at: used) }.map(\.id), at: at)
    }

    /// The same for crossings that no usage change made.
    func recordCrossings(_ crossings: [Crossing]) throws(SQLError) {
        for crossing in crossings { _ = try open(crossing) }
    }

    /// The first resolution stays.
    func resolveCrossings(_ ids: [String], at: Timestamp) throws(SQLError) {
        let update = try connection.statement(
            """
            UPDATE crossings SET resolved_at = $1 WHERE id = $2 AND resolved_at IS NULL
            RETURNING sequence
            """)
        for id in ids {
            try update.bind(at.microseconds, at: 1)
            try update.bind(id, at: 2)
            let sequence = try Self.sequence(update)
            if let sequence { try note(.resolved, of: sequence, at: at) }
        }
    }

    /// - Returns: false when it is open already.
    private func open(_ crossing: Crossing) throws(SQLError) -> Bool {
        let insert = try connection.statement(insertCrossing)
        try insert.bind(crossing: crossing)
        if let sequence = try Self.sequence(insert) {
            try note(.reached, of: sequence, at: crossing.crossedAt)
            if let resolvedAt = crossing.resolvedAt {
                try note(.resolved, of: sequence, at: resolvedAt)
            }
            return true
        }
        let reopen = try connection.statement(reopenCrossing)
        try reopen.bind(crossing.usedBefore, at: 1)
        try reopen.bind(crossing.usedAfter, at: 2)
        try reopen.bind(crossing.source, at: 3)
        try reopen.bind(crossing.id, at: 4)
        guard let sequence = try Self.sequence(reopen) else { return false }
        try note(.reopened, of: sequence, at: crossing.crossedAt)
        return true
    }

    private func note(
        _ kind: CrossingChange.Kind, of sequence: Int64, at: Timestamp
    ) throws(SQLError) {
        let insert = try connection.statement(insertChange)
        try insert.bind(sequence, at: 1)
        try insert.bind(kind.rawValue, at: 2)
        try insert.bind(at.microseconds, at: 3)
        try insert.run()
    }

    /// Runs a statement that returns the sequence of the one row it wrote; nil when it wrote none.
    private static func sequence(_ statement: SQLStatement) throws(SQLError) -> Int64? {
        let sequence = try statement.step() ? statement.integer(at: 0) : nil
        try statement.run()
        return sequence
    }
}

extension SQLStatement {
    fileprivate func bind(crossing: Crossing) throws(SQLError) {
        try bind(crossing.id, at: 1)
        try bind(crossing.customer.rawValue, at: 2)
        try bind(crossing.feature.rawValue, at: 3)
        try bind(crossing.meter.rawValue, at: 4)
        try bind(crossing.period.start.microseconds, at: 5)
        try bind(crossing.period.end.microseconds, at: 6)
        switch crossing.threshold {
        case .share(let basisPoints):
            try bind("share", at: 7)
            try bind(basisPoints, at: 8)
        case .absolute(let units):
            try bind("absolute", at: 7)
            try bind(units, at: 8)
        }
        try bind(crossing.limit.finite, at: 9)
        try bind(crossing.usedBefore, at: 10)
        try bind(crossing.usedAfter, at: 11)
        try bind(Int64(crossing.scale), at: 12)
        try bind(crossing.source, at: 13)
        try bind(crossing.crossedAt.microseconds, at: 14)
        try bind(crossing.resolvedAt?.microseconds, at: 15)
    }
}

private let insertCrossing = """
    INSERT INTO crossings (id, customer, feature, meter, period_start, period_end, threshold_kind,
        threshold_level, limit_units, used_before, used_after, scale, source, crossed_at,
        resolved_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (id) DO NOTHING
    RETURNING sequence
    """

/// With the usage that crossed it now; when it was first crossed stays.
private let reopenCrossing = """
    UPDATE crossings SET resolved_at = NULL, used_before = $1, used_after = $2, source = $3
    WHERE id = $4 AND resolved_at IS NOT NULL
    RETURNING sequence
    """

private let openCrossingsOfRow = """
    SELECT \(StoredCrossing.columns) FROM crossings
    WHERE customer = $1 AND period_end = $2 AND period_start = $3 AND meter = $4
        AND resolved_at IS NULL
    """

private let insertChange = """
    INSERT INTO crossing_changes (crossing, kind, ordinal, changed_at)
    SELECT $1, $2, coalesce(max(ordinal), 0) + 1, $3 FROM crossing_changes WHERE crossing = $1
    """
