import MeteringPorts

/// Passes everything on, and tells when the partitions came: joining a group takes seconds in which
/// nothing could be read.
final class TimedReader: EventLogReader, PartitionAssignmentDelegate {
    weak var assignmentDelegate: (any PartitionAssignmentDelegate)? {
        didSet { inner.assignmentDelegate = self }
    }
    private let inner: any EventLogReader
    private let onStart: () -> Void

    init(_ inner: any EventLogReader, onStart: @escaping () -> Void) {
        self.inner = inner
        self.onStart = onStart
    }

    func poll(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int {
        try inner.poll(
            maxRecords: maxRecords, timeoutMilliseconds: timeoutMilliseconds, body)
    }

    func commitInformational(_ nextOffsets: [Int32: Int64]) {
        inner.commitInformational(nextOffsets)
    }

    func endOffsets() throws(EventLogError) -> [Int32: Int64] { try inner.endOffsets() }
    func close() { inner.close() }

    func partitionsAssigned(_ partitions: [Int32]) throws(EventLogError) -> [Int32: Int64] {
        let answer = try assignmentDelegate?.partitionsAssigned(partitions) ?? [:]
        onStart()
        return answer
    }

    func partitionsRevoked(_ partitions: [Int32], isLost: Bool) {
        assignmentDelegate?.partitionsRevoked(partitions, isLost: isLost)
    }
}
