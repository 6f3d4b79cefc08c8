import SQLClient

/// Where the journal ends, for readers in the same process that wait for more.
final class JournalTail: Sendable {
    private struct State {
        var endOffset: Int64
        var isClosed = false
    }

    private let state: Monitor<State>

    init(endOffset: Int64) { state = Monitor(State(endOffset: endOffset)) }

    var endOffset: Int64 { state.withLock { $0.endOffset } }

    func advance(to endOffset: Int64) {
        state.withLock { $0.endOffset = endOffset }
        state.wakeAll()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        state.wakeAll()
    }

    /// Waits until the journal goes beyond `offset`, is closed, or the time is up.
    func wait(beyond offset: Int64, timeoutMilliseconds: Int) {
        _ = state.wait(timeoutMilliseconds: timeoutMilliseconds) { state in
            state.endOffset > offset || state.isClosed ? true : nil
        }
    }
}
