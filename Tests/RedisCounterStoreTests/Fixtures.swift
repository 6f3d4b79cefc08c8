import MeteringModel
import MeteringPorts
import RedisClient
import RedisCounterStore
import Testing

let november = Period(start: Timestamp(seconds: 1_793_491_200), end: .init(seconds: 1_796_083_200))

func key(
    _ customer: String, meter: String = "api_calls", period: Period = november
) -> SharedCounterKey {
    SharedCounterKey(
        root: CustomerID(customer), customer: CustomerID(customer), meter: MeterKey(meter),
        period: period)
}

func delta(_ customer: String, used: Int64, observed: Int64? = nil) -> CounterBatch.Delta {
    CounterBatch.Delta(
        key: key(customer), isAdditive: true, used: used, observed: observed ?? used)
}

func batch(
    _ range: Range<Int64>, partition: Int32 = 0, epoch: Int64 = 1, _ deltas: CounterBatch.Delta...
) -> CounterBatch {
    CounterBatch(
        partition: partition, epoch: epoch, baseOffset: range.lowerBound,
        nextOffset: range.upperBound, deltas: deltas)
}

func counter(
    _ customer: String, used: Int64, observed: Int64? = nil, granted: Int64 = 0
) -> SharedCounter {
    SharedCounter(
        key: key(customer), used: used, observed: observed ?? used, granted: granted)
}

func request(
    _ customer: String, _ quantity: Int64 = 1, limit: Int64? = nil
) -> CounterAdmission {
    CounterAdmission(key: key(customer), quantity: quantity, hardLimit: limit)
}

/// A server with a store on it.
struct Bench {
    let server: RedisServerProcess
    let store: RedisCounterStore

    init(
        _ serverArguments: [String] = [], shards: Int = 4,
        change: (inout RedisConnection.Configuration) -> Void = { _ in }
    ) async throws {
        server = try await RedisServerProcess(serverArguments)
        store = try Self.store(on: server, shards: shards, change: change)
    }

    static func store(
        on server: RedisServerProcess, shards: Int = 4,
        change: (inout RedisConnection.Configuration) -> Void = { _ in }
    ) throws -> RedisCounterStore {
        var configuration = server.configuration
        change(&configuration)
        var options = RedisCounterStore.Options()
        options.shardCount = shards
        options.patience = .milliseconds(300)
        return try RedisCounterStore(configuration, options: options)
    }

    /// What a node does when it starts with an empty ledger.
    func makeReady(
        _ watermarks: [Int32: Int64] = [0: 0], counters: [SharedCounter] = []
    ) async throws {
        for shard in 0..<store.shardCount {
            try await store.rebuild(
                shard: shard,
                counters: counters.filter { store.shard(of: $0.key.root) == shard },
                watermarks: watermarks)
        }
    }

    func read(_ customer: String) async throws -> SharedCounter? {
        try await store.read([key(customer)])[0]
    }

    func shard(of customer: String) -> Int { store.shard(of: CustomerID(customer)) }

    /// The wanted number of customers whose counters lie in the given shard.
    func customers(in shard: Int, count: Int) -> [String] {
        var found: [String] = []
        var number = 0
        while found.count < count {
            let name = "customer-\(number)"
            if self.shard(of: name) == shard { found.append(name) }
            number += 1
        }
        return found
    }
}

extension CounterApplyResult {
    var isClean: Bool { staleShards.isEmpty && fencedShards.isEmpty }
}
