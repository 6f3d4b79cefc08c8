import MeteringModel

/// Finds the number that belongs to a byte string: flat open addressing on a keyed hash, then a
/// comparison of the bytes. A look-up touches one slot and one name (two cache lines as a rule)
/// and allocates nothing.
struct ByteStringTable: Sendable {
    /// Entries and the length of one name are bounded so that offsets fit in 32 bits.
    static let entriesMax = 16_000_000
    static let nameBytesMax = 256
    /// Bytes of removed names that are not worth moving the others for.
    private static let garbageBytesMin = 1_024

    private struct Slot: Sendable {
        /// The lower half of the name's hash.
        var hash: UInt32
        /// `UInt32.max` in an empty slot.
        var number: UInt32
        /// Where the name lies in `names`: two bytes of length, then the bytes.
        var offset: UInt32
    }

    private static let empty = Slot(hash: 0, number: .max, offset: 0)
    /// None before the first entry; then a power of two, of which at most half are in use.
    private var slots: [Slot] = []
    private var names: [UInt8] = []
    private var garbageBytes = 0
    private(set) var count = 0

    /// Stores `number` under `name`, unless the name is there already: then returns its number.
    /// The caller has checked `entriesMax` and `nameBytesMax`.
    mutating func insert(_ name: String, hash: UInt64, number: Int) -> Int? {
        // SAFETY: the span is read while `name` is alive.
        if let known = unsafe self.number(hash: hash, name.utf8Span.span.bytes) { return known }
        if (count + 1) * 2 > slots.count { grow() }
        let length = name.utf8.count
        precondition(length <= Self.nameBytesMax && count < Self.entriesMax)
        let slot = Slot(
            hash: UInt32(truncatingIfNeeded: hash), number: UInt32(number),
            offset: UInt32(truncatingIfNeeded: names.count))
        names.append(UInt8(truncatingIfNeeded: length))
        names.append(UInt8(truncatingIfNeeded: length >> 8))
        names.append(contentsOf: name.utf8)
        place(slot)
        count += 1
        return nil
    }

    /// The number stored under `name`, whose hash is `hash`; nil when there is none.
    func number(hash: UInt64, _ name: RawSpan) -> Int? {
        guard let index = position(hash: hash, name) else { return nil }
        return Int(slots[index].number)
    }

    /// Takes an entry out.
    /// - Returns: its number; nil when there was none.
    mutating func remove(hash: UInt64, _ name: RawSpan) -> Int? {
        guard var hole = position(hash: hash, name) else { return nil }
        let removed = slots[hole]
        let mask = slots.count - 1
        var index = (hole + 1) & mask
        // What was pushed past the hole by a collision moves up, so that no search stops early.
        while slots[index].number != .max {
            let home = Int(slots[index].hash) & mask
            if (index - home) & mask >= (index - hole) & mask {
                slots[hole] = slots[index]
                hole = index
            }
            index = (index + 1) & mask
        }
        slots[hole] = Self.empty
        count -= 1
        garbageBytes += name.byteCount + 2
        if garbageBytes > Self.garbageBytesMin, garbageBytes * 2 > names.count { compact() }
        return Int(removed.number)
    }

    private func position(hash: UInt64, _ name: RawSpan) -> Int? {
        if slots.isEmpty { return nil }
        let mask = slots.count &- 1
        let short = UInt32(truncatingIfNeeded: hash)
        var index = Int(short) & mask
        while true {
            let slot = slots[index]
            if slot.number == .max { return nil }
            if slot.hash == short, holds(name, at: Int(slot.offset)) { return index }
            index = (index &+ 1) & mask
        }
    }

    private func holds(_ name: RawSpan, at offset: Int) -> Bool {
        guard length(at: offset) == name.byteCount else { return false }
        // SAFETY: bytes are plain data, and the array outlives the comparison.
        let stored = unsafe names.span.bytes
        return stored.holds(name, at: offset &+ 2)
    }

    private func length(at offset: Int) -> Int {
        Int(names[offset]) | Int(names[offset &+ 1]) &<< 8
    }

    private mutating func place(_ slot: Slot) {
        let mask = slots.count - 1
        var index = Int(slot.hash) & mask
        while slots[index].number != .max { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Self.empty, count: max(8, old.count * 2))
        for slot in old where slot.number != .max { place(slot) }
    }

    private mutating func compact() {
        var kept: [UInt8] = []
        kept.reserveCapacity(names.count - garbageBytes)
        for index in slots.indices where slots[index].number != .max {
            let offset = Int(slots[index].offset)
            slots[index].offset = UInt32(truncatingIfNeeded: kept.count)
            kept.append(contentsOf: names[offset..<(offset + 2 + length(at: offset))])
        }
        names = kept
        garbageBytes = 0
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
