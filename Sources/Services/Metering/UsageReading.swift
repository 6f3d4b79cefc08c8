import MeteringModel
import MeteringPorts

/// Reads one page of a customer's usage: window after window of the customer's zone, so that no more
/// than one window and the page itself are held in memory.
///
/// Months are read from month rollups where those were counted in the zone of now, else from days, and
/// days in the same way from hours.
struct UsageReading {
    private let query: UsageQuery
    private let meter: MeterDefinition
    private let zone: TimeZoneRules
    private let rule: PeriodRule
    private let filter: DimensionFilter
    private let from: Timestamp
    private let to: Timestamp
    private let cursor: UsageCursor?

    /// Starts that are looked up at once.
    private static let startsMax = 256

    /// - Throws: `.invalid` for what the question gets wrong.
    init(
        _ query: UsageQuery, _ meter: MeterDefinition, zone: TimeZoneRules, now: Timestamp
    ) throws(QueryError) {
        self.query = query
        self.meter = meter
        self.zone = zone
        let unit: PeriodUnit =
            switch query.window {
            case .hour: .hour
            case .day: .day
            case .month: .month
            }
        rule = Self.rule(unit)
        filter = try DimensionFilter(query, meter)
        let start = query.from ?? Segments.month(now, zone).start
        to = query.to ?? now.adding(seconds: 1)
        guard start < to else {
            throw QueryError(code: .invalid, message: "from must be before to")
        }
        guard (1...UsageQuery.limitMax).contains(query.limit) else {
            throw QueryError(
                code: .invalid, message: "limit must be 1 to \(UsageQuery.limitMax)")
        }
        let question = UsageCursor.question(query)
        cursor = try query.cursor.map { text throws(QueryError) in
            try UsageCursor(text, of: question, valueCount: query.groupBy.count)
        }
        // Whole windows: the one that `start` lies in counts in full.
        from = max(
            rule.period(containing: start, zone: zone).start, cursor?.start ?? .distantPast)
    }

    /// - Throws: `.windowNotKept` when windows asked for are gone.
    func check(_ kept: RollupsKept) throws(QueryError) {
        let (first, wider): (Timestamp, String)
        switch query.window {
        case .hour:
            first = RollupReading.firstStart(Self.rule(.day), kept.hoursFrom, zone)
            wider = "day"
        case .day:
            first = RollupReading.firstStart(Self.rule(.month), kept.daysFrom, zone)
            wider = "month"
        case .month: return
        }
        if from >= first { return }
        throw QueryError(
            code: .windowNotKept,
            message: "usage by \(query.window.rawValue) is kept from \(first.rfc3339()) on; ask for"
                + " window=\(wider), or give a later from")
    }

    func page(
        _ queries: any LedgerQueries, _ kept: RollupsKept
    ) throws(LedgerError) -> (windows: [UsageReport.Window], next: String?) {
        let source = try source(queries, kept)
        var found: [UsageReport.Window] = []
        var position = from
        while found.count <= query.limit {
            let starts = try queries.rollupStarts(
                rollups(source, position, to), limit: Self.startsMax)
            if starts.isEmpty { break }
            for start in starts where start >= position && found.count <= query.limit {
                let window = rule.period(containing: start, zone: zone)
                found += try rows(of: window, source, queries)
                position = window.end
            }
        }
        let page = Array(found.prefix(query.limit))
        guard found.count > query.limit, let last = page.last else { return (page, nil) }
        return (page, UsageCursor(last, query).text)
    }

    /// The widest rollups that the windows are made up of: months and days only where all of them
    /// were counted in the zone of now, and months only where all are whole. What is not kept any more
    /// leaves wider ones of another zone as the best there is.
    private func source(
        _ queries: any LedgerQueries, _ kept: RollupsKept
    ) throws(LedgerError) -> RollupWindow {
        if query.window == .hour { return .hour }
        let day = Self.rule(.day)
        if query.window == .month {
            if from < RollupReading.firstStart(rule, kept.daysFrom, zone) { return .month }
            let isWhole =
                query.to.map { rule.period(containing: $0, zone: zone).start == $0 } ?? true
            if isWhole, try areOurs(.month, rule, queries) { return .month }
        }
        if from < RollupReading.firstStart(day, kept.hoursFrom, zone) { return .day }
        return try areOurs(.day, day, queries) ? .day : .hour
    }

    private func areOurs(
        _ window: RollupWindow, _ rule: PeriodRule, _ queries: any LedgerQueries
    ) throws(LedgerError) -> Bool {
        // No zone's month or day begins earlier before ours.
        let begin = from.adding(seconds: -2 * 86_400)
        let starts = try queries.rollupStarts(rollups(window, begin, to), limit: 10_000)
        return starts.allSatisfy { rule.period(containing: $0, zone: zone).start == $0 }
    }

    /// The rows of one window after the cursor, by group.
    private func rows(
        of window: Period, _ source: RollupWindow, _ queries: any LedgerQueries
    ) throws(LedgerError) -> [UsageReport.Window] {
        var merged: [[ByteText]: UsageState] = [:]
        for row in try queries.rollups(rollups(source, window.start, min(window.end, to))) {
            guard let group = filter.group(row.dimensions) else { continue }
            guard merged[group, default: UsageState()].merge(row.state, meter.aggregation) else {
                throw LedgerError(
                    code: .overflow,
                    message: "usage of \(meter.key) in one window leaves the range of 64-bit units;"
                        + " ask for a narrower window")
            }
        }
        return merged.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .filter { cursor?.isBefore(window.start, $0.key) ?? true }
            .map { values, state in
                UsageReport.Window(
                    start: window.start, end: window.end,
                    value: state.reading(meter.aggregation), count: state.count,
                    group: Dictionary(
                        zip(query.groupBy, values.map(\.text)), uniquingKeysWith: { $1 }))
            }
    }

    private func rollups(
        _ window: RollupWindow, _ from: Timestamp, _ to: Timestamp
    ) -> RollupQuery {
        RollupQuery(
            customer: query.customer, meter: meter.key, window: window, from: from, to: to)
    }

    private static func rule(_ unit: PeriodUnit) -> PeriodRule {
        PeriodRule(unit: unit, anchor: .calendar)
    }
}
