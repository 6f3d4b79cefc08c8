import SQLClient

/// Where the journal ends, for readers in the same process that wait for more.
final class JournalTail: Sendable {
    private let state: Monitor<Int64>

    init(endOffset: Int64) { state = Monitor(endOffset) }

    var endOffset: Int64 { state.withLock { $0 } }

    func advance(to endOffset: Int64) {
        state.withLock { $0 = endOffset }
        state.wakeAll()
    }

    /// Waits until the journal goes beyond `offset`, or the time is up.
    func wait(beyond offset: Int64, timeoutMilliseconds: Int) {
        _ = state.wait(timeoutMilliseconds: timeoutMilliseconds) { $0 > offset ? true : nil }
    }
}
