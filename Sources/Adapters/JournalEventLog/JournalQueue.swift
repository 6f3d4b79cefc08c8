import MeteringPorts
import SQLClient

/// What waits for the journal's thread: appends, and wishes to drop old records. Bounded in bytes.
final class JournalQueue: Sendable {
    typealias Answer<Value> = Result<Value, EventLogError>

    struct Append {
        var records: [LogAppend]
        var bytes: Int
        var continuation: CheckedContinuation<Answer<Int64>, Never>
    }

    struct Drop {
        var before: Int64
        var continuation: CheckedContinuation<Answer<Void>, Never>
    }

    /// What the thread does next.
    enum Work {
        case commit([Append])
        case drop(Drop)
        case stop
    }

    private enum Phase { case open, closing, stopped }

    private struct State {
        var appends: [Append] = []
        var drops: [Drop] = []
        /// Bytes of `appends` and of the group that is being committed.
        var bytes = 0
        var phase = Phase.open
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    private let bytesMax: Int
    private let state = Monitor(State())

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    // MARK: any thread

    /// Waits until the records are durable.
    /// - Returns: the offset of the first one.
    func commit(_ records: [LogAppend], bytes: Int) async -> Answer<Int64> {
        await withCheckedContinuation { continuation in
            let append = Append(records: records, bytes: bytes, continuation: continuation)
            if let refusal = enqueue(append) {
                continuation.resume(returning: .failure(refusal))
            } else {
                state.wakeAll()
            }
        }
    }

    func dropRecords(before offset: Int64) async -> Answer<Void> {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if state.phase != .open { return false }
                state.drops.append(Drop(before: offset, continuation: continuation))
                return true
            }
            if isOpen {
                state.wakeAll()
            } else {
                continuation.resume(returning: .failure(.journalClosed))
            }
        }
    }

    /// Lets the thread finish what is queued and end; idempotent.
    func close() {
        state.withLock { state in
            if state.phase == .open { state.phase = .closing }
        }
        state.wakeAll()
    }

    /// The same, and waits until the thread has ended its work.
    func closeAndWait() async {
        close()
        await withCheckedContinuation { continuation in
            let hasStopped = state.withLock { state in
                if state.phase == .stopped { return true }
                state.closers.append(continuation)
                return false
            }
            if hasStopped { continuation.resume() }
        }
    }

    private func enqueue(_ append: Append) -> EventLogError? {
        state.withLock { state in
            if state.phase != .open { return .journalClosed }
            // A call larger than what is left waits for nobody: it is told to come again.
            if state.bytes > 0, state.bytes + append.bytes > bytesMax {
                return EventLogError(
                    code: .overloaded,
                    message: "\(state.bytes) bytes wait for the journal's disk already; try again",
                    isRetriable: true)
            }
            state.bytes += append.bytes
            state.appends.append(append)
            return nil
        }
    }

    // MARK: the journal's thread

    /// Waits for work: appends first, as many as fit into `groupBytesMax` but at least one.
    func next(groupBytesMax: Int) -> Work {
        state.wait { state in
            if !state.appends.isEmpty {
                return .commit(Self.takeGroup(&state.appends, groupBytesMax))
            }
            if !state.drops.isEmpty { return .drop(state.drops.removeFirst()) }
            return state.phase == .open ? nil : .stop
        } ?? .stop
    }

    private static func takeGroup(_ appends: inout [Append], _ bytesMax: Int) -> [Append] {
        var bytes = 0
        var count = 0
        for append in appends {
            if count > 0, bytes + append.bytes > bytesMax { break }
            bytes += append.bytes
            count += 1
        }
        let group = Array(appends.prefix(count))
        appends.removeFirst(count)
        return group
    }

    /// The drop goes on after the appends that have come meanwhile.
    func putBack(_ drop: Drop) {
        state.withLock { $0.drops.insert(drop, at: 0) }
    }

    /// Frees the room of a group that is done, whatever became of it.
    func finished(_ group: [Append]) {
        state.withLock { state in
            for append in group { state.bytes -= append.bytes }
        }
    }

    func stopped() {
        let closers = state.withLock { state in
            state.phase = .stopped
            let closers = state.closers
            state.closers = []
            return closers
        }
        for closer in closers { closer.resume() }
    }
}
