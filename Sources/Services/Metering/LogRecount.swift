import Entitlements
import MeteringModel
package import MeteringPorts
import UsageAggregation

/// A reader of the whole log, apart from the pipeline's, for recounting.
package protocol LogReplay: AnyObject, Sendable {
    /// Hands over every kept record of every partition, in order within each; blocking.
    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError)
    /// The same without the records of each partition before an offset; partitions that are not
    /// named may be left out. Worth implementing: it is what makes recounts of today cheap.
    func replay(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError)
    /// The same, of the named partitions only, until `body` returns false.
    func scan(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError)
}

extension LogReplay {
    package func replay(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        try replay { info, headers, value in
            guard let first = offsets[info.partition], info.offset >= first else { return }
            body(info, headers, value)
        }
    }

    /// Reads on to the end all the same.
    package func scan(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError) {
        var isWanted = true
        try replay(from: offsets) { info, headers, value in
            guard isWanted, offsets[info.partition] != nil else { return }
            isWanted = body(info, headers, value)
        }
    }
}

/// Folds the log anew, as the pipeline would have under one snapshot.
struct LogRecount {
    let snapshot: CatalogSnapshot
    let settings: MeteringSettings
    let replay: any LogReplay
    let corrected: CorrectedEvents
    /// Instants that no cell of a fold may straddle.
    var cuts: [Timestamp] = []
    /// Sets of dimension values known from the start.
    var sets = DimensionSets()
    let counters = MeteringCounters()

    var segments: Segments { Segments(snapshot: snapshot, cuts: cuts.sorted()) }

    func interpreter(_ dedupe: consuming DedupeIndex) -> EventInterpreter {
        EventInterpreter(
            snapshot: snapshot, settings: settings, counters: counters, instance: "",
            dedupe: dedupe, sets: sets, cuts: cuts.sorted(), corrected: corrected)
    }

    /// Hands over one stretch of a partition after the other, each folded, from the log's first
    /// record on.
    /// - Returns: how many records were read.
    func run(
        upTo positions: [PartitionClaim],
        _ body: (PartitionFold, borrowing DimensionNames) -> Void
    ) throws(EventLogError) -> Int64 {
        let interpreter = interpreter(DedupeIndex(windowSeconds: settings.dedupeWindowSeconds))
        return try run(interpreter, from: nil, upTo: positions, body).count
    }

    /// - Parameters:
    ///   - interpreter: must know the identities counted before `from`.
    ///   - from: first offsets; nil: everything.
    /// - Returns: how many records were read, and when the first one of each partition was appended.
    func run(
        _ interpreter: EventInterpreter, from: [Int32: Int64]?, upTo positions: [PartitionClaim],
        _ body: (PartitionFold, borrowing DimensionNames) -> Void
    ) throws(EventLogError) -> (count: Int64, firstAppends: [Int32: Timestamp]) {
        let ends = Dictionary(
            uniqueKeysWithValues: positions.map { ($0.partition, $0.nextOffset) })
        var folds: [Int32: PartitionFold] = [:]
        var firstAppends: [Int32: Timestamp] = [:]
        var read: Int64 = 0
        func drain(_ fold: PartitionFold) {
            body(fold, interpreter.dimensions)
            fold.committed()
        }
        func take(_ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) {
            guard let end = ends[info.partition], info.offset < end else { return }
            let fold: PartitionFold
            if let known = folds[info.partition] {
                fold = known
            } else {
                fold = PartitionFold(
                    claim: PartitionClaim(
                        partition: info.partition, epoch: 0, nextOffset: info.offset,
                        completeTo: nil))
                folds[info.partition] = fold
                firstAppends[info.partition] = info.appendedAt
            }
            read += 1
            interpreter.interpret(info, headers, value, into: fold)
            if fold.recordCount >= 50_000 || fold.magnitude > 1 << 61 { drain(fold) }
        }
        if let from { try replay.replay(from: from, take) } else { try replay.replay(take) }
        for partition in folds.keys.sorted() {
            if let fold = folds[partition] { drain(fold) }
        }
        return (read, firstAppends)
    }

    private static let firstStep: Int64 = 4_096
    /// How much the log's clock may go back and forth, seconds.
    private static let clockSlack: Int64 = 60

    /// Hands over what happened at or after `first`, and more. Only the end of the log is read where
    /// the pipeline lends its memory of identities and that reaches back so far.
    ///
    /// What happened at an instant was appended later than a few minutes before it, so reading goes
    /// backwards in growing steps until the first records are from before that.
    /// - Parameters:
    ///   - restart: called before each pass; what was handed over before it is void.
    func runTail(
        since first: Timestamp, upTo positions: [PartitionClaim], lender: MeteringPipeline?,
        restart: () -> Void, _ body: (PartitionFold, borrowing DimensionNames) -> Void
    ) throws(EventLogError) {
        let since = first.adding(seconds: -settings.maximumAheadSeconds - Self.clockSlack)
        let remembered = positions.compactMap(\.completeTo).max()
            .map { $0.adding(seconds: -settings.dedupeWindowSeconds) }
        var outcome: Result<Void, EventLogError>?
        if let lender, let remembered, since > remembered {
            lender.lendIdentities { identities in
                let interpreter = interpreter(identities)
                outcome = tail(interpreter, positions, since, restart, body)
                return interpreter.takeDedupe()
            }
        }
        if let outcome { return try outcome.get() }
        restart()
        _ = try run(upTo: positions, body)
    }

    private func tail(
        _ interpreter: EventInterpreter, _ positions: [PartitionClaim], _ since: Timestamp,
        _ restart: () -> Void, _ body: (PartitionFold, borrowing DimensionNames) -> Void
    ) -> Result<Void, EventLogError> {
        var step = Self.firstStep
        do throws(EventLogError) {
            while true {
                var from: [Int32: Int64] = [:]
                for claim in positions { from[claim.partition] = max(0, claim.nextOffset - step) }
                restart()
                let first = try run(interpreter, from: from, upTo: positions, body).firstAppends
                let isEnough = from.allSatisfy { partition, offset in
                    // Nothing there: the records in between were dropped, or never were.
                    offset == 0 || first[partition].map { $0 < since } ?? false
                }
                if isEnough { return .success(()) }
                step = step > Int64.max / 8 ? .max : step * 8
            }
        } catch {
            return .failure(error)
        }
    }
}
