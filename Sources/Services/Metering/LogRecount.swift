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
}

/// Folds the log anew, as the pipeline would have under one snapshot.
struct LogRecount {
    let snapshot: CatalogSnapshot
    let settings: MeteringSettings
    let replay: any LogReplay
    /// Instants that no cell of a fold may straddle.
    var cuts: [Timestamp] = []
    /// Sets of dimension values known from the start.
    var sets = DimensionSets()
    let counters = MeteringCounters()

    var segments: Segments { Segments(snapshot: snapshot, cuts: cuts.sorted()) }

    func interpreter(_ dedupe: consuming DedupeIndex) -> EventInterpreter {
        EventInterpreter(
            snapshot: snapshot, settings: settings, counters: counters, instance: "",
            dedupe: dedupe, sets: sets, cuts: cuts.sorted())
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
}
