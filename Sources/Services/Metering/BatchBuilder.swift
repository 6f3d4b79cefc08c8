import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Spreads the cells of a fold over the rows that the ledger keeps: usage per period, rollups per
/// hour and day.
struct BatchBuilder {
    let snapshot: CatalogSnapshot
    let graceMicroseconds: Int64

    /// The batch, and the units in it that this process had charged at admission.
    func build(
        _ source: PartitionFold, dimensions: borrowing DimensionNames
    ) -> (batch: LedgerBatch, admittedHere: [UsageKey: Int64]) {
        var batch = LedgerBatch(
            partition: source.partition, epoch: source.epoch, baseOffset: source.baseOffset,
            nextOffset: source.nextOffset, completeTo: source.completeTo)
        var usage = RowMerger<UsageKey>()
        var rollups = RowMerger<RollupKey>()
        var admitted: [UsageKey: (all: Int64, here: Int64)] = [:]
        var late: [UsageKey: Adjustment] = [:]
        for cell in source.fold.cells {
            let owner = snapshot.customers[Int(cell.key.customer)]
            let meter = snapshot.meters[Int(cell.key.meter)]
            let at = Timestamp(microseconds: cell.key.segmentStart)
            for period in Segments.quotaPeriods(
                at, snapshot, customer: Int(cell.key.customer), meter: Int(cell.key.meter))
            {
                let key = UsageKey(customer: owner.id, meter: meter.key, period: period)
                usage.merge(key, cell.state, cell.aggregation)
                if cell.admitted != 0 {
                    let known = admitted[key] ?? (0, 0)
                    admitted[key] = (known.all + cell.admitted, known.here + cell.admittedHere)
                }
                if cell.lateCount > 0 { note(cell, key, source.completeTo, &late) }
            }
            let text = dimensions.text(cell.key.dimensions)
            for (window, start) in [
                (RollupWindow.hour, Segments.hour(at).start),
                (.day, Segments.day(at, owner.zone).start),
            ] {
                let key = RollupKey(
                    customer: owner.id, meter: meter.key, window: window, start: start,
                    dimensions: text)
                rollups.merge(key, cell.state, cell.aggregation)
            }
        }
        batch.usage = usage.rows.map {
            UsageDelta(
                key: $0.key, aggregation: $0.aggregation, delta: $0.state,
                admitted: admitted[$0.key]?.all ?? 0)
        }
        batch.rollups = rollups.rows.map {
            RollupDelta(
                customer: $0.key.customer, meter: $0.key.meter, window: $0.key.window,
                start: $0.key.start, dimensions: $0.key.dimensions, aggregation: $0.aggregation,
                delta: $0.state)
        }
        batch.adjustments = Array(late.values)
        batch.dedupeMarks = source.marks
        batch.setAside = source.setAside
        batch.admissions = source.admissions
        batch.reservations = source.reservations
        return (batch, admitted.mapValues(\.here))
    }

    /// Late usage of a period that is closed by now is listed, so that it can be billed apart.
    private func note(
        _ cell: FoldCell, _ key: UsageKey, _ completeTo: Timestamp,
        _ late: inout [UsageKey: Adjustment]
    ) {
        guard completeTo.microseconds(since: key.period.end) >= graceMicroseconds else { return }
        var entry =
            late[key] ?? Adjustment(key: key, count: 0, value: 0, recordedAt: completeTo)
        entry.count += cell.lateCount
        entry.value += cell.lateValue
        late[key] = entry
    }
}

struct RollupKey: Hashable {
    var customer: CustomerID
    var meter: MeterKey
    var window: RollupWindow
    var start: Timestamp
    var dimensions: String
}

/// Merges states that fall on the same row, in order of first appearance.
struct RowMerger<Key: Hashable> {
    private(set) var rows: [(key: Key, aggregation: Aggregation, state: UsageState)] = []
    private var indexes: [Key: Int] = [:]

    mutating func merge(_ key: Key, _ state: UsageState, _ aggregation: Aggregation) {
        if let index = indexes[key] {
            // Bounded by the batch's magnitude (see PartitionFold), so it cannot overflow.
            rows[index].state.merge(state, aggregation)
        } else {
            indexes[key] = rows.count
            rows.append((key, aggregation, state))
        }
    }
}
