package import MeteringPorts
import RedisClient
import Synchronization

extension RedisCounterStore {
    private static let countersPerCall = 250
    private static let callsPerTrip = 8
    private static let roundsMaximum = 3

    private enum Start {
        case generation(Int64)
        /// Another node has rebuilt the shard while this one waited.
        case alreadyRebuilt
    }

    /// Builds the new content beside the old one, then switches over in one step.
    ///
    /// U, O and watermarks become the ledger's. G becomes the larger of the ledger's and Redis'
    /// own, because admissions under way are in Redis only.
    /// - Throws: `rejected` when the shard already contains more of a partition than `watermarks`
    ///   say: the snapshot is too old. The shard is frozen then; read the ledger again and repeat.
    package func rebuild(
        shard: Int, counters: [SharedCounter], watermarks: [Int32: Int64]
    ) async throws(SharedCounterError) {
        try checkShard(shard)
        guard counters.allSatisfy({ self.shard(of: $0.key.root) == shard }) else {
            throw SharedCounterError(
                code: .rejected, message: "a counter of another shard in the rebuild of \(shard)")
        }
        try await reserveRebuild(of: shard)
        defer { state.withLock { _ = $0.rebuilding.remove(shard) } }

        let buckets = CounterAddress.buckets(for: counters.lazy.map(\.key))
        for round in 1...Self.roundsMaximum {
            let start = try await begin(
                shard, watermarks, buckets: buckets, hasWaited: round > 1)
            guard case .generation(let generation) = start else { return }
            if try await stage(shard, generation, counters),
                try await sweep(shard, generation),
                try await commit(shard, generation, watermarks)
            {
                return
            }
            // Another node has taken the rebuild over; wait for it.
        }
        throw SharedCounterError(
            code: .rejected, message: "other nodes keep taking over the rebuild of shard \(shard)")
    }

    /// One rebuild of a shard at a time in this process.
    private func reserveRebuild(of shard: Int) async throws(SharedCounterError) {
        var patience = Patience(options.patience)
        while !state.withLock({ $0.rebuilding.insert(shard).inserted }) {
            try await patience.rest()
        }
    }

    private func begin(
        _ shard: Int, _ watermarks: [Int32: Int64], buckets: Int64, hasWaited: Bool
    ) async throws(SharedCounterError) -> Start {
        var hasWaited = hasWaited
        var patience = Patience(options.patience)
        while true {
            let isPatient = !patience.isOver
            let reply = try await performOne { run in
                var command = CounterLibrary.call(.begin, on: shardKeys(shard))
                command.append(run)
                command.append(owner)
                command.append(isPatient ? "1" : "0")
                command.append(hasWaited ? "1" : "0")
                command.append(buckets)
                Self.append(watermarks, to: &command)
                return command
            }
            let (answer, detail) = try reply.answer(of: .begin)
            switch answer {
            case .done:
                guard let generation = detail?.number else { throw .malformedReply(to: .begin) }
                return .generation(generation)
            case .superseded: return .alreadyRebuilt
            case .outdated:
                throw SharedCounterError(
                    code: .rejected,
                    message: "shard \(shard) is ahead of the ledger snapshot: read the ledger "
                        + "again and repeat the rebuild")
            case .busy:
                hasWaited = true
                patience.observe(beat: detail?.number ?? 0)
                try await patience.rest()
            case .stale, .fenced: throw .malformedReply(to: .begin)
            }
        }
    }

    /// False when the rebuild was taken over, as with the next two steps.
    private func stage(
        _ shard: Int, _ generation: Int64, _ counters: [SharedCounter]
    ) async throws(SharedCounterError) -> Bool {
        let perTrip = Self.countersPerCall * Self.callsPerTrip
        for tripStart in stride(from: 0, to: counters.count, by: perTrip) {
            let tripEnd = min(tripStart + perTrip, counters.count)
            let starts = stride(from: tripStart, to: tripEnd, by: Self.countersPerCall)
            let replies = try await perform { _ in
                starts.map { start in
                    let end = min(start + Self.countersPerCall, tripEnd)
                    return stageCall(shard, generation, counters[start..<end])
                }
            }
            for reply in replies {
                guard try reply.answer(of: .stage).0 == .done else { return false }
            }
        }
        return true
    }

    private func stageCall(
        _ shard: Int, _ generation: Int64, _ counters: ArraySlice<SharedCounter>
    ) -> RedisCommand {
        var command = buildingCall(.stage, shard, generation)
        for counter in counters {
            CounterAddress(counter.key).append(to: &command)
            command.append(counter.used)
            command.append(counter.observed)
            command.append(counter.granted)
        }
        return command
    }

    private func sweep(_ shard: Int, _ generation: Int64) async throws(SharedCounterError) -> Bool {
        var cursor = "0"
        repeat {
            let current = cursor
            let reply = try await performOne { _ in
                var command = buildingCall(.sweep, shard, generation)
                command.append(current)
                return command
            }
            let (answer, next) = try reply.answer(of: .sweep)
            guard answer == .done else { return false }
            guard let next = next?.text else { throw .malformedReply(to: .sweep) }
            cursor = next
        } while cursor != "0"
        return true
    }

    private func commit(
        _ shard: Int, _ generation: Int64, _ watermarks: [Int32: Int64]
    ) async throws(SharedCounterError) -> Bool {
        let reply = try await performOne { run in
            var command = CounterLibrary.call(.commit, on: shardKeys(shard))
            command.append(run)
            command.append(owner)
            command.append(generation)
            Self.append(watermarks, to: &command)
            return command
        }
        return try reply.answer(of: .commit).0 == .done
    }

    private func buildingCall(
        _ function: CounterLibrary.Function, _ shard: Int, _ generation: Int64
    ) -> RedisCommand {
        var command = CounterLibrary.call(function, on: shardKeys(shard))
        command.append(owner)
        command.append(generation)
        command.append(options.retentionSeconds)
        return command
    }

    private static func append(_ watermarks: [Int32: Int64], to command: inout RedisCommand) {
        for (partition, next) in watermarks.sorted(by: { $0.key < $1.key }) {
            command.append(Int64(partition))
            command.append(next)
        }
    }
}
