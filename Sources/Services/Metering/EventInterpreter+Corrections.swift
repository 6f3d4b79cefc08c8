import Entitlements
import EventDecoding
import MeteringModel
import MeteringPorts
import Synchronization
import UsageAggregation

/// A correction read from the log, interpreted, and not yet in a batch.
struct FoldedCorrection {
    var record: CorrectionRecord
    /// What is taken out and what is put in, folded like usage of their own.
    var removed: PartitionFold?
    var added: PartitionFold?
}

/// Corrections: what an event said is interpreted once more, under the same definitions as
/// everything else, and so are its hours, days and periods.
///
/// States that add up take an event out by subtraction. The others (max, min, latest, unique) cannot;
/// their rows are made anew from the log once the correction is in the ledger. A recount knows
/// beforehand what became of each event, and counts that in its place for those meters.
extension EventInterpreter {
    /// Most cells that one event can make in practice; more are fine.
    private static let contentCells = 16

    /// The outcome is in `target`. Nil also for one that was known already.
    func take(
        _ record: CorrectionRecord, fingerprint: UInt64, _ info: LogRecordInfo,
        into target: PartitionFold
    ) -> EventProblem? {
        if let corrected, corrected.isRefused(record.id) {
            // Read, and without effect.
            counters.corrections.add(1, ordering: .relaxed)
            return nil
        }
        var folded = FoldedCorrection(record: record)
        switch fold(record.removed, info) {
        case .success(let fold): folded.removed = fold
        case .failure(let problem): return problem
        }
        switch fold(record.added, info) {
        case .success(let fold): folded.added = fold
        case .failure(let problem): return problem
        }
        if isFirst(fingerprint, content: hash.hash(record.id), info, target) {
            target.corrections.append(folded)
            counters.corrections.add(1, ordering: .relaxed)
        }
        return nil
    }

    /// One content folded by itself; nil for none.
    func fold(
        _ content: EventContent?, _ info: LogRecordInfo
    ) -> Result<PartitionFold?, EventProblem> {
        guard let content else { return .success(nil) }
        guard let customer = owner(of: content) else {
            return .failure(
                EventProblem(code: "unknown_customer", detail: content.customer.rawValue))
        }
        if let problem = collect(content) { return .failure(problem) }
        let fold = PartitionFold(
            claim: PartitionClaim(
                partition: info.partition, epoch: 0, nextOffset: info.offset,
                completeTo: info.appendedAt), cellCapacity: Self.contentCells)
        // A recount has the other meters' part in the event's own place.
        for item in pending where corrected == nil || item.meter.aggregation.isReversible {
            add(item, customer: customer, at: content.at, to: fold)
        }
        return .success(fold)
    }

    /// Counts an event in its own place in the log as it stands after its corrections: reversible
    /// meters take it as it was, since its corrections come by themselves further on.
    func recount(
        _ fate: CorrectedEvents.Fate, customer: Int, at: Timestamp, into target: PartitionFold
    ) -> EventProblem? {
        for item in pending where item.meter.aggregation.isReversible {
            add(item, customer: customer, at: at, to: target)
        }
        guard let content = fate.content, let customer = owner(of: content) else { return nil }
        if let problem = collect(content) { return problem }
        for item in pending where !item.meter.aggregation.isReversible {
            add(item, customer: customer, at: content.at, to: target)
        }
        return nil
    }

    /// Whom a content counts for. A recount goes by who has the subject now, for events and their
    /// corrections alike.
    private func owner(of content: EventContent) -> Int? {
        if corrected != nil, let subject = Self.subject(of: content),
            let number = snapshot.customerIndex(ofSubject: subject)
        {
            return number
        }
        return snapshot.liveCustomer(content.customer)
    }

    static func subject(of content: EventContent) -> SubjectID? {
        (try? JSONParser.parse(content.json))?["subject"]?.text.map { SubjectID($0) }
    }

    /// Fills `pending`.
    private func collect(_ content: EventContent) -> EventProblem? {
        let bytes = Array(content.json.utf8)
        do throws(DecodeFailure) {
            // SAFETY: the array is alive during the call.
            return unsafe try contentDecoder.decodeStructured(bytes.span.bytes) { event in
                let hash = hash
                let meters = event.withAttribute(.type) { type in
                    snapshot.metersOfType(hash.hash(type), type)
                }
                if let problem = self.collect(event, meters) { return problem }
                // Nearly always the month that the original was appended in.
                self.numberDimensions(event, content.at)
                return nil
            }
        } catch {
            return EventProblem(code: error.code, detail: error.detail)
        }
    }

    private func add(
        _ item: PendingValue, customer: Int, at: Timestamp, to target: PartitionFold
    ) {
        add(
            meter: item.meter.meterIndex, item.meter.aggregation, customer: customer,
            value: item.value, at: at, member: item.member, dimensions: item.dimensions,
            admitted: 0, admittedHere: 0, isLate: false, to: target)
    }
}
