package import MeteringPorts
import RedisClient

extension RedisCounterStore {
    /// Lowers G, never below what has come back as usage.
    ///
    /// A shard that is frozen or lost forgets the request: that can only under-admit. Must not be
    /// repeated after an error whose outcome is unknown: it is not idempotent.
    package func giveBack(_ requests: [CounterAdmission]) async throws(SharedCounterError) {
        try checkQuantities(requests)
        var arguments: [Int: RedisCommand] = [:]
        for request in requests where request.quantity > 0 {
            let shard = shard(of: request.key.root)
            CounterAddress(request.key).append(to: &arguments[shard, default: RedisCommand()])
            arguments[shard]?.append(request.quantity)
        }
        guard !arguments.isEmpty else { return }
        let shards = arguments.keys.sorted()
        let replies = try await perform { run in
            shards.map { shard in
                var command = CounterLibrary.call(.giveBack, on: shardKeys(shard))
                command.append(run)
                command.append(options.retentionSeconds)
                if let list = arguments[shard] { command.append(argumentsOf: list) }
                return command
            }
        }
        guard
            var failure = replies.lazy.compactMap(\.errorText).first.map({
                SharedCounterError(reply: $0)
            })
        else { return }
        failure.isOutcomeUnknown = replies.contains { $0.errorText == nil }
        throw failure
    }
}
