import Synchronization

// Everything that adds keys, removes them or moves them: one writer at a time, under the mutex.
extension CounterTable {
    /// Adds a counter, or replaces everything of the one that is there. Grows when three quarters
    /// of the cells are taken. The state comes before the meta.
    public func insert(_ key: UInt64, meta: UInt64, state: CounterState) {
        let key = Self.stored(key)
        let words = StateCode.encode(state)
        writer.withLock { writer in
            if let cell = writer.generation.find(key) {
                let replaced = cell.exchangeState(words)
                cell.storeMeta(meta)
                if replaced == StateCode.removed { liveCount.add(1, ordering: .relaxed) }
                return
            }
            if writer.isFull { grow(&writer) }
            writer.generation.place(key, meta: meta, state: words)
            writer.takenCells += 1
            liveCount.add(1, ordering: .relaxed)
        }
    }

    /// Sets a counter's meta and changes its state in one atomic step. False when it is missing.
    @discardableResult
    public func redefine(
        _ key: UInt64, meta: UInt64, _ change: (CounterState) -> CounterState
    ) -> Bool {
        let key = Self.stored(key)
        return writer.withLock { writer in
            guard let cell = writer.generation.find(key) else { return false }
            var words = cell.loadState()
            // No growth under the mutex, so the state is live or removed and stays so.
            while StateCode.isLive(words) {
                let changed = StateCode.encode(change(StateCode.decode(words)))
                let (exchanged, original) = cell.compareExchangeState(
                    expected: words, desired: changed)
                if exchanged {
                    cell.storeMeta(meta)
                    return true
                }
                words = original
            }
            return false
        }
    }

    /// Sets a counter's meta. False when it is missing.
    @discardableResult
    public func setMeta(_ key: UInt64, _ meta: UInt64) -> Bool {
        let key = Self.stored(key)
        return writer.withLock { writer in
            guard let cell = writer.generation.find(key) else { return false }
            // No growth under the mutex, so the state is live or removed and stays so.
            guard StateCode.isLive(cell.loadState()) else { return false }
            cell.storeMeta(meta)
            return true
        }
    }

    /// Removes a counter. Its cell is free again after the next growth, or at once for the same key.
    /// False when there was none.
    @discardableResult
    public func remove(_ key: UInt64) -> Bool {
        let key = Self.stored(key)
        return writer.withLock { writer in
            guard let cell = writer.generation.find(key) else { return false }
            guard cell.exchangeState(StateCode.removed) != StateCode.removed else { return false }
            liveCount.subtract(1, ordering: .relaxed)
            return true
        }
    }

    /// Moves all live counters to a generation of twice the capacity, or of the same when removed
    /// ones have filled this one. Other threads go on reading and changing counters meanwhile.
    private func grow(_ writer: inout CounterWriter) {
        let old = writer.generation
        let live = liveCount.load(ordering: .relaxed)
        let memory = writer.memoryForGrowth(liveCount: live)
        let new = memory.generation
        mappedByteCount.add(memory.byteCount, ordering: .relaxed)

        // 1. Name every live key in the new generation, its value still pending.
        for slot in 0..<UInt(old.capacity) where old[slot].isLive {
            new.place(old[slot].key, meta: old[slot].meta, state: StateCode.pending)
        }
        // 2. Show the way. Releases the names: who meets a frozen cell finds its key in `new`.
        next.store(new.word, ordering: .releasing)
        // 3. Freeze cell after cell and settle each value in the new generation.
        for slot in 0..<UInt(old.capacity) where old[slot].isLive {
            let frozen = old[slot].freeze()
            if let target = new.find(old[slot].key) { Self.settle(target, frozen: frozen) }
        }
        // 4. Complete: operations begin in the new generation from now on.
        current.store(new.word, ordering: .releasing)
        // 5. Give the old pages back. Late operations read zeros there and look again.
        mappedByteCount.subtract(writer.memory.byteCount, ordering: .relaxed)
        writer.retire(for: memory, takenCells: live)
    }
}

extension Cell {
    /// Whether it holds a live counter.
    fileprivate var isLive: Bool { key != 0 && StateCode.isLive(loadState()) }

    /// Makes a live state final and returns it as frozen.
    fileprivate func freeze() -> WordPair {
        var words = loadState()
        while true {
            let frozen = StateCode.flippingFrozen(words)
            let (exchanged, original) = compareExchangeState(expected: words, desired: frozen)
            if exchanged { return frozen }
            words = original
        }
    }
}
