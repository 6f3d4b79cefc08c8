package import Synchronization

/// What the pipeline counts about itself, for `/metrics` and `/readyz`.
package final class MeteringCounters: Sendable {
    package let counted = Atomic<Int64>(0)
    package let duplicates = Atomic<Int64>(0)
    /// Duplicates whose content differed from the first.
    package let conflicts = Atomic<Int64>(0)
    /// Known type, but no filter let it through.
    package let filtered = Atomic<Int64>(0)
    package let control = Atomic<Int64>(0)
    /// Tollgate's own events that carry no usage: holds opened and closed.
    package let holds = Atomic<Int64>(0)
    /// Corrections of single events; those that the ledger then refused are among the set-aside.
    package let corrections = Atomic<Int64>(0)
    package let commits = Atomic<Int64>(0)
    package let commitFailures = Atomic<Int64>(0)
    package let commitMicrosecondsTotal = Atomic<Int64>(0)
    package let crossings = Atomic<Int64>(0)
    /// Milliseconds between now and the append of the newest record in the ledger.
    package let completeToMicroseconds = Atomic<Int64>(0)
    private let setAside = Mutex<[String: Int64]>([:])
    private let overflows = Mutex<[String: Int64]>([:])

    package init() {}

    package func countSetAside(_ reason: String) {
        setAside.withLock { $0[reason, default: 0] += 1 }
    }

    /// Events whose dimension values their meter had no room for.
    package func countDimensionOverflow(_ meter: String, _ count: Int64) {
        overflows.withLock { $0[meter, default: 0] += count }
    }

    package func dimensionOverflowsByMeter() -> [(meter: String, count: Int64)] {
        overflows.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.0 < $1.0 }
    }

    package func setAsideByReason() -> [(reason: String, count: Int64)] {
        setAside.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.0 < $1.0 }
    }
}
