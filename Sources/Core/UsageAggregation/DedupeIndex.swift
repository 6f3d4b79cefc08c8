public import MeteringModel

/// Which event identities have been counted, and where each was seen first.
///
/// Memory goes by generations: the window is cut in four, a new generation starts every quarter of
/// it, and a generation is dropped when its youngest mark has left the window. An identity is
/// therefore remembered for at least the window and at most five quarters of it.
/// Used from the one thread that runs the pipeline.
///
/// Two different identities collide with probability n² / 2^65 for n identities remembered:
/// 2.7e-6 for 10 million, 0.027 for a billion.
public struct DedupeIndex: ~Copyable {
    public enum Verdict: Sendable, Hashable {
        case first
        /// Seen at an earlier place with the same content.
        case duplicate
        /// Seen at an earlier place with other content; the first one stays.
        case conflict
    }

    private var generations: [Generation] = []
    private let generationMicroseconds: Int64
    private let windowMicroseconds: Int64

    public init(windowSeconds: Int64) {
        windowMicroseconds = windowSeconds * 1_000_000
        generationMicroseconds = Swift.max(1, windowSeconds * 1_000_000 / 4)
    }

    /// Identities remembered now.
    public var count: Int { generations.reduce(0) { $0 + $1.count } }
    /// Bytes held by the tables.
    public var bytesAllocated: Int { generations.reduce(0) { $0 + $1.capacity * 16 } }

    /// The mark of a place in the log: 16 bits of content, 48 bits of place.
    public static func mark(content: UInt64, offset: Int64) -> UInt64 {
        (content & 0xffff) << 48 | UInt64(bitPattern: offset) & 0xffff_ffff_ffff
    }

    /// Asks and remembers in one step. The same place again is `first`: a batch that had to be
    /// read a second time decides as it did before.
    /// - Parameters:
    ///   - mark: what `mark(content:offset:)` made.
    ///   - at: the record's append time.
    public mutating func observe(
        _ fingerprint: UInt64, mark: UInt64, partition: Int32, at: Timestamp
    ) -> Verdict {
        let key = fingerprint == 0 ? 1 : fingerprint
        let slot = Self.slotValue(mark, partition)
        for index in generations.indices.reversed() {
            guard let known = generations[index].find(key) else { continue }
            if known & 0xffff_ffff_ffff == slot & 0xffff_ffff_ffff { return .first }
            return known >> 48 == slot >> 48 ? .duplicate : .conflict
        }
        insert(key, slot, at: at)
        return .first
    }

    /// Brings back a mark that the ledger holds.
    public mutating func restore(
        _ fingerprint: UInt64, mark: UInt64, partition: Int32, at: Timestamp
    ) {
        let key = fingerprint == 0 ? 1 : fingerprint
        for generation in generations where generation.find(key) != nil { return }
        insert(key, Self.slotValue(mark, partition), at: at)
    }

    /// Forgets the marks of events that were not counted after all (an abandoned batch).
    public mutating func forget(_ fingerprint: UInt64, mark: UInt64, partition: Int32) {
        let key = fingerprint == 0 ? 1 : fingerprint
        let slot = Self.slotValue(mark, partition)
        for index in generations.indices where generations[index].find(key) == slot {
            generations[index].vacate(key)
        }
    }

    private mutating func insert(_ key: UInt64, _ slot: UInt64, at: Timestamp) {
        if generations.isEmpty
            || at.microseconds >= generations[generations.count - 1].startMicroseconds
                &+ generationMicroseconds
        {
            generations.append(Generation(startMicroseconds: at.microseconds))
            let horizon = at.microseconds &- windowMicroseconds &- generationMicroseconds
            generations.removeAll { $0.startMicroseconds < horizon }
        }
        generations[generations.count - 1].insert(key, slot)
    }

    /// Folds the partition into the 48 bits of place, so that equal offsets of two partitions differ.
    private static func slotValue(_ mark: UInt64, _ partition: Int32) -> UInt64 {
        let place = (mark & 0xffff_ffff_ffff) &+ 1
        let mixed = (place &+ UInt64(UInt32(bitPattern: partition)) &* 0x9e37_79b9_7f4a)
        return mark & 0xffff_0000_0000_0000 | mixed & 0xffff_ffff_ffff
    }

    /// One open-addressing table of (fingerprint, place) pairs, grown at two thirds full. A pair
    /// lies together, so that a look-up costs one miss of the cache and storing after it none.
    private struct Generation {
        let startMicroseconds: Int64
        /// Fingerprint, place, fingerprint, place, …
        private var words: [UInt64]
        private(set) var count = 0

        var capacity: Int { words.count / 2 }

        init(startMicroseconds: Int64) {
            self.startMicroseconds = startMicroseconds
            words = [UInt64](repeating: 0, count: 2 << 12)
        }

        /// Where `key` lies or, when it is not there, where it would.
        @inline(__always)
        private func position(_ key: UInt64) -> Int {
            let mask = words.count &- 1
            var index = Int(truncatingIfNeeded: key &>> 7) &<< 1 & mask
            while words[index] != 0, words[index] != key { index = (index &+ 2) & mask }
            return index
        }

        @inline(__always)
        func find(_ key: UInt64) -> UInt64? {
            let index = position(key)
            let value = words[index &+ 1]
            return words[index] == 0 || value == 0 ? nil : value
        }

        mutating func insert(_ key: UInt64, _ value: UInt64) {
            if count * 6 >= words.count * 2 { grow() }
            place(key, value)
        }

        /// Keeps the key, so that probe chains stay whole, and drops its value.
        mutating func vacate(_ key: UInt64) {
            let index = position(key)
            if words[index] == key { words[index &+ 1] = 0 }
        }

        @inline(__always)
        private mutating func place(_ key: UInt64, _ value: UInt64) {
            let index = position(key)
            if words[index] == 0 { count &+= 1 }
            words[index] = key
            words[index &+ 1] = value
        }

        private mutating func grow() {
            let old = words
            words = [UInt64](repeating: 0, count: old.count * 2)
            count = 0
            for index in stride(from: 0, to: old.count, by: 2)
            where old[index] != 0 && old[index + 1] != 0 {
                place(old[index], old[index + 1])
            }
        }
    }
}
