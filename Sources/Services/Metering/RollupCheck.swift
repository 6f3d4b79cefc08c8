import Entitlements
import MeteringModel
import MeteringPorts

/// Holds usage rows and rollups of each window against each other: usage of every period must be
/// the sum of its rollups, whatever their dimensions.
///
/// What a window cannot tell is left out: periods that begin before the window's rollups are kept or
/// were cut, and of days and months those whose bounds are not midnights or firsts in the zone that
/// the rollups were counted in.
struct RollupCheck {
    struct Finding {
        var key: UsageKey
        var store: String
        var inUsage: Int64
        var inRollups: Int64
    }

    private struct Owned: Hashable {
        var customer: CustomerID
        var meter: MeterKey
        /// Magnitude of the periods' length: those of one are nearly equally long, so that few of
        /// them lie around one instant.
        var magnitude: Int
    }

    private struct Row {
        var usage: StoredUsage
        var sum = UsageState()
        /// A rollup straddles a bound, or was counted in another zone.
        var isUnsure = false
    }

    private let snapshot: CatalogSnapshot
    private let kept: RollupsKept

    init(_ snapshot: CatalogSnapshot, _ kept: RollupsKept) {
        self.snapshot = snapshot
        self.kept = kept
    }

    /// - Parameter usage: rows that the timelines keep.
    /// - Returns: how many rows were compared, and those that differ.
    func compare(
        _ usage: [StoredUsage], _ window: RollupWindow, _ queries: any LedgerQueries
    ) throws(LedgerError) -> (count: Int64, findings: [Finding]) {
        var rows: [Owned: [Row]] = [:]
        for row in usage where isTold(row.key, window) {
            rows[Self.owned(row.key), default: []].append(Row(usage: row))
        }
        for key in rows.keys {
            rows[key]?.sort { $0.usage.key.period.start < $1.usage.key.period.start }
        }
        var magnitudes: [Owned: Set<Int>] = [:]
        for key in rows.keys {
            var pair = key
            pair.magnitude = 0
            magnitudes[pair, default: []].insert(key.magnitude)
        }
        let customers = usage.map(\.key.customer)
        guard let first = customers.min(), let last = customers.max() else { return (0, []) }
        try queries.rollups(window, of: first...last) { customer, meter, _, rollup in
            let pair = Owned(customer: customer, meter: meter, magnitude: 0)
            guard let known = magnitudes[pair] else { return }
            let end = end(of: rollup.start, customer, window)
            for magnitude in known {
                let owned = Owned(customer: customer, meter: meter, magnitude: magnitude)
                Self.add(rollup, end, to: &rows[owned, default: []])
            }
        }
        var count: Int64 = 0
        var findings: [Finding] = []
        for row in rows.values.joined() where !row.isUnsure {
            count += 1
            let aggregation = row.usage.aggregation
            let stored = row.usage.state
            if row.sum.count == stored.count,
                row.sum.reading(aggregation) == stored.reading(aggregation)
            {
                continue
            }
            findings.append(
                Finding(
                    key: row.usage.key, store: "rollups_\(window.rawValue)",
                    inUsage: stored.reading(aggregation),
                    inRollups: row.sum.reading(aggregation)))
        }
        return (count, findings)
    }

    /// Adds a rollup to the periods that it lies in.
    /// - Parameter end: of its day or month; nil: it straddles nothing.
    private static func add(_ rollup: StoredRollup, _ end: Timestamp?, to rows: inout [Row]) {
        let reach = end ?? rollup.start
        // The first row that begins after the rollup, by halving.
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            let isBefore = rows[middle].usage.key.period.start <= reach
            if isBefore { low = middle + 1 } else { high = middle }
        }
        var index = low
        while index > 0 {
            index -= 1
            let period = rows[index].usage.key.period
            if period.contains(rollup.start) {
                rows[index].sum.merge(rollup.state, rows[index].usage.aggregation)
                if let end, end > period.end { rows[index].isUnsure = true }
            } else if let end, rollup.start < period.start, period.start < end {
                rows[index].isUnsure = true
            } else if period.end <= rollup.start,
                // Neighbours are less than twice as long.
                rollup.start.microseconds(since: period.start)
                    > 2 * period.end.microseconds(since: period.start)
            {
                return
            }
        }
    }

    /// Whether rollups of the window tell the usage of a period.
    private func isTold(_ key: UsageKey, _ window: RollupWindow) -> Bool {
        guard let number = snapshot.customerIndex(key.customer) else { return false }
        let zone = snapshot.customer(number).zone
        let bounds = [key.period.start, key.period.end]
        switch window {
        case .hour:
            return key.period.start >= max(kept.hoursFrom, kept.cutFrom)
        case .day:
            return key.period.start >= kept.daysFrom
                && bounds.allSatisfy { Segments.day($0, zone).start == $0 }
        case .month:
            return key.period == .lifetime
                || bounds.allSatisfy { Segments.month($0, zone).start == $0 }
        }
    }

    private func end(
        of start: Timestamp, _ customer: CustomerID, _ window: RollupWindow
    ) -> Timestamp? {
        guard window != .hour, let number = snapshot.customerIndex(customer) else { return nil }
        let zone = snapshot.customer(number).zone
        let period =
            window == .day ? Segments.day(start, zone) : Segments.month(start, zone)
        if period.start == start { return nil }
        // Of another zone: how far it reaches is not known to the second.
        return start.adding(seconds: window == .day ? 26 * 3_600 : 32 * 86_400)
    }

    private static func owned(_ key: UsageKey) -> Owned {
        let length = key.period.end.microseconds(since: key.period.start)
        return Owned(
            customer: key.customer, meter: key.meter,
            magnitude: 64 - length.leadingZeroBitCount)
    }
}
