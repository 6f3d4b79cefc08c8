import MeteringPorts
import Synchronization

/// Groups admissions of concurrent callers without a timer: what arrives while round trips are
/// under way goes together into the next one. An idle store answers after a single round trip.
final class AdmissionBatcher: Sendable {
    typealias Outcome = Result<[CounterAdmissionResult], SharedCounterError>

    /// The requests of one caller.
    struct Entry: Sendable {
        var requests: [CounterAdmission]
        var continuation: CheckedContinuation<Outcome, Never>
    }

    /// Round trips under way at once: one travels while the next is filled.
    private static let tripsMaximum = 2
    private static let entriesPerTripMaximum = 2_048
    /// Callers waiting; one more is refused.
    private static let entriesMaximum = 65_536

    private struct State {
        var waiting: [Entry] = []
        var trips = 0
    }

    private let state = Mutex(State())

    /// Waits for `serve` to answer the requests; `serve` must resume every entry that it is given.
    func submit(
        _ requests: [CounterAdmission], serve: @escaping @Sendable ([Entry]) async -> Void
    ) async throws(SharedCounterError) -> [CounterAdmissionResult] {
        let outcome = await withCheckedContinuation { continuation in
            enqueue(Entry(requests: requests, continuation: continuation), serve: serve)
        }
        return try outcome.get()
    }

    private func enqueue(_ entry: Entry, serve: @escaping @Sendable ([Entry]) async -> Void) {
        enum Action { case start, wait, refuse }
        let action: Action = state.withLock { state in
            guard state.waiting.count < Self.entriesMaximum else { return .refuse }
            state.waiting.append(entry)
            guard state.trips < Self.tripsMaximum else { return .wait }
            state.trips += 1
            return .start
        }
        switch action {
        case .wait: break
        case .start:
            Task {
                while let entries = self.takeEntries() { await serve(entries) }
            }
        case .refuse:
            entry.continuation.resume(
                returning: .failure(
                    SharedCounterError(
                        code: .rejected, message: "too many admissions wait for Redis")))
        }
    }

    /// Nil ends the trip's task.
    private func takeEntries() -> [Entry]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.trips -= 1
                return nil
            }
            let entries = Array(state.waiting.prefix(Self.entriesPerTripMaximum))
            state.waiting.removeFirst(entries.count)
            return entries
        }
    }
}
