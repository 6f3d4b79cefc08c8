import Entitlements
package import Logging
import MeteringModel
package import MeteringPorts
package import Synchronization

/// Keeps the shared store (Redis) level with the ledger, and asks it for admissions.
///
/// Commands to the store go one after the other, in the order of the ledger's commits. A store that
/// lost something answers `stale`; then everything sent before is void, and the pipeline's thread
/// hands over a rebuild made from the ledger between two commits. While a rebuild is made no
/// admission is under way (`AdmissionBarrier`), so none can be lost in it.
package final class SharedCounterSync: Sendable {
    package enum Admission: Sendable {
        case admitted, exhausted
        case unavailable(String)
    }

    private enum Command: Sendable {
        case batch(CounterBatch)
        case rebuild(counters: [Int: [SharedCounter]], watermarks: [Int32: Int64])
    }

    package let store: any SharedCounters
    private let clock: WallClock
    private let logger: Logger
    private let barrier = AdmissionBarrier()
    private let state: Mutex<State>
    package let appliedBatches = Atomic<Int64>(0)
    package let rebuilds = Atomic<Int64>(0)

    private struct State {
        var queue: [Command] = []
        var isRunning = false
        var needsRebuild = true
        var lastSuccess: Timestamp?
        var trouble: String?
        var allowance: [UInt64: Int64] = [:]
        var isClosed = false
    }

    /// More than this many batches waiting: drop them and rebuild once the store is back.
    private static let queueCountMax = 256

    package init(store: any SharedCounters, clock: WallClock, logger: Logger) {
        self.store = store
        self.clock = clock
        self.logger = logger
        state = Mutex(State())
    }

    package var needsRebuild: Bool {
        state.withLock { $0.needsRebuild && $0.trouble == nil && !$0.isClosed }
    }

    package var trouble: String? { state.withLock { $0.trouble } }
    package var isDegraded: Bool { state.withLock { $0.needsRebuild || $0.trouble != nil } }
    package var queueCount: Int { state.withLock { $0.queue.count } }

    /// True when nothing waits to be applied.
    package var isLevel: Bool {
        state.withLock { $0.queue.isEmpty && !$0.isRunning && !$0.needsRebuild }
    }

    // MARK: the way of an event

    package func apply(_ batch: CounterBatch) {
        let mustStart = state.withLock { state -> Bool in
            if state.needsRebuild { return false }
            if state.queue.count >= Self.queueCountMax {
                state.queue.removeAll()
                state.needsRebuild = true
                return false
            }
            state.queue.append(.batch(batch))
            return startIfIdle(&state)
        }
        if mustStart { Task { await run() } }
    }

    package func requestRebuild() { state.withLock { $0.needsRebuild = true } }

    /// On the pipeline's thread, between commits. Stops admissions, waits for those under way, then
    /// reads the ledger and queues the rebuild.
    package func rebuild(
        positions: [PartitionClaim], collect: () throws(LedgerError) -> [SharedCounter]
    ) {
        guard barrier.close(withinMilliseconds: 5_000) else {
            logger.warning("admissions did not pause in time; the rebuild is tried again")
            return
        }
        do throws(LedgerError) {
            var byShard: [Int: [SharedCounter]] = [:]
            for shard in 0..<store.shardCount { byShard[shard] = [] }
            for counter in try collect() {
                byShard[store.shard(of: counter.key.root), default: []].append(counter)
            }
            var watermarks: [Int32: Int64] = [:]
            for claim in positions { watermarks[claim.partition] = claim.nextOffset }
            let mustStart = state.withLock { state -> Bool in
                state.queue = [.rebuild(counters: byShard, watermarks: watermarks)]
                state.needsRebuild = false
                return startIfIdle(&state)
            }
            if mustStart { Task { await run() } }
        } catch {
            logger.error("rebuild of the shared counters: \(error.message)")
            barrier.open()
        }
    }

    private func startIfIdle(_ state: inout State) -> Bool {
        if state.isRunning { return false }
        state.isRunning = true
        return true
    }

    private func run() async {
        while true {
            let next = state.withLock { state -> Command? in
                if state.queue.isEmpty || state.isClosed {
                    state.isRunning = false
                    return nil
                }
                return state.queue.removeFirst()
            }
            guard let next else { return }
            switch next {
            case .batch(let batch): await send(batch)
            case .rebuild(let counters, let watermarks): await send(counters, watermarks)
            }
        }
    }

    private func send(_ batch: CounterBatch) async {
        do throws(SharedCounterError) {
            let result = try await store.apply(batch)
            succeeded()
            appliedBatches.add(1, ordering: .relaxed)
            if !result.staleShards.isEmpty { restart("stale shards \(result.staleShards)") }
            if !result.fencedShards.isEmpty {
                logger.warning("shared counters fenced in shards \(result.fencedShards)")
            }
        } catch {
            // Applied or not, the same batch may go again: the store compares positions.
            await failed(error)
            state.withLock { state in
                if error.code == .rejected { state.needsRebuild = true }
                if !state.needsRebuild { state.queue.insert(.batch(batch), at: 0) }
            }
        }
    }

    private func send(_ counters: [Int: [SharedCounter]], _ watermarks: [Int32: Int64]) async {
        do throws(SharedCounterError) {
            for shard in counters.keys.sorted() {
                try await store.rebuild(
                    shard: shard, counters: counters[shard] ?? [], watermarks: watermarks)
            }
            succeeded()
            rebuilds.add(1, ordering: .relaxed)
            logger.info("shared counters rebuilt from the ledger")
        } catch {
            await failed(error)
            state.withLock { $0.needsRebuild = true }
        }
        barrier.open()
    }

    private func restart(_ why: String) {
        logger.warning("shared counters are rebuilt from the ledger: \(why)")
        state.withLock { state in
            state.queue.removeAll()
            state.needsRebuild = true
        }
    }

    private func succeeded() {
        let now = clock.now()
        state.withLock { state in
            state.lastSuccess = now
            state.trouble = nil
            state.allowance.removeAll()
        }
    }

    private func failed(_ error: SharedCounterError) async {
        let isNew = state.withLock { state in
            let isNew = state.trouble == nil
            state.trouble = error.message
            return isNew
        }
        if isNew { logger.error("shared counters: \(error.message)") }
        try? await Task.sleep(for: .milliseconds(250))
    }

    /// Notices a store that lost its data or came back while nothing is being applied.
    package func probe() async {
        let wasTroubled = trouble != nil
        do throws(SharedCounterError) {
            for shard in [0, store.shardCount / 2, store.shardCount - 1] {
                if try await store.watermarks(shard: shard).isEmpty, !needsRebuild, isLevel {
                    restart("shard \(shard) is blank")
                    break
                }
            }
            succeeded()
            if wasTroubled { state.withLock { $0.needsRebuild = true } }
        } catch {
            await failed(error)
        }
    }

    // MARK: the way of a question

    /// - Parameter stop: units at which admission stops; nil: never.
    package func admit(
        _ key: SharedCounterKey, _ quantity: Int64, stop: Int64?
    ) async -> Admission {
        guard await barrier.enter() else {
            return .unavailable("shared counters are being rebuilt")
        }
        defer { barrier.leave() }
        if isDegraded { return .unavailable(trouble ?? "shared counters are being rebuilt") }
        let request = CounterAdmission(key: key, quantity: quantity, hardLimit: stop)
        do throws(SharedCounterError) {
            let result = try await store.admit([request])
            guard let first = result.first else { return .unavailable("no answer") }
            switch first.verdict {
            case .admitted: return .admitted
            case .exhausted: return .exhausted
            case .rebuilding:
                restart("an admission met a blank counter store")
                return .unavailable("shared counters are being rebuilt")
            }
        } catch {
            await failed(error)
            return .unavailable(error.message)
        }
    }

    /// `quantity` may be negative: then more was used than had been granted.
    package func giveBack(_ key: SharedCounterKey, _ quantity: Int64) async {
        guard await barrier.enter() else { return }
        defer { barrier.leave() }
        if quantity == 0 { return }
        let request = CounterAdmission(
            key: key, quantity: quantity.magnitude > 1 << 53 ? 1 << 53 : abs(quantity),
            hardLimit: nil)
        do throws(SharedCounterError) {
            if quantity < 0 {
                // More was used than had been granted: that is charged whatever the limit says.
                _ = try await store.admit([request])
            } else {
                try await store.giveBack([request])
            }
        } catch {
            // Whether it took effect or not, the ledger knows: rebuild from it.
            restart("a give-back failed: \(error.message)")
        }
    }

    package func isFresh(within seconds: Int64) -> Bool {
        let now = clock.now()
        return state.withLock { state in
            guard let last = state.lastSuccess else { return false }
            return now.microseconds(since: last) <= seconds * 1_000_000
        }
    }

    /// Spends from the local allowance of an outage.
    package func spendAllowance(_ key: UInt64, _ quantity: Int64, of units: Int64) -> Bool {
        state.withLock { state in
            let spent = state.allowance[key, default: 0].addingSaturated(quantity)
            if spent > units { return false }
            state.allowance[key] = spent
            return true
        }
    }

    /// Gives units of the allowance back that were not used after all.
    package func returnAllowance(_ key: UInt64, _ quantity: Int64) {
        state.withLock { state in
            guard let spent = state.allowance[key] else { return }
            state.allowance[key] = max(0, spent.subtractingSaturated(quantity))
        }
    }

    package func close() async {
        state.withLock { $0.isClosed = true }
        barrier.open()
        await store.close()
    }
}
