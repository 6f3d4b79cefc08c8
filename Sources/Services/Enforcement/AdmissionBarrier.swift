import Synchronization

/// Lets admissions through, or holds them back while a rebuild is made.
final class AdmissionBarrier: Sendable {
    private struct State {
        var inside = 0
        var isClosed = false
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let state = Mutex<State>(State())
    private static let waitingCountMax = 10_000

    /// False when too many wait already.
    func enter() async -> Bool {
        let isInside = state.withLock { state in
            if state.isClosed { return false }
            state.inside += 1
            return true
        }
        if isInside { return true }
        return await withCheckedContinuation { waiting in
            let answer: Bool? = state.withLock { state in
                if !state.isClosed {
                    state.inside += 1
                    return true
                }
                if state.waiting.count >= Self.waitingCountMax { return false }
                state.waiting.append(waiting)
                return nil
            }
            if let answer { waiting.resume(returning: answer) }
        }
    }

    func leave() { state.withLock { $0.inside -= 1 } }

    /// Closes and waits until nobody is inside. Blocks its thread; false (and open) on a time-out.
    func close(withinMilliseconds limit: Int) -> Bool {
        state.withLock { $0.isClosed = true }
        for _ in 0..<limit {
            if state.withLock({ $0.inside == 0 }) { return true }
            BlockingPause.millisecond()
        }
        open()
        return false
    }

    func open() {
        let waiting = state.withLock { state in
            state.isClosed = false
            let waiting = state.waiting
            state.waiting = []
            state.inside += waiting.count
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: true) }
    }
}
