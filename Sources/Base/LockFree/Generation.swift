import Synchronization

/// One open-addressing array of cells, packed in one word: its page-aligned address, and in the low
/// six bits the binary logarithm of its capacity. One atomic load therefore yields all that a lookup
/// needs, with no header to fetch.
///
/// The slot comes from the top bits of the mixed key. So the cells of a larger generation stand in
/// the same order, and growing reads and writes memory from front to back.
@usableFromInline
struct Generation: Equatable {
    @usableFromInline static let logarithmMask: UInt64 = 63

    @usableFromInline let word: UInt64

    @inlinable @inline(__always)
    init(word: UInt64) { self.word = word }

    init(address: UInt, capacityLogarithm: Int) {
        word = UInt64(address) | UInt64(capacityLogarithm)
    }

    @inlinable @inline(__always)
    var address: UInt { UInt(word & ~Self.logarithmMask) }

    @inlinable @inline(__always)
    var capacityLogarithm: UInt64 { word & Self.logarithmMask }

    @inlinable @inline(__always)
    var capacity: Int { 1 &<< Int(capacityLogarithm) }

    @inlinable @inline(__always)
    subscript(slot: UInt) -> Cell { Cell(address: address &+ slot &* Cell.byteCount) }

    /// Where the search for a key begins. Keys should be keyed hashes already; the multiplication
    /// by 2^64 / φ keeps weak ones (small integers) from piling up in one place.
    @inlinable @inline(__always)
    func homeSlot(of key: UInt64) -> UInt {
        UInt((key &* 0x9e37_79b9_7f4a_7c15) &>> (64 &- capacityLogarithm))
    }

    /// The cell of a key, nil when a free cell ends the search. A key never leaves its cell, and at
    /// least a quarter of the cells is free, so the search ends.
    @inlinable @inline(__always)
    func find(_ key: UInt64) -> Cell? {
        let mask = UInt(bitPattern: capacity &- 1)
        var slot = homeSlot(of: key)
        while true {
            let cell = self[slot]
            let found = cell.key
            if found == key { return cell }
            if found == 0 { return nil }
            slot = (slot &+ 1) & mask
        }
    }

    /// Puts a key that is not in the generation into the first free cell. Only the one writer calls
    /// it, and only while cells are free.
    func place(_ key: UInt64, meta: UInt64, state: WordPair) {
        let mask = UInt(bitPattern: capacity &- 1)
        var slot = homeSlot(of: key)
        while self[slot].key != 0 { slot = (slot &+ 1) & mask }
        self[slot].fill(key: key, meta: meta, state: state)
    }
}

extension CellMemory {
    /// The generation whose cells lie in this memory.
    var generation: Generation {
        Generation(address: address, capacityLogarithm: capacityLogarithm)
    }
}
