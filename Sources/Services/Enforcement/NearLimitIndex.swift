package import MeteringModel
package import MeteringPorts
import Synchronization

/// Customers by share of limit used, kept in order as usage changes: the near-limit page costs what
/// it shows, not what there is. Shares are bucketed by tenths of a percent; a page sorts only the
/// buckets it walks.
package final class NearLimitIndex: Sendable {
    private static let bucketCount = 2_001
    private static let basisPointsPerBucket: Int64 = 10

    private struct State {
        var entries: [UInt64: NearLimitEntry] = [:]
        var buckets: [Set<UInt64>] = Array(repeating: [], count: bucketCount)
    }

    private let state = Mutex<State>(State())

    package init() {}

    package func update(_ key: UInt64, _ entry: NearLimitEntry) {
        state.withLock { state in
            if let old = state.entries[key] {
                state.buckets[Self.bucket(old.shareBasisPoints)].remove(key)
            }
            state.entries[key] = entry
            state.buckets[Self.bucket(entry.shareBasisPoints)].insert(key)
        }
    }

    package func remove(_ key: UInt64) {
        state.withLock { state in
            guard let old = state.entries.removeValue(forKey: key) else { return }
            state.buckets[Self.bucket(old.shareBasisPoints)].remove(key)
        }
    }

    package func removeAll() { state.withLock { $0 = State() } }

    package var count: Int { state.withLock { $0.entries.count } }

    /// Largest share first, then by customer and feature. The cursor names the last entry shown.
    /// Costs what lies in the buckets walked: those that the page fills from, and with a filter
    /// those that it has to look through for enough that match.
    package func page(
        overBasisPoints: Int64, filter: NearLimitFilter = NearLimitFilter(), limit: Int,
        cursor: String?, now: Timestamp
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?) {
        let after = try cursor.map { text throws(QueryError) in try NearLimitCursor(text) }
        let found: [NearLimitEntry] = state.withLock { state in
            var found: [NearLimitEntry] = []
            var bucket = after.map { Self.bucket($0.share) } ?? Self.bucketCount - 1
            while bucket >= Self.bucket(overBasisPoints), found.count <= limit {
                var first = FirstEntries(countMax: limit + 1 - found.count)
                for key in state.buckets[bucket] {
                    guard let entry = state.entries[key],
                        entry.shareBasisPoints >= overBasisPoints, entry.period.end > now,
                        filter.matches(entry), after?.isBefore(entry) ?? true
                    else { continue }
                    first.offer(entry)
                }
                found += first.sorted()
                bucket -= 1
            }
            return found
        }
        let page = Array(found.prefix(limit))
        return (page, found.count > limit ? page.last.map { NearLimitCursor($0).text } : nil)
    }

    private static func bucket(_ share: Int64) -> Int {
        Int(min(max(0, share) / basisPointsPerBucket, Int64(bucketCount - 1)))
    }
}

extension NearLimitEntry {
    /// The order of the list.
    static func precedes(_ left: NearLimitEntry, _ right: NearLimitEntry) -> Bool {
        if left.shareBasisPoints != right.shareBasisPoints {
            return left.shareBasisPoints > right.shareBasisPoints
        }
        return (left.customer, left.feature) < (right.customer, right.feature)
    }
}

/// The first few of many entries, without sorting them all: a bucket may hold everybody.
private struct FirstEntries {
    private let countMax: Int
    private var entries: [NearLimitEntry] = []
    /// Later entries than this one are none of the first.
    private var last: NearLimitEntry?

    init(countMax: Int) { self.countMax = countMax }

    mutating func offer(_ entry: NearLimitEntry) {
        if let last, !NearLimitEntry.precedes(entry, last) { return }
        entries.append(entry)
        guard entries.count >= countMax * 2 else { return }
        entries = sorted()
        last = entries.last
    }

    func sorted() -> [NearLimitEntry] {
        Array(entries.sorted(by: NearLimitEntry.precedes).prefix(countMax))
    }
}

/// Names an entry of the list; lengths are in bytes, as ids are.
private struct NearLimitCursor {
    var share: Int64
    var customer: CustomerID
    var feature: FeatureKey

    init(_ entry: NearLimitEntry) {
        share = entry.shareBasisPoints
        customer = entry.customer
        feature = entry.feature
    }

    init(_ text: String) throws(QueryError) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let share = Int64(parts[0]), let length = Int(parts[1]),
            length >= 0, length <= parts[2].utf8.count,
            let customer = String(parts[2].utf8.prefix(length)),
            let feature = String(parts[2].utf8.dropFirst(length))
        else {
            throw QueryError(code: .invalid, message: "cursor is not one that a page returned")
        }
        self.share = share
        self.customer = CustomerID(customer)
        self.feature = FeatureKey(feature)
    }

    var text: String {
        "\(share):\(customer.rawValue.utf8.count):\(customer)\(feature)"
    }

    func isBefore(_ entry: NearLimitEntry) -> Bool {
        if entry.shareBasisPoints != share { return entry.shareBasisPoints < share }
        return (customer, feature) < (entry.customer, entry.feature)
    }
}
