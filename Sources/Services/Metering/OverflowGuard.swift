import MeteringModel
import MeteringPorts
import UsageAggregation

/// Takes out of a batch what would push a stored total out of Int64, and sets it aside, so that one
/// customer's impossible number does not stop everybody's metering.
struct OverflowGuard {
    let queries: any LedgerQueries

    func withoutOverflow(_ batch: LedgerBatch) -> LedgerBatch {
        var kept = batch
        var refused: Set<String> = []
        var sums: [UsageKey: Int64] = [:]
        for row in batch.usage where !fits(row, &sums) {
            refused.insert(owner(row.key.customer, row.key.meter))
        }
        for row in batch.rollups {
            // Most rollups are part of a usage row; not those of customers without a quota.
            let owner = owner(row.customer, row.meter)
            if !refused.contains(owner), !fits(row) { refused.insert(owner) }
        }
        kept.usage.removeAll { refused.contains(owner($0.key.customer, $0.key.meter)) }
        kept.rollups.removeAll { refused.contains(owner($0.customer, $0.meter)) }
        var reported: Set<String> = []
        for row in batch.usage where refused.contains(owner(row.key.customer, row.key.meter)) {
            reported.insert(owner(row.key.customer, row.key.meter))
            kept.setAside.append(
                refusal(batch, kept.setAside.count, row.key.customer, row.key.meter, row.delta))
        }
        for row in batch.rollups where row.window == .day {
            let owner = owner(row.customer, row.meter)
            guard refused.contains(owner), !reported.contains(owner) else { continue }
            kept.setAside.append(
                refusal(batch, kept.setAside.count, row.customer, row.meter, row.delta))
        }
        return kept
    }

    private func refusal(
        _ batch: LedgerBatch, _ number: Int, _ customer: CustomerID, _ meter: MeterKey,
        _ delta: UsageState
    ) -> SetAsideEvent {
        SetAsideEvent(
            kind: .deadLetter, partition: batch.partition,
            // Below zero, so that it cannot meet a record's own entry.
            offset: -(batch.nextOffset * 100_000 + Int64(number)) - 1, appendedAt: batch.completeTo,
            reason: "total_overflow",
            detail: "\(delta.count) events with a total of \(delta.value) units of meter \(meter) "
                + "for customer \(customer) do not fit what is stored: 64 bits, or another "
                + "aggregation",
            payload: [])
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
            to: Timestamp(microseconds: row.start.microseconds + 1))
        guard row.aggregation.isAdditive || row.aggregation == .avg,
            let stored = try? queries.rollups(query)
        else { return true }
        return !stored.contains {
            $0.dimensions == row.dimensions
                && $0.state.value.addingReportingOverflow(row.delta.value).overflow
        }
    }
}
