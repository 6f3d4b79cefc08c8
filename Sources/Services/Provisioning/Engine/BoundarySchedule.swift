package import Entitlements
package import MeteringModel
import Synchronization

/// When which customer's entitlements change by themselves: the ends of trials, subscriptions,
/// overrides and suspensions, known before they come.
///
/// A heap of (instant, customer), kept lazily: an entry that a later change has made void is
/// noticed when its time comes, by asking the snapshot in force.
package final class BoundarySchedule: Sendable {
    private static let voidMax = 1_000

    private let heap = Mutex(BoundaryHeap())

    package init() {}

    package var count: Int { heap.withLock { $0.count } }

    /// Takes in the next boundary after `now` of each of the customers.
    package func note(
        _ customers: some Sequence<Int>, of snapshot: CatalogSnapshot, after now: Timestamp
    ) {
        // Void entries are given up before there are more of them than others.
        if count > 2 * snapshot.customerCount + Self.voidMax {
            heap.withLock { $0 = BoundaryHeap() }
            add(0..<snapshot.customerCount, of: snapshot, after: now)
        } else {
            add(customers, of: snapshot, after: now)
        }
    }

    private func add(
        _ customers: some Sequence<Int>, of snapshot: CatalogSnapshot, after now: Timestamp
    ) {
        for number in customers {
            guard let next = snapshot.customer(number).nextBoundary(after: now),
                next < .distantFuture
            else { continue }
            heap.withLock { $0.push(next, number) }
        }
    }

    /// The first instant that anything may be due at.
    package var next: Timestamp? { heap.withLock { $0.first } }

    /// Takes out what is due at `now`, each customer once, and takes in what comes after it.
    package func due(at now: Timestamp, of snapshot: CatalogSnapshot) -> [Int] {
        var due: Set<Int> = []
        while let (instant, number) = heap.withLock({ $0.pop(notAfter: now) }) {
            let just = Timestamp(microseconds: instant.microseconds - 1)
            guard number < snapshot.customerCount,
                snapshot.customer(number).nextBoundary(after: just) == instant
            else { continue }
            due.insert(number)
        }
        note(due, of: snapshot, after: now)
        return due.sorted()
    }
}

/// A binary heap, the earliest instant first.
struct BoundaryHeap {
    private var entries: [(instant: Timestamp, number: Int32)] = []

    var count: Int { entries.count }
    var first: Timestamp? { entries.first?.instant }

    mutating func push(_ instant: Timestamp, _ number: Int) {
        entries.append((instant, Int32(truncatingIfNeeded: number)))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if entries[parent].instant <= entries[child].instant { return }
            entries.swapAt(parent, child)
            child = parent
        }
    }

    mutating func pop(notAfter limit: Timestamp) -> (instant: Timestamp, number: Int)? {
        guard let first = entries.first, first.instant <= limit else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return (first.instant, Int(first.number))
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var child = parent * 2 + 1
            if child >= entries.count { return }
            if child + 1 < entries.count, entries[child + 1].instant < entries[child].instant {
                child += 1
            }
            if entries[parent].instant <= entries[child].instant { return }
            entries.swapAt(parent, child)
            parent = child
        }
    }
}
