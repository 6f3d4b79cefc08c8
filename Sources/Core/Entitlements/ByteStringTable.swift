import MeteringModel

/// Finds the number that belongs to a byte string: flat open addressing on a keyed 64-bit hash,
/// then a comparison of the bytes. A look-up touches one slot and one name (two cache lines as a
/// rule) and allocates nothing.
struct ByteStringTable: Sendable {
    /// Entries and the length of one name are bounded so that offsets fit in 32 bits.
    static let entriesMax = 16_000_000
    static let nameBytesMax = 256

    private struct Slot: Sendable {
        var hash: UInt64
        /// `UInt32.max` in an empty slot.
        var number: UInt32
        /// Where the name lies in `names`: two bytes of length, then the bytes.
        var offset: UInt32
    }

    private static let empty = Slot(hash: 0, number: .max, offset: 0)
    private var slots: [Slot]
    private var names: [UInt8] = []
    private(set) var count = 0

    /// - Parameter capacity: entries expected; at most half of the slots are ever in use.
    init(capacity: Int) {
        slots = [Slot](repeating: Self.empty, count: Self.slotCount(for: capacity))
    }

    /// Stores `number` under `name`, unless the name is there already: then returns its number.
    /// The caller has checked `entriesMax` and `nameBytesMax`.
    mutating func insert(_ name: String, hash: UInt64, number: Int) -> Int? {
        // SAFETY: the span is read while `name` is alive.
        if let known = unsafe self.number(hash: hash, name.utf8Span.span.bytes) { return known }
        if (count + 1) * 2 > slots.count { grow() }
        let length = name.utf8.count
        precondition(length <= Self.nameBytesMax && count < Self.entriesMax)
        let slot = Slot(
            hash: hash, number: UInt32(number), offset: UInt32(truncatingIfNeeded: names.count))
        names.append(UInt8(truncatingIfNeeded: length))
        names.append(UInt8(truncatingIfNeeded: length >> 8))
        names.append(contentsOf: name.utf8)
        place(slot)
        count += 1
        return nil
    }

    /// The number stored under `name`, whose hash is `hash`; nil when there is none.
    func number(hash: UInt64, _ name: RawSpan) -> Int? {
        let mask = slots.count &- 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = slots[index]
            if slot.number == .max { return nil }
            if slot.hash == hash, holds(name, at: Int(slot.offset)) { return Int(slot.number) }
            index = (index &+ 1) & mask
        }
    }

    private func holds(_ name: RawSpan, at offset: Int) -> Bool {
        let length = Int(names[offset]) | Int(names[offset &+ 1]) &<< 8
        guard length == name.byteCount else { return false }
        // SAFETY: bytes are plain data, and the array outlives the comparison.
        let stored = unsafe names.span.bytes
        return stored.holds(name, at: offset &+ 2)
    }

    private mutating func place(_ slot: Slot) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: slot.hash) & mask
        while slots[index].number != .max { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Self.empty, count: old.count * 2)
        for slot in old where slot.number != .max { place(slot) }
    }

    private static func slotCount(for capacity: Int) -> Int {
        var count = 8
        while count < capacity * 2 { count *= 2 }
        return count
    }
}

extension RawSpan {
    /// Whether `other` stands in these bytes from `offset` on; bounds are checked.
    func holds(_ other: RawSpan, at offset: Int) -> Bool {
        let count = other.byteCount
        guard offset &+ count <= byteCount else { return false }
        var index = 0
        while index &+ 8 <= count {
            // SAFETY: UInt64 has no invalid bit patterns, and both loads check their bounds.
            let left = unsafe unsafeLoadUnaligned(fromByteOffset: offset &+ index, as: UInt64.self)
            let right = unsafe other.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            if left != right { return false }
            index &+= 8
        }
        while index < count {
            if byte(at: offset &+ index) != other.byte(at: index) { return false }
            index &+= 1
        }
        return true
    }
}
