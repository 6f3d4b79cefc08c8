package import MeteringModel
package import MeteringPorts
import Synchronization

/// Answers given under a client's id, so that the same request again gets the same answer and
/// charges nothing. Bounded: the oldest answers go first.
package final class IdempotencyBook: Sendable {
    package enum Claim: Sendable {
        /// Nobody has used the id: the caller must `finish` or `abandon` it.
        case mine
        case answered(Decision)
        /// The id was used for another quantity.
        case conflict
        /// The id was charged, but the log has not acknowledged it yet.
        case unsettled
    }

    private struct Entry {
        var quantity: Int64
        var answer: Decision?
        var isSuspended = false
        var waiting: [CheckedContinuation<Decision?, Never>]
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var order: [String] = []
        var head = 0
    }

    private let state = Mutex<State>(State())
    private let capacity: Int

    package init(capacity: Int = 1_000_000) { self.capacity = capacity }

    package static func key(_ customer: CustomerID, _ feature: FeatureKey, _ id: String) -> String {
        // Strings are equal when they look equal; ids are equal when their bytes are. Bytes beyond
        // ASCII are therefore spelled out.
        var bytes = ""
        for byte in id.utf8 {
            if byte < 0x80, byte != UInt8(ascii: "\\") {
                bytes.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                bytes += "\\" + String(byte, radix: 16)
            }
        }
        let owner = "\(customer.rawValue.utf8.count):\(customer)"
        return owner + "\(feature.rawValue.utf8.count):\(feature)" + bytes
    }

    /// Waits while the same id is under way elsewhere.
    package func claim(_ key: String, quantity: Int64) async -> Claim {
        while true {
            enum Step {
                case done(Claim)
                case wait
            }
            let step: Step = state.withLock { state in
                guard let entry = state.entries[key] else {
                    state.entries[key] = Entry(quantity: quantity, answer: nil, waiting: [])
                    state.order.append(key)
                    evict(&state)
                    return .done(.mine)
                }
                if entry.quantity != quantity { return .done(.conflict) }
                if let answer = entry.answer { return .done(.answered(answer)) }
                return entry.isSuspended ? .done(.unsettled) : .wait
            }
            switch step {
            case .done(let claim): return claim
            case .wait:
                let answer = await withCheckedContinuation { waiting in
                    let late: Decision?? = state.withLock { state in
                        guard let entry = state.entries[key] else { return .some(nil) }
                        if let answer = entry.answer { return .some(answer) }
                        if entry.isSuspended { return .some(nil) }
                        state.entries[key]?.waiting.append(waiting)
                        return .none
                    }
                    if let late { waiting.resume(returning: late) }
                }
                if let answer { return .answered(answer) }
            }
        }
    }

    package func finish(_ key: String, _ answer: Decision) {
        let waiting = state.withLock { state in
            let waiting = state.entries[key]?.waiting ?? []
            state.entries[key]?.answer = answer
            state.entries[key]?.waiting = []
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: answer) }
    }

    /// The request failed without an answer: the id may be used again, unless it is suspended.
    package func abandon(_ key: String) {
        let waiting = state.withLock { state in
            let waiting = state.entries[key]?.waiting ?? []
            if state.entries[key]?.isSuspended == true {
                state.entries[key]?.waiting = []
            } else {
                state.entries[key] = nil
            }
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: nil) }
    }

    /// Keeps the id from being charged again until it is finished or released. Does nothing when
    /// that has happened already.
    package func suspend(_ key: String) {
        state.withLock { state in
            if state.entries[key]?.answer == nil { state.entries[key]?.isSuspended = true }
        }
    }

    /// Ends a suspension without an answer.
    package func release(_ key: String) {
        state.withLock { $0.entries[key] = nil }
    }

    /// Takes over what the ledger remembers.
    package func restore(_ records: [AdmissionRecord]) {
        for record in records {
            guard
                let decision = DecisionRecord.decode(
                    record.answer, customer: record.customer, feature: record.feature)
            else { continue }
            let key = Self.key(record.customer, record.feature, record.id)
            state.withLock { state in
                guard state.entries[key] == nil else { return }
                state.entries[key] = Entry(
                    quantity: record.quantity, answer: decision, waiting: [])
                state.order.append(key)
                evict(&state)
            }
        }
    }

    private func evict(_ state: inout State) {
        while state.order.count - state.head > capacity {
            let oldest = state.order[state.head]
            // Requests under way stay; they are few and end soon.
            if state.entries[oldest]?.answer != nil { state.entries[oldest] = nil }
            state.head += 1
        }
        if state.head > 65_536, state.head * 2 > state.order.count {
            state.order.removeFirst(state.head)
            state.head = 0
        }
    }
}
