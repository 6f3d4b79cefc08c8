import MeteringModel
import MeteringPorts
import Synchronization

/// Records as the control plane's log keeps them, and who changed them.
final class MemoryRecords: RecordKeeping {
    private struct State {
        var documents: [String: JSONValue] = [:]
        var changes: [(actor: String, reason: String?, document: JSONValue?)] = []
        var answers: [String: ControlAnswer] = [:]
    }
    private let state = Mutex<State>(State())

    var changes: [(actor: String, reason: String?, document: JSONValue?)] {
        state.withLock { $0.changes }
    }

    func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer {
        if let key = context.idempotencyKey, let known = state.withLock({ $0.answers[key] }) {
            return known
        }
        let (document, answer) = try body(state.withLock { $0.documents[id] })
        state.withLock { state in
            state.documents[id] = document
            state.changes.append((context.principal.id, context.reason, document))
            if let key = context.idempotencyKey { state.answers[key] = answer }
        }
        return answer
    }

    func history(
        _ kind: RecordKind, _ id: String
    ) throws(ControlProblem) -> RecordHistory? {
        state.withLock { $0.documents[id] }.map { document in
            RecordHistory(
                kind: kind, id: id, customer: nil,
                entries: [.init(sequence: 1, effectiveAt: .distantPast, patch: document)])
        }
    }

    func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] {
        var found: [RecordHistory] = []
        for id in state.withLock({ Array($0.documents.keys) }).sorted() {
            if let history = try history(kind, id) { found.append(history) }
        }
        return found
    }
}

/// An outbox that passes over ids it knows, and can be out of order.
final class MemoryOutbox: NotificationOutbox {
    private struct State {
        var notifications: [Notification] = []
        var offeredCount = 0
        var isBroken = false
    }
    private let state = Mutex<State>(State())

    var notifications: [Notification] { state.withLock { $0.notifications } }
    var offeredCount: Int { state.withLock { $0.offeredCount } }
    func setBroken(_ isBroken: Bool) { state.withLock { $0.isBroken = isBroken } }

    func publish(_ notifications: [Notification]) throws(LedgerError) {
        let isBroken = state.withLock { state in
            if state.isBroken { return true }
            state.offeredCount += notifications.count
            for notification in notifications
            where !state.notifications.contains(where: { $0.id == notification.id }) {
                state.notifications.append(notification)
            }
            return false
        }
        if isBroken { throw LedgerError(code: .unavailable, message: "the outbox is closed") }
    }
}
