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
    package func page(
        overBasisPoints: Int64, limit: Int, cursor: String?, now: Timestamp
    ) throws(QueryError) -> (entries: [NearLimitEntry], next: String?) {
        let after = try cursor.map { text throws(QueryError) in try Cursor(text) }
        let found: [NearLimitEntry] = state.withLock { state in
            var found: [NearLimitEntry] = []
            let first = after.map { Self.bucket($0.share) } ?? Self.bucketCount - 1
            var bucket = first
            while bucket >= Self.bucket(overBasisPoints), found.count <= limit {
                var shown = state.buckets[bucket].compactMap { state.entries[$0] }
                    .filter { $0.shareBasisPoints >= overBasisPoints && $0.period.end > now }
                if let after { shown = shown.filter { after.isBefore($0) } }
                found += shown.sorted(by: Self.precedes)
                bucket -= 1
            }
            return found
        }
        let page = Array(found.prefix(limit))
        return (page, found.count > limit ? page.last.map { Cursor($0).text } : nil)
    }

    private static func precedes(_ left: NearLimitEntry, _ right: NearLimitEntry) -> Bool {
        if left.shareBasisPoints != right.shareBasisPoints {
            return left.shareBasisPoints > right.shareBasisPoints
        }
        return (left.customer.rawValue, left.feature.rawValue)
            < (right.customer.rawValue, right.feature.rawValue)
    }

    private static func bucket(_ share: Int64) -> Int {
        Int(min(max(0, share) / basisPointsPerBucket, Int64(bucketCount - 1)))
    }

    private struct Cursor {
        var share: Int64
        var customer: String
        var feature: String

        init(_ entry: NearLimitEntry) {
            share = entry.shareBasisPoints
            customer = entry.customer.rawValue
            feature = entry.feature.rawValue
        }

        init(_ text: String) throws(QueryError) {
            let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let share = Int64(parts[0]), let length = Int(parts[1]),
                length >= 0, length <= parts[2].count
            else {
                throw QueryError(code: .invalid, message: "cursor is not one that a page returned")
            }
            self.share = share
            customer = String(parts[2].prefix(length))
            feature = String(parts[2].dropFirst(length))
        }

        var text: String { "\(share):\(customer.count):\(customer)\(feature)" }

        func isBefore(_ entry: NearLimitEntry) -> Bool {
            if entry.shareBasisPoints != share { return entry.shareBasisPoints < share }
            return (customer, feature) < (entry.customer.rawValue, entry.feature.rawValue)
        }
    }
}
