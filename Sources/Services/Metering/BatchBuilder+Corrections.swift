import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Corrections as the ledger takes them: the rows that their contents would make as usage, those
/// taken out with their signs turned.
extension BatchBuilder {
    /// Keys of rows that cannot be corrected by subtraction.
    struct RecountedRows {
        var usage: Set<UsageKey> = []
        var rollups: Set<RollupKey> = []
    }

    func corrections(
        _ source: PartitionFold, dimensions: borrowing DimensionNames
    ) -> [LedgerCorrection] {
        var corrections: [LedgerCorrection] = []
        for folded in source.corrections {
            corrections.append(
                correction(folded, completeTo: source.completeTo, dimensions: dimensions))
        }
        return corrections
    }

    private func correction(
        _ folded: FoldedCorrection, completeTo: Timestamp, dimensions: borrowing DimensionNames
    ) -> LedgerCorrection {
        var usage = RowMerger<UsageKey>()
        var rollups = RowMerger<RollupKey>()
        var scoredAt: [UsageKey: Timestamp] = [:]
        var needsRecount = false
        func merge(_ batch: LedgerBatch, isRemoved: Bool) {
            for row in batch.usage {
                needsRecount = needsRecount || !row.aggregation.isReversible
                guard row.aggregation.isReversible else { continue }
                usage.merge(row.key, isRemoved ? row.delta.negated : row.delta, row.aggregation)
                scoredAt[row.key] = row.scoredAt
            }
            for row in batch.rollups {
                needsRecount = needsRecount || !row.aggregation.isReversible
                guard row.aggregation.isReversible else { continue }
                rollups.merge(
                    RollupKey(row), isRemoved ? row.delta.negated : row.delta, row.aggregation)
            }
        }
        // What is put in last: it says by which quotas a row is scored.
        if let fold = folded.removed {
            merge(build(fold, dimensions: dimensions).batch, isRemoved: true)
        }
        if let fold = folded.added {
            merge(build(fold, dimensions: dimensions).batch, isRemoved: false)
        }
        var correction = LedgerCorrection(
            record: folded.record, usage: [], rollups: [], adjustments: [],
            needsRecount: needsRecount)
        for row in usage.rows where row.state != UsageState() {
            correction.usage.append(
                UsageDelta(
                    key: row.key, aggregation: row.aggregation, delta: row.state, admitted: 0,
                    scoredAt: scoredAt[row.key]))
            if isClosed(row.key.period, at: completeTo) {
                correction.adjustments.append(
                    Adjustment(
                        key: row.key, count: row.state.count, value: row.state.value,
                        recordedAt: completeTo, correction: folded.record.origin))
            }
        }
        correction.rollups = rollups.rows.filter { $0.state != UsageState() }.map {
            LedgerCorrection.Rollup(
                delta: RollupDelta($0.key, $0.aggregation, $0.state),
                otherDimensions: Self.other($0.key.dimensions))
        }
        return correction
    }

    /// End and grace have passed.
    func isClosed(_ period: Period, at completeTo: Timestamp) -> Bool {
        completeTo.microseconds(since: period.end) >= graceMicroseconds
    }

    /// Adds the keys of the rows that a content's meters count in and that do not add up.
    func addRecounted(
        _ fold: PartitionFold, dimensions: borrowing DimensionNames, to rows: inout RecountedRows
    ) {
        let (batch, _) = build(fold, dimensions: dimensions)
        for row in batch.usage where !row.aggregation.isReversible { rows.usage.insert(row.key) }
        for row in batch.rollups where !row.aggregation.isReversible {
            rows.rollups.insert(RollupKey(row))
        }
    }

    /// The same dimensions with every value as one of too many.
    private static func other(_ dimensions: String) -> String {
        guard dimensions != "{}",
            case .object(let members) = try? JSONParser.parse(dimensions)
        else { return dimensions }
        return JSONValue.object(members.mapValues { _ in .string(DimensionNames.other) })
            .canonicalText
    }
}

extension RollupKey {
    init(_ row: RollupDelta) {
        self.init(
            customer: row.customer, meter: row.meter, window: row.window, start: row.start,
            dimensions: row.dimensions)
    }
}

extension RollupDelta {
    init(_ key: RollupKey, _ aggregation: Aggregation, _ state: UsageState) {
        self.init(
            customer: key.customer, meter: key.meter, window: key.window, start: key.start,
            dimensions: key.dimensions, aggregation: aggregation, delta: state)
    }
}
