package import MeteringModel

/// A ledger of which only a part is kept, for tests and benchmarks: the rest is empty, or looked up
/// by its lists. A real one declares `LedgerQueries` itself, so that the compiler asks for it all.
package protocol PartialLedger: LedgerQueries {}

extension PartialLedger {
    package func usage(_ keys: [UsageKey]) throws(LedgerError) -> [UsageKey: StoredUsage] {
        var rows: [UsageKey: StoredUsage] = [:]
        for key in keys { rows[key] = try usage(key) }
        return rows
    }

    package func crossings(
        of customer: CustomerID, periodsEndingAfter instant: Timestamp
    ) throws(LedgerError) -> [StoredCrossing] {
        var found: [StoredCrossing] = []
        var after: Int64 = 0
        while true {
            let page = try crossings(customer: customer, since: nil, after: after, limit: 1_000)
            guard let last = page.last else { return found }
            after = last.sequence
            found += page.filter { $0.crossing.period.end > instant }
        }
    }

    package func admissions(
        of customer: CustomerID, since: Timestamp
    ) throws(LedgerError) -> [AdmissionRecord] {
        try admissions(since: since).filter { $0.customer == customer }
    }

    package func usageBegins() throws(LedgerError) -> Timestamp? { .distantPast }

    package func rollupStarts(
        _ query: RollupQuery, limit: Int
    ) throws(LedgerError) -> [Timestamp] {
        var starts: [Timestamp] = []
        for row in try rollups(query) where row.start != starts.last { starts.append(row.start) }
        return Array(starts.prefix(limit))
    }

    package func rollups(
        _ window: RollupWindow, of customers: ClosedRange<CustomerID>,
        _ body: (CustomerID, MeterKey, Aggregation, StoredRollup) -> Void
    ) throws(LedgerError) {}

    package func rollupsKept() throws(LedgerError) -> RollupsKept { RollupsKept() }

    package func periodsBegin(
        endingAfter instant: Timestamp
    ) throws(LedgerError) -> Timestamp? {
        var first: Timestamp?
        try liveUsage(endingAfter: instant) { row in
            let start = row.key.period.start
            if start > .distantPast { first = min(first ?? start, start) }
        }
        return first
    }

    package func dimensionSets(since month: Int32) throws(LedgerError) -> [DimensionSet] { [] }

    package func crossingChanges(
        after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [CrossingChange] {
        try crossings(customer: nil, since: nil, after: sequence, limit: limit).map {
            CrossingChange(
                sequence: $0.sequence, kind: .reached, ordinal: 1, at: $0.crossing.crossedAt,
                crossing: $0)
        }
    }

    package func adjustments(
        after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [(sequence: Int64, adjustment: Adjustment)] {
        let all = try adjustments(customer: nil).enumerated().map {
            (sequence: Int64($0.offset + 1), adjustment: $0.element)
        }
        return Array(all.filter { $0.sequence > sequence }.prefix(limit))
    }

    package func position(ofEvent fingerprint: UInt64) throws(LedgerError) -> LogPosition? { nil }
    package func countedOffsets(
        partition: Int32, in range: Range<Int64>
    ) throws(LedgerError) -> Set<Int64>? { nil }
    package func firstOffsets(
        appendedSince instant: Timestamp
    ) throws(LedgerError) -> [Int32: Int64] { [:] }
    package func correction(_ id: String) throws(LedgerError) -> CorrectionRecord? { nil }
    package func corrections(
        ofEvent id: String, source: String
    ) throws(LedgerError) -> [CorrectionRecord] { [] }
    package func corrections(
        customer: CustomerID?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [(sequence: Int64, record: CorrectionRecord)] { [] }
    package func pendingCorrections(limit: Int) throws(LedgerError) -> [CorrectionRecord] { [] }
}

/// The writing side of a ledger that does without retention and repairs, for tests and benchmarks.
package protocol PartialUsageLedger: UsageLedger {}

extension PartialUsageLedger {
    package func fillMonths(
        start: (CustomerID, Timestamp) -> Timestamp
    ) throws(LedgerError) -> Int64 { 0 }

    package func pruneRollups(
        _ window: RollupWindow, before instant: Timestamp, limit: Int
    ) throws(LedgerError) -> Bool { false }

    package func pruneDimensionSets(before month: Int32) throws(LedgerError) {}

    /// One after the other, for ledgers that gain nothing by doing it together.
    package func commitAll(
        _ batches: [LedgerBatch], score: (Int, UsageChange) -> [Crossing]
    ) -> [Result<LedgerCommit, LedgerError>] {
        batches.enumerated().map { index, batch in
            do throws(LedgerError) {
                return .success(try commit(batch) { score(index, $0) })
            } catch {
                return .failure(error)
            }
        }
    }
}
