import MeteringModel
import MeteringPorts
import UsageAggregation

/// Takes out of a batch what would push a stored total out of Int64, and sets it aside, so that one
/// customer's impossible number does not stop everybody's metering.
struct OverflowGuard {
    let queries: any LedgerQueries

    func withoutOverflow(_ batch: LedgerBatch) -> LedgerBatch {
        var kept = batch
        var number: Int64 = 0
        var refused: Set<String> = []
        var sums: [UsageKey: Int64] = [:]
        kept.usage = batch.usage.filter { row in
            if fits(row, &sums) { return true }
            refused.insert(owner(row.key.customer, row.key.meter))
            return false
        }
        kept.rollups = batch.rollups.filter { row in
            // A rollup is part of a usage row or smaller than Int64 by itself: go with its owner.
            if refused.contains(owner(row.customer, row.meter)) { return false }
            return row.window != .hour || fits(row)
        }
        for row in batch.usage where refused.contains(owner(row.key.customer, row.key.meter)) {
            kept.setAside.append(
                SetAsideEvent(
                    kind: .deadLetter, partition: batch.partition,
                    // Below zero, so that it cannot meet a record's own entry.
                    offset: -(batch.nextOffset * 1_000 + number) - 1, appendedAt: batch.completeTo,
                    reason: "total_overflow",
                    detail: "\(row.delta.count) events with a total of \(row.delta.value) units of "
                        + "meter \(row.key.meter) for customer \(row.key.customer) do not fit what is "
                        + "stored: 64 bits, or another aggregation",
                    payload: []))
            number += 1
        }
        return kept
    }

    private func owner(_ customer: CustomerID, _ meter: MeterKey) -> String {
        "\(customer.rawValue.utf8.count):\(customer)\(meter)"
    }

    /// - Parameter sums: what rows hold with those deltas of the batch that were found to fit.
    private func fits(_ row: UsageDelta, _ sums: inout [UsageKey: Int64]) -> Bool {
        let stored = try? queries.usage(row.key)
        if let stored, stored.aggregation != row.aggregation { return false }
        guard row.aggregation.isAdditive || row.aggregation == .avg else { return true }
        let before = sums[row.key] ?? stored?.state.value ?? 0
        let (sum, overflow) = before.addingReportingOverflow(row.delta.value)
        if !overflow { sums[row.key] = sum }
        return !overflow
    }

    private func fits(_ row: RollupDelta) -> Bool {
        let query = RollupQuery(
            customer: row.customer, meter: row.meter, window: row.window, from: row.start,
            to: row.start.adding(seconds: 1))
        guard row.aggregation.isAdditive || row.aggregation == .avg,
            let stored = try? queries.rollups(query)
        else { return true }
        return !stored.contains {
            $0.dimensions == row.dimensions
                && $0.state.value.addingReportingOverflow(row.delta.value).overflow
        }
    }
}
