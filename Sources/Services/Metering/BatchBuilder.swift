import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Spreads the cells of a fold over the rows that the ledger keeps: usage per period, rollups per
/// hour, day and month; of the customer and of everybody above it in the tree.
struct BatchBuilder {
    let segments: Segments
    let graceMicroseconds: Int64

    init(_ segments: Segments, _ settings: MeteringSettings) {
        self.segments = segments
        graceMicroseconds = settings.closingGraceSeconds * 1_000_000
    }

    /// The batch, and the units in it that this process had charged at admission.
    func build(
        _ source: PartitionFold, dimensions: borrowing DimensionNames
    ) -> (batch: LedgerBatch, admittedHere: [UsageKey: Int64]) {
        var batch = LedgerBatch(
            partition: source.partition, epoch: source.epoch, baseOffset: source.baseOffset,
            nextOffset: source.nextOffset, completeTo: source.completeTo)
        let cells = source.fold.cells
        let places = BatchPlaces(cells, segments, dimensions)
        var usage = UsageMerger(capacity: cells.count)
        var rollups = RollupWindow.allCases.map { _ in RollupMerger(capacity: cells.count) }
        var late: [UsageKey: Adjustment] = [:]
        let snapshot = segments.snapshot
        for cell in cells {
            let meter = snapshot.meters[Int(cell.key.meter)].key
            let at = Timestamp(microseconds: cell.key.segmentStart)
            let text = places.textRank(of: cell)
            for level in places.levels(of: cell) {
                for period in level.periods {
                    let key = UsageKey(customer: level.owner.id, meter: meter, period: period)
                    usage.merge(key, level, cell, at)
                    if cell.lateCount > 0 { note(cell, key, source.completeTo, &late) }
                }
                for (index, start) in level.starts.enumerated() {
                    rollups[index].merge(cell, start: start, owner: level.ownerRank, text: text)
                }
            }
        }
        batch.usage = usage.deltas
        for (window, merger) in zip(RollupWindow.allCases, rollups) {
            batch.rollups += merger.deltas(window, places, snapshot)
        }
        batch.dimensionSets = Self.newSets(of: source, dimensions)
        batch.adjustments = Array(late.values)
        batch.dedupeMarks = source.marks
        batch.setAside = source.setAside
        batch.admissions = source.admissions
        batch.reservations = source.reservations
        batch.corrections = corrections(source, dimensions: dimensions)
        return (batch, usage.admittedHere)
    }

    /// Each in every batch that has it, whichever is committed first.
    private static func newSets(
        of source: PartitionFold, _ dimensions: borrowing DimensionNames
    ) -> [DimensionSet] {
        var sets: Set<DimensionSet> = []
        func note(_ cell: FoldCell) {
            guard let new = dimensions.new(cell.key.dimensions) else { return }
            sets.insert(
                DimensionSet(meter: new.place.meter, month: new.place.month, hash: new.hash))
        }
        for cell in source.fold.cells { note(cell) }
        for correction in source.corrections {
            for cell in correction.added?.fold.cells ?? [] { note(cell) }
        }
        return Array(sets)
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
