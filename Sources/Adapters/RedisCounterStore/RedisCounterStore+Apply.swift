package import MeteringPorts
import RedisClient
import Synchronization

extension RedisCounterStore {
    /// Offsets and sums beyond this are not exact in Redis' functions.
    static let exactMaximum: Int64 = 1 << 53 - 1

    /// One function call per touched shard, each atomic: the shard's deltas and its watermark move
    /// together or not at all. May be repeated after any error.
    package func apply(
        _ batch: CounterBatch
    ) async throws(SharedCounterError) -> CounterApplyResult {
        var result = CounterApplyResult(staleShards: [], fencedShards: [])
        guard batch.baseOffset < batch.nextOffset else { return result }
        guard batch.baseOffset >= 0, batch.nextOffset <= Self.exactMaximum else {
            throw SharedCounterError(
                code: .rejected, message: "offset \(batch.nextOffset) is out of range")
        }
        var pending = arguments(of: batch.deltas)
        let floors = noteBatch(batch, touching: Array(pending.keys))
        try await waitForOwnRebuilds(of: Set(pending.keys))

        var patience = Patience(options.patience)
        while !pending.isEmpty {
            let shards = pending.keys.sorted()
            let isPatient = !patience.isOver
            let replies = try await perform { run in
                shards.map { shard in
                    var command = applyCall(
                        batch, shard: shard, floor: floors.floor(of: shard), run: run,
                        isPatient: isPatient)
                    if let deltas = pending[shard] { command.append(argumentsOf: deltas) }
                    return command
                }
            }
            for (shard, reply) in zip(shards, replies) {
                let (answer, detail) = try reply.answer(of: .apply)
                switch answer {
                case .busy:
                    patience.observe(beat: detail?.number ?? 0)
                    continue
                case .done: break
                case .stale: result.staleShards.append(shard)
                case .fenced: result.fencedShards.append(shard)
                case .superseded, .outdated: throw .malformedReply(to: .apply)
                }
                pending[shard] = nil
            }
            if !pending.isEmpty { try await patience.rest() }
        }
        result.staleShards.sort()
        result.fencedShards.sort()
        return result
    }

    /// Arguments for the deltas of each touched shard.
    private func arguments(of deltas: [CounterBatch.Delta]) -> [Int: RedisCommand] {
        var arguments: [Int: RedisCommand] = [:]
        for delta in deltas {
            let address = CounterAddress(delta.key)
            let used = delta.isAdditive ? String(delta.used) : "=\(delta.used)"
            let shard = shard(of: delta.key.root)
            address.append(to: &arguments[shard, default: RedisCommand()])
            arguments[shard]?.append(used)
            arguments[shard]?.append(delta.observed)
        }
        return arguments
    }

    private func noteBatch(_ batch: CounterBatch, touching shards: [Int]) -> PartitionFloors {
        state.withLock { state in
            var floors =
                state.floors[batch.partition]
                ?? PartitionFloors(batch: batch, shardCount: options.shardCount)
            floors.advance(to: batch, touching: shards)
            state.floors[batch.partition] = floors
            return floors
        }
    }

    private func applyCall(
        _ batch: CounterBatch, shard: Int, floor: Int64, run: String, isPatient: Bool
    ) -> RedisCommand {
        var command = CounterLibrary.call(.apply, on: shardKeys(shard))
        command.append(run)
        command.append(owner)
        command.append(isPatient ? "1" : "0")
        command.append(Int64(batch.partition))
        command.append(batch.epoch)
        command.append(floor)
        command.append(batch.baseOffset)
        command.append(batch.nextOffset)
        command.append(options.retentionSeconds)
        return command
    }

    /// A shard that this node is replacing takes the batch afterwards, instead of being stale anew.
    private func waitForOwnRebuilds(of shards: Set<Int>) async throws(SharedCounterError) {
        var patience = Patience(options.patience)
        while !patience.isOver, !state.withLock({ $0.rebuilding.isDisjoint(with: shards) }) {
            try await patience.rest()
        }
    }
}
