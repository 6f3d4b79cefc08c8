public import Synchronization

/// A hash table of counters that any number of threads read and change without locks.
///
/// `read` and `update` are lock-free and allocate nothing, also while the table grows. `insert`,
/// `redefine`, `remove` and growth take turns on one mutex. See the target's article for the
/// protocol, its proof obligations and the memory bound.
public final class CounterTable: Sendable {
    /// What an `update` did.
    public enum Update: Equatable, Sendable {
        /// The new state is in place.
        case changed(CounterState)
        /// The change declined; this is the state it saw.
        case kept(CounterState)
        case missing
    }

    /// A counter as `read` found it.
    public struct Reading: Equatable, Sendable {
        public let meta: UInt64
        public let state: CounterState

        @inlinable
        init(meta: UInt64, state: CounterState) {
            self.meta = meta
            self.state = state
        }
    }

    /// 0 marks a free cell, so a key of 0 is stored as this one. Two keys that share a counter by
    /// this are as unlikely as any two colliding hashes.
    @usableFromInline static let aliasOfZero: UInt64 = 0xffff_ffff_ffff_fffe

    /// Where operations begin. A newer generation is stored here only when it is complete.
    @usableFromInline let current: Atomic<UInt64>
    /// The generation after `current` while the table grows; `current` itself or 0 otherwise.
    @usableFromInline let next = Atomic<UInt64>(0)
    let liveCount = Atomic<Int>(0)
    let mappedByteCount: Atomic<Int>
    let writer: Mutex<CounterWriter>

    /// A table that takes `minimumCapacity` counters before it grows. Values out of range are
    /// brought into 1 … 2^36.
    public init(minimumCapacity: Int) {
        let writer = CounterWriter(minimumCapacity: minimumCapacity)
        current = Atomic(writer.generation.word)
        mappedByteCount = Atomic(writer.memory.byteCount)
        self.writer = Mutex(writer)
    }

    deinit {
        writer.withLock { $0.unmapAll() }
    }

    /// Counters in the table.
    public var count: Int { liveCount.load(ordering: .relaxed) }

    /// Bytes of the cells in use; while growing, of both generations.
    public var bytesAllocated: Int { mappedByteCount.load(ordering: .relaxed) }

    // MARK: lock-free

    /// The counter of a key. `meta` is read beside the state, not in one step with it.
    @inlinable
    public func read(_ key: UInt64) -> Reading? {
        let key = Self.stored(key)
        guard var (cell, words) = locate(key) else { return nil }
        while true {
            let meta = cell.meta
            // The generation may have been retired since, and then the meta read as 0. But a key
            // that is still there was there before too, and so was the meta.
            if cell.key == key { return Reading(meta: meta, state: StateCode.decode(words)) }
            guard let found = locateWhileMoving(key) else { return nil }
            (cell, words) = found
        }
    }

    /// As `read`, and the state was the same before and after the meta was read. Nil as well when it
    /// was not, and for keys that are moving.
    @inlinable @inline(__always)
    public func readUnchanged(_ key: UInt64) -> Reading? {
        let key = Self.stored(key)
        let generation = Generation(word: current.load(ordering: .acquiring))
        guard let cell = generation.find(key) else { return nil }
        let words = cell.loadState()
        let meta = cell.meta
        guard StateCode.isLive(words), cell.loadState() == words else { return nil }
        return Reading(meta: meta, state: StateCode.decode(words))
    }

    /// Replaces a counter's state by what `change` makes of it, in one atomic step. `change` may be
    /// called several times and must be pure; nil declines.
    @inlinable @inline(__always)
    public func update(_ key: UInt64, _ change: (CounterState) -> CounterState?) -> Update {
        let key = Self.stored(key)
        guard var (cell, words) = locate(key) else { return .missing }
        while true {
            let state = StateCode.decode(words)
            guard let changed = change(state) else { return .kept(state) }
            let (exchanged, original) = cell.compareExchangeState(
                expected: words, desired: StateCode.encode(changed))
            if exchanged { return .changed(changed) }
            words = original
            if !StateCode.isLive(words) {
                guard let found = locateWhileMoving(key) else { return .missing }
                (cell, words) = found
            }
        }
    }

    @inlinable @inline(__always)
    static func stored(_ key: UInt64) -> UInt64 { key == 0 ? aliasOfZero : key }

    /// The cell of a key with a live state of it.
    @inlinable @inline(__always)
    func locate(_ key: UInt64) -> (cell: Cell, words: WordPair)? {
        // Acquires: a generation's memory is seen as it was when the generation was published.
        let generation = Generation(word: current.load(ordering: .acquiring))
        if let cell = generation.find(key) {
            let words = cell.loadState()
            if StateCode.isLive(words) { return (cell, words) }
        }
        return locateWhileMoving(key)
    }

    /// `locate` for everything but the plain case: missing, removed, moved or moving keys.
    @usableFromInline @inline(never)
    func locateWhileMoving(_ key: UInt64) -> (cell: Cell, words: WordPair)? {
        var generation = Generation(word: current.load(ordering: .acquiring))
        while true {
            if let cell = generation.find(key) {
                let words = cell.loadState()
                if StateCode.isLive(words) { return (cell, words) }
                if words == StateCode.removed { return nil }
                if StateCode.isFrozen(words) {
                    generation = follow(key, from: generation, frozen: words)
                    continue
                }
            }
            // Not here: either it is nowhere, or this generation was retired after we came.
            let latest = Generation(word: current.load(ordering: .acquiring))
            if latest == generation { return nil }
            generation = latest
        }
    }

    /// Where to go on after meeting a frozen state. Copies it to the next generation first when the
    /// grower has not yet, so that nobody ever waits for the grower.
    private func follow(
        _ key: UInt64, from generation: Generation, frozen words: WordPair
    ) -> Generation {
        // `next` before `current`: while `current` is still ours, the `next` read before it can only
        // be our successor. A later one is stored after `current` has moved on.
        let successor = Generation(word: next.load(ordering: .acquiring))
        let latest = Generation(word: current.load(ordering: .acquiring))
        guard latest == generation else { return latest }
        // The grower named every live key in the successor before it froze the first cell.
        guard let target = successor.find(key) else { return latest }
        Self.settle(target, frozen: words)
        return successor
    }

    /// Gives a pending cell the value that is final in its predecessor. Pending ends once and never
    /// returns, so of all who try one succeeds, and a late one changes nothing.
    static func settle(_ target: Cell, frozen words: WordPair) {
        _ = target.compareExchangeState(
            expected: StateCode.pending, desired: StateCode.flippingFrozen(words))
    }
}
