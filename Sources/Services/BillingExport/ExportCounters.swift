import Synchronization

/// What exports count about themselves since the process started.
package final class ExportCounters: Sendable {
    package enum Result: String, Sendable, CaseIterable {
        case sent, failed, refused, uncertain
        case tooOld = "too_old"
    }

    package final class Counter: Sendable {
        private let count = Atomic<Int64>(0)
        // Relaxed is enough: the numbers publish nothing but themselves.
        package func add(_ more: Int64) { count.wrappingAdd(more, ordering: .relaxed) }
        package var value: Int64 { count.load(ordering: .relaxed) }
    }

    private let results: [Result: Counter]
    /// Customers' meters that a sweep could not plan.
    package let planningFailures = Counter()
    /// Writes to billing.db that failed around a call.
    package let storeFailures = Counter()
    /// Statement lines handed out as files, and produced to the topic.
    package let fileLines = Counter()
    package let topicLines = Counter()
    package let topicFailures = Counter()

    package init() {
        results = Dictionary(uniqueKeysWithValues: Result.allCases.map { ($0, Counter()) })
    }

    package func meterEvents(_ result: Result) -> Counter {
        // Every case has one since init.
        results[result, default: planningFailures]
    }
}
