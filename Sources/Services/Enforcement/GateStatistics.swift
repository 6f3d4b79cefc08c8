package import MeteringModel
package import Synchronization

/// What the gate counts about itself.
package final class GateStatistics: Sendable {
    private let reasons: [Atomic64]
    package let outages = Atomic<Int64>(0)
    /// Admissions answered under durability `fast` whose record did not reach the log.
    package let lostRecords = Atomic<Int64>(0)

    /// Records whose acknowledgement was lost and which are appended again.
    private let repeating = Atomic<Int>(0)

    /// Admissions of durability `fast` on their way to the log.
    private let recordingLater = Atomic<Int>(0)

    /// A counter on the heap, so that an array of them can exist.
    private final class Atomic64: Sendable {
        let value = Atomic<Int64>(0)
    }

    package init() {
        reasons = DecisionReason.allCases.flatMap { _ in [Atomic64(), Atomic64()] }
    }

    func count(_ decision: Decision) {
        let index = decision.reason.place &* 2 &+ (decision.isAllowed ? 1 : 0)
        reasons[index].value.add(1, ordering: .relaxed)
    }

    func outage() { outages.add(1, ordering: .relaxed) }
    func lostRecord() { lostRecords.add(1, ordering: .relaxed) }

    /// - Returns: false when `limit` records are being repeated already.
    func beginRepeating(limit: Int) -> Bool {
        if repeating.add(1, ordering: .relaxed).newValue <= limit { return true }
        repeating.subtract(1, ordering: .relaxed)
        return false
    }

    func endRepeating() { repeating.subtract(1, ordering: .relaxed) }

    func beginRecordingLater() { recordingLater.add(1, ordering: .relaxed) }
    func endRecordingLater() { recordingLater.subtract(1, ordering: .releasing) }
    var isRecordedAll: Bool { recordingLater.load(ordering: .acquiring) <= 0 }

    package func byDecision() -> [(reason: DecisionReason, isAllowed: Bool, count: Int64)] {
        DecisionReason.allCases.flatMap { reason in
            [false, true].map { isAllowed in
                let cell = reasons[reason.place * 2 + (isAllowed ? 1 : 0)]
                return (reason, isAllowed, cell.value.load(ordering: .relaxed))
            }
        }
    }
}

extension DecisionReason {
    /// Each its own number, from 0 on; without making the list of all.
    fileprivate var place: Int {
        switch self {
        case .ok: 0
        case .warning: 1
        case .overage: 2
        case .exhausted: 3
        case .held: 4
        case .notEntitled: 5
        case .suspended: 6
        case .expired: 7
        case .unknownCustomer: 8
        case .unknownFeature: 9
        case .stale: 10
        case .degraded: 11
        }
    }
}
