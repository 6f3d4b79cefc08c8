package import MeteringPorts
import RedisClient

extension RedisCounterStore {
    private static let keysPerCallMaximum = 250

    /// Nil for counters that do not exist, and for all of a shard that must be rebuilt.
    package func read(
        _ keys: [SharedCounterKey]
    ) async throws(SharedCounterError) -> [SharedCounter?] {
        var groups: [(shard: Int, arguments: RedisCommand, places: [Int])] = []
        var openGroup: [Int: Int] = [:]
        for (place, key) in keys.enumerated() {
            let shard = shard(of: key.root)
            var index = openGroup[shard] ?? groups.count
            if index < groups.count, groups[index].places.count >= Self.keysPerCallMaximum {
                index = groups.count
            }
            if index == groups.count {
                groups.append((shard, RedisCommand(), []))
                openGroup[shard] = index
            }
            CounterAddress(key).append(to: &groups[index].arguments)
            groups[index].places.append(place)
        }
        let replies = try await perform { run in
            groups.map { group in
                var command = CounterLibrary.call(.read, on: shardKeys(group.shard))
                command.append(run)
                command.append(argumentsOf: group.arguments)
                return command
            }
        }
        var counters = [SharedCounter?](repeating: nil, count: keys.count)
        for (group, reply) in zip(groups, replies) {
            guard let values = try reply.checked().elements, values.count == group.places.count
            else { throw .malformedReply(to: .read) }
            for (place, value) in zip(group.places, values) {
                counters[place] = try Self.counter(keys[place], value)
            }
        }
        return counters
    }

    /// Empty when the shard is blank, frozen, or older than the server's last restart: in each case
    /// it has to be rebuilt.
    package func watermarks(shard: Int) async throws(SharedCounterError) -> [Int32: Int64] {
        try checkShard(shard)
        let reply = try await performOne { run in
            var command = CounterLibrary.call(.marks, on: shardKeys(shard))
            command.append(run)
            return command
        }
        guard let fields = try reply.checked().elements, fields.count.isMultiple(of: 2) else {
            throw .malformedReply(to: .marks)
        }
        var watermarks: [Int32: Int64] = [:]
        for index in stride(from: 0, to: fields.count, by: 2) {
            // `epoch:next`
            let mark = fields[index + 1].text?.split(separator: ":") ?? []
            guard let partition = fields[index].number.flatMap(Int32.init(exactly:)),
                mark.count == 2, let next = Int64(mark[1])
            else { throw .malformedReply(to: .marks) }
            watermarks[partition] = next
        }
        return watermarks
    }

    /// Parses `U` or `U O G`; the short form means O = U and G = 0.
    private static func counter(
        _ key: SharedCounterKey, _ value: RedisValue
    ) throws(SharedCounterError) -> SharedCounter? {
        if case .null = value { return nil }
        let numbers = value.text?.split(separator: " ").compactMap { Int64($0) } ?? []
        switch numbers.count {
        case 1:
            return SharedCounter(key: key, used: numbers[0], observed: numbers[0], granted: 0)
        case 3:
            return SharedCounter(
                key: key, used: numbers[0], observed: numbers[1], granted: numbers[2])
        default: throw .malformedReply(to: .read)
        }
    }
}
