import Entitlements
import MeteringModel
package import MeteringPorts
import UsageAggregation

/// What the pipeline needs to make rows anew after corrections.
package struct CorrectionSupport: Sendable {
    package var ledger: any LedgerQueries & LedgerControl
    package var replay: any LogReplay
    package init(ledger: any LedgerQueries & LedgerControl, replay: any LogReplay) {
        self.ledger = ledger
        self.replay = replay
    }
}

/// Makes the rows anew that corrections could not change by subtraction: those of max, min, latest
/// and unique. Between commits, on the pipeline's thread; a crash in between leaves the corrections
/// pending, and the next start does it.
///
/// Costs one reading of the log from the earliest period that a corrected event lies in (a month,
/// say) to its end, for all pending corrections together; the pipeline counts nothing meanwhile.
struct CorrectionRecount {
    let support: CorrectionSupport
    let snapshot: CatalogSnapshot
    let settings: MeteringSettings
    let score: CrossingScore
    let lender: MeteringPipeline?

    private var ledger: any LedgerQueries & LedgerControl { support.ledger }

    private final class Rows {
        var usage: [UsageKey: (Aggregation, UsageState)] = [:]
        var rollups: [RollupKey: (Aggregation, UsageState)] = [:]
    }

    /// What one correction's contents fall on.
    private struct Affected {
        var record: CorrectionRecord
        var rows: BatchBuilder.RecountedRows
    }

    /// - Returns: the rows that are other ones now.
    func run(_ pending: [CorrectionRecord]) throws(LedgerError) -> [UsageChange] {
        let positions = try ledger.positions()
        let recount = LogRecount(
            snapshot: snapshot, settings: settings, replay: support.replay,
            corrected: try CorrectedEvents(ledger, hash: snapshot.hash),
            sets: try DimensionSets(ledger))
        let builder = BatchBuilder(recount.segments, settings)
        let affected = affected(pending, builder, recount.sets)
        let rows = try made(anew: affected, recount, builder, positions)
        let completeTo = positions.compactMap(\.completeTo).max() ?? .distantPast
        var effects = LedgerRestatement(at: completeTo)
        effects.settled = pending.map(\.id)
        var changes: [UsageChange] = []
        for key in Set(affected.flatMap(\.rows.usage)) {
            guard let change = try change(key, rows, &effects) else { continue }
            changes.append(change)
            try follow(change, at: completeTo, &effects)
            if builder.isClosed(key.period, at: completeTo) {
                note(change, affected, at: completeTo, &effects)
            }
        }
        try replaceRollups(affected, rows, &effects)
        try ledger.restate(effects)
        return changes
    }

    private func affected(
        _ pending: [CorrectionRecord], _ builder: BatchBuilder, _ sets: DimensionSets
    ) -> [Affected] {
        let interpreter = EventInterpreter(
            snapshot: snapshot, settings: settings, counters: MeteringCounters(), instance: "",
            dedupe: DedupeIndex(windowSeconds: settings.dedupeWindowSeconds), sets: sets)
        return pending.map { record in
            var rows = BatchBuilder.RecountedRows()
            let info = LogRecordInfo(
                partition: record.position.partition, offset: record.position.offset,
                appendedAt: record.recordedAt, isNull: false)
            for content in [record.removed, record.added] {
                // A customer removed meanwhile has no rows to be made.
                guard case .success(let fold?) = interpreter.fold(content, info) else { continue }
                builder.addRecounted(fold, dimensions: interpreter.dimensions, to: &rows)
            }
            return Affected(record: record, rows: rows)
        }
    }

    private func made(
        anew affected: [Affected], _ recount: LogRecount, _ builder: BatchBuilder,
        _ positions: [PartitionClaim]
    ) throws(LedgerError) -> Rows {
        let usage = Set(affected.flatMap(\.rows.usage))
        let rollups = Set(affected.flatMap(\.rows.rollups))
        let starts = usage.map(\.period.start) + rollups.map(\.start)
        let rows = Rows()
        guard let first = starts.min() else { return rows }
        func restart() {
            rows.usage = [:]
            rows.rollups = [:]
        }
        do throws(EventLogError) {
            try recount.runTail(since: first, upTo: positions, lender: lender, restart: restart) {
                fold, dimensions in
                let (batch, _) = builder.build(fold, dimensions: dimensions)
                for row in batch.usage where usage.contains(row.key) {
                    rows.usage[row.key, default: (row.aggregation, UsageState())].1
                        .merge(row.delta, row.aggregation)
                }
                for row in batch.rollups {
                    let key = RollupKey(row)
                    guard rollups.contains(key) else { continue }
                    rows.rollups[key, default: (row.aggregation, UsageState())].1
                        .merge(row.delta, row.aggregation)
                }
            }
        } catch {
            throw .unreadable(error)
        }
        return rows
    }

    /// Nil when the row stays as it is.
    private func change(
        _ key: UsageKey, _ rows: Rows, _ effects: inout LedgerRestatement
    ) throws(LedgerError) -> UsageChange? {
        let stored = try ledger.usage(key)
        let made = rows.usage[key]
        guard let aggregation = made?.0 ?? stored?.aggregation else { return nil }
        let before = stored?.state ?? UsageState()
        let after = made?.1 ?? UsageState()
        if before == after { return nil }
        let admitted = stored?.admitted ?? 0
        effects.usage.append(
            StoredUsage(key: key, aggregation: aggregation, state: after, admitted: admitted))
        return UsageChange(
            key: key, aggregation: aggregation, before: before, after: after,
            admittedBefore: admitted, admittedAfter: admitted,
            scoredAt: min(Timestamp(microseconds: key.period.end.microseconds - 1), effects.at))
    }

    private func follow(
        _ change: UsageChange, at instant: Timestamp, _ effects: inout LedgerRestatement
    ) throws(LedgerError) {
        effects.crossings += score.crossings(of: change, at: instant)
        let recorded = try ledger.crossings(
            of: change.key.customer,
            periodsEndingAfter: Timestamp(microseconds: change.key.period.end.microseconds - 1))
        let used = change.after.reading(change.aggregation)
        for crossing in recorded.map(\.crossing)
        where crossing.period == change.key.period && crossing.meter == change.key.meter
            && crossing.resolvedAt == nil && !crossing.stands(at: used)
        {
            effects.resolved.append(crossing.id)
        }
    }

    /// The period is closed: each correction of it is listed, the last one with what all of them
    /// changed, as they were counted together.
    private func note(
        _ change: UsageChange, _ affected: [Affected], at instant: Timestamp,
        _ effects: inout LedgerRestatement
    ) {
        let causes = affected.filter { $0.rows.usage.contains(change.key) }.map(\.record)
        for (index, record) in causes.enumerated() {
            let isLast = index == causes.count - 1
            let before = change.before.reading(change.aggregation)
            let after = change.after.reading(change.aggregation)
            effects.adjustments.append(
                Adjustment(
                    key: change.key, count: isLast ? change.after.count - change.before.count : 0,
                    value: isLast ? after.subtractingSaturated(before) : 0, recordedAt: instant,
                    correction: record.origin))
        }
    }

    /// A row that is not there was dropped for its age, unless a correction puts something into it.
    private func replaceRollups(
        _ affected: [Affected], _ rows: Rows, _ effects: inout LedgerRestatement
    ) throws(LedgerError) {
        for key in Set(affected.flatMap(\.rows.rollups)) {
            let query = RollupQuery(
                customer: key.customer, meter: key.meter, window: key.window, from: key.start,
                to: Timestamp(microseconds: key.start.microseconds + 1))
            let stored = try ledger.rollups(query).first {
                $0.dimensions.utf8.elementsEqual(key.dimensions.utf8)
            }
            let isPutIn = affected.contains {
                $0.record.added != nil && $0.rows.rollups.contains(key)
            }
            let made = rows.rollups[key]
            if stored == nil, made == nil || !isPutIn { continue }
            effects.rollups.append(
                RollupDelta(key, made?.0 ?? .max, made?.1 ?? UsageState()))
        }
    }
}
