import Foundation
import MeteringModel
import MeteringPorts

/// An event log that hands the same records out from memory: what the pipeline could do if the
/// log's client cost nothing.
final class MemoryLogReader: EventLogReader {
    weak var assignmentDelegate: (any PartitionAssignmentDelegate)?
    private let load: Workload
    /// By partition: events in order.
    private let partitions: [[Int32]]
    private var next: [Int]
    private var turn = 0
    private var isAssigned = false
    private let appendedAt: Timestamp
    /// Told when partitions are assigned.
    var onStart: () -> Void = {}

    /// As many records of one partition at a time as a broker would send.
    private static let stretch = 2_000

    init(_ load: Workload, partitionCount: Int) {
        self.load = load
        var partitions = [[Int32]](repeating: [], count: partitionCount)
        for event in 0..<load.count {
            let subject = Draws.mix(UInt64(load.subjects[event]))
            partitions[Int(subject % UInt64(partitionCount))].append(Int32(event))
        }
        self.partitions = partitions
        next = [Int](repeating: 0, count: partitionCount)
        appendedAt = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
    }

    func poll(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int {
        try assign()
        let noHeaders: [UInt8] = []
        let all = load.bytes
        // SAFETY: bytes are plain data; both arrays outlive the calls.
        let headers = unsafe noHeaders.span.bytes
        // SAFETY: as above.
        let bytes = unsafe all.span.bytes
        var count = 0
        var empty = 0
        while count < maxRecords, empty < partitions.count {
            let partition = turn
            turn = (turn + 1) % partitions.count
            let first = next[partition]
            let end = min(
                partitions[partition].count, first + min(Self.stretch, maxRecords - count))
            empty = first == end ? empty + 1 : 0
            for position in first..<end {
                let range = load.event(Int(partitions[partition][position]))
                body(
                    LogRecordInfo(
                        partition: Int32(partition), offset: Int64(position),
                        appendedAt: appendedAt, isNull: false), headers,
                    bytes.extracting(range))
            }
            next[partition] = end
            count += end - first
        }
        if count == 0 { usleep(1_000) }
        return count
    }

    private func assign() throws(EventLogError) {
        if isAssigned { return }
        isAssigned = true
        _ = try assignmentDelegate?.partitionsAssigned(partitions.indices.map(Int32.init))
        onStart()
    }

    func commitInformational(_ nextOffsets: [Int32: Int64]) {}

    func endOffsets() throws(EventLogError) -> [Int32: Int64] {
        var ends: [Int32: Int64] = [:]
        for (index, events) in partitions.enumerated() { ends[Int32(index)] = Int64(events.count) }
        return ends
    }

    func close() {}
}
