import Entitlements
import EventDecoding
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Picks the events of one customer and meter out of records, one at a time.
final class EventScan {
    struct Wanted: Sendable {
        var customer: Int
        var meter: Int
        var span: Period
        var limit: Int
    }

    private let wanted: Wanted
    private let interpreter: EventInterpreter
    private let decoder: EventDecoder
    private let corrections: EventHistory
    private var folds: [Int32: PartitionFold] = [:]
    private(set) var events: [ExplainedEvent] = []
    /// Offsets that counted, of the stretch at hand; nil where that is not known any more.
    var counted: Set<Int64>?

    init(
        _ wanted: Wanted, _ snapshot: CatalogSnapshot, _ settings: MeteringSettings,
        corrections: EventHistory
    ) {
        self.wanted = wanted
        self.corrections = corrections
        interpreter = EventInterpreter(
            snapshot: snapshot, settings: settings, counters: MeteringCounters(), instance: "",
            dedupe: DedupeIndex(windowSeconds: settings.dedupeWindowSeconds),
            // No cell lies on both sides of either.
            cuts: [wanted.span.start, wanted.span.end])
        decoder = EventDecoder(
            plan: DecodePlan(paths: []), maximumBytes: settings.maximumEventBytes)
    }

    var isFull: Bool { events.count >= wanted.limit }

    func take(_ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) {
        if let counted, !counted.contains(info.offset) { return }
        let fold = folds[info.partition] ?? scratch(info)
        defer { fold.committed() }
        interpreter.interpret(info, headers, value, into: fold)
        if let units = units(fold), let event = CountedEvent(info, headers, value, decoder) {
            events.append(
                ExplainedEvent(
                    position: event.position, source: event.source, id: event.id,
                    subject: event.subject, time: event.at, value: units,
                    voidedBy: corrections.next(after: 0, of: event.position)?.id))
        }
        for correction in fold.corrections { take(correction) }
    }

    /// What a correction put in is an event like any other, in the correction's place.
    private func take(_ correction: FoldedCorrection) {
        let record = correction.record
        guard let added = correction.added, let content = record.added,
            let units = units(added), corrections.isApplied(record)
        else { return }
        events.append(
            ExplainedEvent(
                position: record.position, source: record.source, id: record.eventID,
                subject: EventInterpreter.subject(of: content)?.rawValue ?? "", time: content.at,
                value: units,
                voidedBy: corrections.next(after: record.number, of: record.event)?.id))
    }

    private func scratch(_ info: LogRecordInfo) -> PartitionFold {
        let fold = PartitionFold(
            claim: PartitionClaim(
                partition: info.partition, epoch: 0, nextOffset: info.offset, completeTo: nil),
            cellCapacity: 16)
        folds[info.partition] = fold
        return fold
    }

    /// What the record adds to the wanted meter of the wanted customer; nil when nothing.
    private func units(_ fold: PartitionFold) -> Int64? {
        for cell in fold.fold.cells where Int(cell.key.meter) == wanted.meter {
            let at = Timestamp(microseconds: cell.key.segmentStart)
            guard wanted.span.contains(at) else { continue }
            var isOwned = false
            interpreter.snapshot.lineage(of: Int(cell.key.customer), at: at) { owner, _ in
                if owner.number == wanted.customer { isOwned = true }
            }
            if isOwned { return cell.state.value }
        }
        return nil
    }
}
