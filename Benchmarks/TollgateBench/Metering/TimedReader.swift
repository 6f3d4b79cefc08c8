import MeteringPorts

/// Passes everything on, and tells when the poll began that brought the first records: joining a
/// group takes seconds in which nothing can be read.
final class TimedReader: EventLogReader {
    var assignmentDelegate: (any PartitionAssignmentDelegate)? {
        get { inner.assignmentDelegate }
        set { inner.assignmentDelegate = newValue }
    }
    private let inner: any EventLogReader
    private let onStart: () -> Void
    private var hasStarted = false

    init(_ inner: any EventLogReader, onStart: @escaping () -> Void) {
        self.inner = inner
        self.onStart = onStart
    }

    func poll(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int {
        if !hasStarted { onStart() }
        let count = try inner.poll(
            maxRecords: maxRecords, timeoutMilliseconds: timeoutMilliseconds, body)
        if count > 0 { hasStarted = true }
        return count
    }

    func commitInformational(_ nextOffsets: [Int32: Int64]) {
        inner.commitInformational(nextOffsets)
    }

    func endOffsets() throws(EventLogError) -> [Int32: Int64] { try inner.endOffsets() }
    func close() { inner.close() }
}
