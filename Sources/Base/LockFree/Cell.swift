public import Synchronization

/// One counter's 32 bytes: key, meta, and the 128-bit state. Two cells share a cache line and none
/// crosses one, so a lookup that hits its first slot touches one line.
///
/// A cell is a bare address: the memory of a generation stays mapped for as long as its table lives,
/// so no reference counting is needed, which would be one contended cache line for all threads.
@usableFromInline
struct Cell {
    @usableFromInline static let byteCount: UInt = 32
    @usableFromInline static let metaOffset: UInt = 8
    @usableFromInline static let stateOffset: UInt = 16

    @usableFromInline let address: UInt

    @inlinable @inline(__always)
    init(address: UInt) { self.address = address }

    /// 0 when the cell is free. Acquires: whoever sees a key sees the meta and state stored before.
    @inlinable @inline(__always)
    var key: UInt64 {
        // SAFETY: `address` is a cell of a mapped generation (see `CellMemory`).
        unsafe Self.word(at: address).pointee.load(ordering: .acquiring)
    }

    /// Acquires, so that a look at the key after it says whether the meta was still there.
    @inlinable @inline(__always)
    var meta: UInt64 {
        // SAFETY: as for `key`.
        unsafe Self.word(at: address &+ Self.metaOffset).pointee.load(ordering: .acquiring)
    }

    /// The state, without taking the cache line for writing: x86-64 reads 128 bits atomically only
    /// by a locked write, so this reads first, second, first again, and both reads of the first word
    /// must agree. Exact as long as the first word does not change away and back in between, which
    /// takes a window that moves backwards; a compare-and-swap on the result catches even that.
    @inlinable @inline(__always)
    func loadState() -> WordPair {
        while true {
            // SAFETY: both words lie in the cell's state; all accesses to them are atomic.
            let first = unsafe Self.word(at: address &+ Self.stateOffset).pointee
                .load(ordering: .acquiring)
            // SAFETY: as above.
            let second = unsafe Self.word(at: address &+ Self.stateOffset &+ 8).pointee
                .load(ordering: .acquiring)
            // SAFETY: as above.
            let again = unsafe Self.word(at: address &+ Self.stateOffset).pointee
                .load(ordering: .relaxed)
            if first == again {
                return WordPair(first: UInt(first), second: UInt(second))
            }
        }
    }

    /// Acquires and releases: what a thread did before a change is seen by whoever reads the change.
    @inlinable @inline(__always)
    func compareExchangeState(
        expected: WordPair, desired: WordPair
    ) -> (exchanged: Bool, original: WordPair) {
        // SAFETY: `address + 16` is the cell's 16-byte-aligned state.
        unsafe Self.pair(at: address &+ Self.stateOffset).pointee.compareExchange(
            expected: expected, desired: desired, ordering: .acquiringAndReleasing)
    }

    func exchangeState(_ desired: WordPair) -> WordPair {
        // SAFETY: as for `compareExchangeState`.
        unsafe Self.pair(at: address &+ Self.stateOffset).pointee.exchange(
            desired, ordering: .acquiringAndReleasing)
    }

    /// Releases: whoever sees the meta sees what was done to the state before.
    func storeMeta(_ meta: UInt64) {
        // SAFETY: as for `key`.
        unsafe Self.word(at: address &+ Self.metaOffset).pointee.store(meta, ordering: .releasing)
    }

    /// Fills a free cell; the key last, which publishes the rest. Only the one writer calls it.
    func fill(key: UInt64, meta: UInt64, state: WordPair) {
        storeMeta(meta)
        // SAFETY: as for `compareExchangeState`.
        unsafe Self.pair(at: address &+ Self.stateOffset).pointee.store(
            state, ordering: .releasing)
        // SAFETY: as for `key`.
        unsafe Self.word(at: address).pointee.store(key, ordering: .releasing)
    }

    // SAFETY: zeroed memory is a valid `Atomic` of an integer, and an `Atomic` has the size and
    // alignment of its integer, so a cell's words may be seen as such without initialising them.
    @unsafe @inlinable @inline(__always)
    static func word(at address: UInt) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // SAFETY: never nil, since mapped addresses are not 0.
        unsafe UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped
    }

    // SAFETY: as for `word`; the state's offset keeps the 16-byte alignment of the cell.
    @unsafe @inlinable @inline(__always)
    static func pair(at address: UInt) -> UnsafeMutablePointer<Atomic<WordPair>> {
        // SAFETY: never nil, since mapped addresses are not 0.
        unsafe UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped
    }
}
